"""What is open follows the policy (digest L.12: in the reference, connections survive a ban)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homeport.relay.events import LeaseChanged
from homeport.relay.lease import Lease
from homeport.storage import Database
from homeport.testing.relay_admin import STRANGER, AdminDoor, Visitor, open_admin_door
from homeport.testing.relay_door import CountedSessions


@pytest.fixture
async def relay(database: Database, tmp_path: Path) -> AsyncIterator[AdminDoor]:
    async with open_admin_door(database, tmp_path) as relay:
        yield relay


def ready(lease: Lease, count: int = 2) -> CountedSessions:
    """The lease's sessions, so many of them waiting."""
    assert isinstance(lease.sessions, CountedSessions)
    lease.sessions.ready = count
    return lease.sessions


async def test_a_ban_cuts_visitors_and_sends_sessions_away(relay: AdminDoor) -> None:  # relay L.12
    lease = await relay.lease()
    sessions, visitor = ready(lease), Visitor(lease)

    await relay.policy.ban(lease.key)

    assert visitor.is_cut
    assert sessions.ready == 0
    assert not sessions.closed  # after an unban the agent comes back to the same lease


async def test_a_denial_cuts_visitors_too(relay: AdminDoor) -> None:  # relay L.12
    lease = await relay.lease()
    visitor = Visitor(lease)

    await relay.policy.deny(lease.key)

    assert visitor.is_cut


async def test_a_ban_reaches_visitors_of_a_lease_that_has_ended(relay: AdminDoor) -> None:  # relay L.12
    lease = await relay.lease()
    visitor = Visitor(lease)
    await relay.leases.end(lease)
    assert not visitor.is_cut

    await relay.policy.ban(lease.key)

    assert visitor.is_cut


async def test_a_ban_reaches_visitors_of_the_lease_before(relay: AdminDoor) -> None:  # relay L.12
    first = await relay.lease()
    visitor = Visitor(first)
    await relay.lease()

    await relay.policy.ban(first.key)

    assert visitor.is_cut


async def test_other_identities_are_left_alone(relay: AdminDoor) -> None:
    shop, blog = await relay.lease("shop"), await relay.lease("blog")
    sessions, visitor = ready(blog), Visitor(blog)

    await relay.policy.ban(shop.key)

    assert not visitor.is_cut
    assert sessions.ready == 2


async def test_a_ban_of_an_address_cuts_that_visitor_only(relay: AdminDoor) -> None:  # relay L.12
    lease = await relay.lease()
    sessions = ready(lease)
    banned, mapped, other = (
        Visitor(lease, "192.0.2.9"),
        Visitor(lease, "::ffff:192.0.2.10"),
        Visitor(lease, "192.0.3.1"),
    )

    await relay.policy.ban_network("192.0.2.0/24")

    assert banned.is_cut
    assert mapped.is_cut
    assert not other.is_cut
    assert sessions.ready == 2


async def test_a_ban_of_the_agents_address_ends_what_it_serves(relay: AdminDoor) -> None:
    lease = await relay.lease(address="203.0.113.5")
    sessions, visitor = ready(lease), Visitor(lease)

    await relay.policy.ban_network("203.0.113.0/24")

    assert visitor.is_cut
    assert sessions.ready == 0


async def test_manual_mode_ends_what_nobody_approved(relay: AdminDoor) -> None:
    waiting, approved = await relay.lease("shop"), await relay.lease("blog")
    await relay.policy.approve(approved.key)
    visitors = Visitor(waiting), Visitor(approved)

    await relay.policy.set_approval_mode("manual")

    assert [visitor.is_cut for visitor in visitors] == [True, False]


async def test_an_approval_that_is_taken_back_ends_what_is_open(relay: AdminDoor) -> None:
    await relay.policy.set_approval_mode("manual")
    lease = await relay.lease()
    await relay.policy.approve(lease.key)
    visitor = Visitor(lease)

    await relay.policy.unapprove(lease.key)

    assert visitor.is_cut


async def test_a_decision_is_told_as_a_change_of_the_lease(relay: AdminDoor) -> None:
    lease = await relay.lease()
    told: list[Lease] = []
    relay.door.bus.subscribe(LeaseChanged, lambda event: told.append(event.lease))

    await relay.policy.set_bps(lease.key, 1000)

    assert told == [lease]


async def test_a_limit_and_a_ban_outlive_the_lease(relay: AdminDoor) -> None:  # relay L.13
    lease = await relay.lease()
    bucket = relay.policy.bucket(lease.key)
    await relay.policy.set_bps(lease.key, 1000)
    await relay.leases.end(lease)

    again = await relay.lease()

    assert again.key == lease.key
    assert relay.policy.bucket(again.key) is bucket
    assert bucket.rate == 1000


async def test_a_banned_identity_cannot_come_back(relay: AdminDoor) -> None:  # relay L.12
    await relay.policy.ban((await relay.lease()).key)

    answer = await relay.relay.register("shop", STRANGER)

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "lease_rejected")


async def test_a_banned_address_is_the_clients_own(relay: AdminDoor) -> None:  # relay L.15
    await relay.policy.ban_network("127.0.0.0/8")  # the test's client comes from there

    refused = await relay.relay.ask()
    await relay.policy.unban_network("127.0.0.0/8")
    await relay.policy.ban_network("192.0.2.1")
    taken = await relay.relay.ask()

    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "ip_banned")
    assert taken.status_code == 201
