"""What everybody may know of tunnels: the list, and the data in the portal's page."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from homeport.relay import public_list as module
from homeport.relay.lease import Lease
from homeport.relay.public_list import PublicList
from homeport.storage import Database
from homeport.testing.relay_door import OTHER_WALLET, RelayDoor, open_relay_door

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def picture(lease: Lease) -> str:
    return f"/thumbnail/{lease.hostname}" if lease.identity.name == "seen" else ""


@pytest.fixture
async def relay(database: Database, tmp_path: Path) -> AsyncIterator[RelayDoor]:
    async with open_relay_door(
        database,
        tmp_path,
        lambda _identity, plane: [
            PublicList(plane.leases, plane.policy, lambda: plane.settings, plane.clock, picture).routes()
        ],
        administrator=False,
    ) as relay:
        yield relay


def public_list(relay: RelayDoor) -> PublicList:
    plane = relay.plane
    return PublicList(plane.leases, plane.policy, lambda: plane.settings, plane.clock, picture)


async def names(relay: RelayDoor) -> list[str]:
    return [row["name"] for row in (await relay.get("/api/tunnels/public")).json()["tunnels"]]


async def test_a_tunnel_is_listed_with_what_its_holder_says(relay: RelayDoor) -> None:
    await relay.token("demo", metadata={"description": "A demo", "owner": "Ann", "tags": ["web"]})
    body = (await relay.get("/api/tunnels/public")).json()
    [row] = body["tunnels"]
    assert (row["hostname"], row["url"]) == ("demo.localhost", "https://demo.localhost:8443")
    assert (row["description"], row["owner"], row["tags"], row["online"]) == ("A demo", "Ann", ["web"], False)
    assert body["relay"]["protocol_version"] == "7"


async def test_hidden_and_refused_ones_are_not_listed(relay: RelayDoor) -> None:  # relay E
    await relay.token("shy", metadata={"hide": True})
    await relay.token("bad", OTHER_WALLET)
    assert await names(relay) == ["bad"]
    await relay.plane.policy.ban(next(lease.key for lease in relay.leases.all() if lease.identity.name == "bad"))
    assert await names(relay) == []


async def test_an_administrator_may_turn_the_list_off(relay: RelayDoor) -> None:  # relay F.3
    await relay.token("demo")
    await relay.plane.policy.set_landing_page(False)
    assert await names(relay) == []
    head = public_list(relay).page_head()
    assert 'type="application/json">[]</script>' in head
    assert 'name="portal-landing-page-enabled" content="false"' in head


async def test_one_that_nobody_serves_is_listed_for_three_minutes(relay: RelayDoor) -> None:  # relay E
    await relay.token("demo", ttl=3600)
    relay.door.clock.advance(179)
    assert await names(relay) == ["demo"]
    relay.door.clock.advance(2)
    assert await names(relay) == []


async def test_the_page_carries_an_array_that_other_pages_can_read(relay: RelayDoor) -> None:  # relay H
    await relay.token("demo", metadata={"description": "</script><b>&"})
    await relay.token("seen", OTHER_WALLET)
    head = public_list(relay).page_head()
    found = re.search(r'<script id="__SSR_DATA__" type="application/json">(.*?)</script>', head)
    assert found is not None
    assert "<" not in found[1]
    rows: list[dict[str, Any]] = json.loads(found[1])
    by_name = {row["name"]: row for row in rows}
    assert by_name["demo"]["Metadata"]["description"] == "</script><b>&"
    assert by_name["demo"]["Hostname"] == by_name["demo"]["hostname"] == "demo.localhost"
    assert by_name["demo"]["Ready"] == 0
    assert by_name["seen"]["Metadata"]["thumbnail"] == "/thumbnail/seen.localhost"
    assert not {"identity_key", "address", "client_ip", "ClientIP", "BPS", "owner_id"} & set(by_name["demo"])
    assert 'name="portal-landing-page-enabled" content="true"' in head
    assert 'name="portal-release-version" content="v' in head


async def test_the_page_makes_nobody_ask_another_site_for_a_picture(relay: RelayDoor) -> None:  # relay L.20
    await relay.token("demo", metadata={"thumbnail": "https://tracker.example/a.png", "owner": "Ann"})
    await relay.token("seen", OTHER_WALLET, metadata={"thumbnail": "data:image/png;base64,AAAA"})
    assert "tracker.example" not in public_list(relay).page_head()
    by_name = {row["name"]: row["Metadata"] for row in public_list(relay).rows()}
    assert by_name == {"demo": {"owner": "Ann"}, "seen": {"thumbnail": "/thumbnail/seen.localhost"}}


async def test_among_many_leases_the_pages_data_are_made_once_a_second(
    relay: RelayDoor, monkeypatch: pytest.MonkeyPatch
) -> None:  # whoever asks for pages, and whoever registers, costs little
    monkeypatch.setattr(module, "MANY", 2)
    shown = public_list(relay)
    await relay.token("first")
    assert "first.localhost" in shown.page_head()
    await relay.token("second")
    before = shown.page_head()
    assert "second.localhost" in before
    await relay.token("third")
    assert shown.page_head() == before
    relay.door.clock.advance(1)
    assert "third.localhost" in shown.page_head()
    await relay.plane.policy.set_landing_page(False)
    assert "first.localhost" not in shown.page_head()
