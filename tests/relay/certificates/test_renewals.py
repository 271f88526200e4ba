"""Renewals by themselves, on a clock that moves when told."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from homeport.kit.clock import parse_rfc3339
from homeport.relay.certificates.orders import Order
from homeport.relay.certificates.problems import AcmeFailed, OrderNotFound, OrderOpen
from homeport.relay.certificates.renewals import MOST_NEW_AN_HOUR, pause_after
from homeport.storage import KeyRotation
from homeport.testing.waiting import eventually
from tests.relay.certificates.conftest import Bench

LIFETIME = timedelta(days=90)
DNS = {"provider": "webhook", "url": "https://hook.test", "username": "u", "password": "top secret"}


async def obtain(bench: Bench, *names: str, **more: Any) -> Order:
    wish = bench.certificates.wish(names or ("portal.test",), email="a@b.test", **more)
    return await bench.certificates.order(wish)


def until(bench: Bench) -> datetime:
    return parse_rfc3339(bench.certificates.info()["not_after"])


async def test_an_order_serves_when_it_has_ended_and_is_in_the_audit_log(bench: Bench) -> None:
    order = await obtain(bench, "portal.test", "www.portal.test")
    assert order.status == "valid"
    info = bench.certificates.info()
    assert (info["method"], info["sans"]) == ("letsencrypt", ["portal.test", "www.portal.test"])
    [act] = bench.acts
    assert (act.action, act.actor.name, act.target_id, act.result) == (
        "obtain_certificate",
        "the portal",
        "portal.test",
        "done",
    )


async def test_it_is_renewed_at_two_thirds_of_its_life_and_not_before(bench: Bench) -> None:
    await obtain(bench)
    first = until(bench)
    bench.clock.advance((LIFETIME * 0.64).total_seconds())
    await bench.certificates.renewals.look()
    assert until(bench) == first
    bench.clock.advance((LIFETIME * 0.03).total_seconds())
    await bench.certificates.renewals.look()
    assert until(bench) > first + timedelta(days=50)


async def test_each_certificate_has_a_moment_of_its_own(bench: Bench) -> None:
    for number in range(5):
        await obtain(bench, f"{number}.portal.test")
    moments = {bench.certificates.renewals.next_at(kept) for kept in bench.certificates.shelf.list()}
    assert len(moments) == 5


async def test_after_a_failure_it_waits_longer_each_time_and_what_serves_stays(bench: Bench) -> None:
    await obtain(bench)
    first = until(bench)
    bench.issuer.failure = "The directory refused: too many."
    bench.clock.advance((LIFETIME * 0.7).total_seconds())
    for expected in (1, 2, 3):
        await bench.certificates.renewals.look()
        await bench.certificates.renewals.look()  # at once again: nothing
        assert len(bench.issuer.wishes) == 1 + expected
        bench.clock.advance(pause_after(expected).total_seconds())
    assert until(bench) == first
    row = bench.certificates.rows()[1]
    assert row["error"] == "The directory refused: too many."
    assert bench.certificates.auto_renew_status()["failing"] == ["portal.test"]
    bench.issuer.failure = None
    await bench.certificates.renewals.look()
    assert until(bench) > first
    assert bench.certificates.rows()[1]["error"] == ""


@pytest.mark.parametrize(("failures", "minutes"), [(1, 15), (2, 30), (3, 60), (7, 960), (8, 1440), (400, 1440)])
def test_pauses_double_up_to_a_day(failures: int, minutes: int) -> None:
    assert pause_after(failures) == timedelta(minutes=minutes)


async def test_a_restart_remembers_how_to_renew_and_how_often_it_failed(bench: Bench) -> None:
    await obtain(bench, "*.portal.test", dns=DNS)
    bench.issuer.failure = "no"
    bench.clock.advance((LIFETIME * 0.7).total_seconds())
    await bench.certificates.renewals.look()
    again = bench.again()
    await again.open()
    await again.renewals.look()
    assert len(bench.issuer.wishes) == 2  # it waits as it would have without the restart
    bench.clock.advance(pause_after(1).total_seconds())
    bench.issuer.failure = None
    await again.renewals.look()
    assert dict(bench.issuer.wishes[-1].dns or {})["password"] == "top secret"
    assert again.rows()[1]["error"] == ""


async def test_a_providers_secret_is_nowhere_in_the_clear(bench: Bench) -> None:
    await obtain(bench, "*.portal.test", dns=DNS)
    for file in bench.folder.rglob("*"):
        assert not file.is_file() or b"top secret" not in file.read_bytes()


async def test_a_providers_secret_outlives_a_new_sealing_key_and_the_end_of_the_old_one(bench: Bench) -> None:
    await obtain(bench, "*.portal.test", dns=DNS)
    rotated = await KeyRotation(bench.database, bench.sealer, bench.clock, ()).rotate(drop_old=True, settle=0)
    assert rotated.dropped == ()  # something needs it still
    again = bench.again()
    await again.open()
    [kept] = again.shelf.list()
    assert kept.origin.wish is not None
    assert dict(kept.origin.wish.dns or {}) == DNS


async def test_a_kill_in_the_middle_of_a_renewal_leaves_the_old_one_serving_and_it_starts_anew(bench: Bench) -> None:
    await obtain(bench)
    first = until(bench)
    bench.clock.advance((LIFETIME * 0.7).total_seconds())
    bench.issuer.hold = asyncio.Event()
    looking = asyncio.create_task(bench.certificates.renewals.look())
    await eventually(lambda: len(bench.issuer.wishes) == 2)
    looking.cancel()
    await bench.certificates.close()
    again = bench.again()
    await again.open()
    assert until(bench) == first
    bench.issuer.hold = None
    await again.renewals.look()
    assert until(bench) > first


async def test_a_record_that_a_person_has_to_set_is_told_and_waited_for(bench: Bench) -> None:
    bench.issuer.asks = True
    order = await obtain(bench, "portal.test", "*.portal.test", dns={"provider": "manual"})
    assert order.status == "waiting"
    assert [record.name for record in order.records] == [
        "_acme-challenge.portal.test",
        "_acme-challenge.*.portal.test",
    ]
    done = await bench.certificates.go_on(order.id)
    assert done.status == "valid"
    with pytest.raises(OrderOpen):
        await bench.certificates.go_on(order.id)
    # Nobody is there to set the next one.
    [kept] = bench.certificates.shelf.list()
    assert bench.certificates.renewals.next_at(kept) is None


async def test_a_failed_order_says_why_and_can_be_read_later(bench: Bench) -> None:
    bench.issuer.failure = "The directory refused (403): no."
    with pytest.raises(AcmeFailed, match="refused"):
        await obtain(bench)
    [order] = bench.certificates.orders.list()
    assert order.status == "invalid"
    assert [act.result for act in bench.acts] == ["failed"]
    with pytest.raises(OrderNotFound):
        bench.certificates.orders.get("ord_unknown")


async def test_a_name_has_one_open_order_at_a_time(bench: Bench) -> None:
    bench.issuer.hold = asyncio.Event()
    wish = bench.certificates.wish(["portal.test"], email="a@b.test")
    first = bench.certificates.orders.begin(wish)
    with pytest.raises(OrderOpen):
        bench.certificates.orders.begin(wish)
    bench.issuer.hold.set()
    await bench.certificates.orders.wait(first, 5)
    assert bench.certificates.orders.begin(wish).id != first.id


async def test_apps_own_domains_get_certificates_once_there_is_an_address_for_the_authority(bench: Bench) -> None:
    bench.domains = ["shop.example", "blog.example"]
    await bench.certificates.renewals.look()
    assert bench.issuer.wishes == []
    bench.email = "ops@portal.test"
    again = bench.again()
    await again.renewals.look()
    assert [kept.domain for kept in again.shelf.list()] == ["blog.example", "shop.example"]
    await again.renewals.look()
    assert len(bench.issuer.wishes) == 2


async def test_a_domain_that_does_not_lead_here_is_tried_again_later_and_never_too_often(bench: Bench) -> None:
    bench.email, bench.issuer.failure = "ops@portal.test", "not proven"
    bench.domains = [f"{number}.example" for number in range(MOST_NEW_AN_HOUR + 5)]
    again = bench.again()
    await again.renewals.look()
    await again.renewals.look()
    assert len(bench.issuer.wishes) == MOST_NEW_AN_HOUR
    bench.clock.advance(3600)
    await again.renewals.look()
    assert len(bench.issuer.wishes) == 2 * MOST_NEW_AN_HOUR


async def test_a_domain_that_is_ours_no_more_is_not_renewed(bench: Bench) -> None:
    bench.email, bench.domains = "ops@portal.test", ["shop.example"]
    again = bench.again()
    await again.renewals.look()
    bench.domains.clear()
    bench.clock.advance((LIFETIME * 0.8).total_seconds())
    await again.renewals.look()
    assert len(bench.issuer.wishes) == 1
    assert again.auto_renew_status()["active"] is False
