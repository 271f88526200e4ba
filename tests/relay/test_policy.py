"""What administrators decide about tunnels, and that it lasts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from homeport.relay import policy as policy_module
from homeport.relay.policy import Policy, PortPolicy
from homeport.relay.problems import (
    InvalidIp,
    InvalidMode,
    InvalidRequest,
    IpBanned,
    LeaseRejected,
    TcpPortCapacityExceeded,
    TcpPortDisabled,
    UdpCapacityExceeded,
    UdpDisabled,
)
from homeport.settings import Settings
from homeport.storage import Database, Options
from homeport.testing.clock import ManualClock

SHOP = "shop:0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"
BLOG = "blog:0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"


async def opened(database: Database, tmp_path: Path, **settings: Any) -> Policy:
    options = Options(database)
    await options.open()
    policy = Policy(database, Settings(data_dir=tmp_path, **settings), options, ManualClock())
    await policy.open()
    return policy


@pytest.fixture
async def policy(database: Database, tmp_path: Path) -> Policy:
    return await opened(database, tmp_path)


async def test_a_portal_of_this_machine_alone_approves_by_itself(policy: Policy) -> None:
    assert policy.approval_mode == "auto"
    assert policy.routable(SHOP)


@pytest.mark.parametrize(
    ("bind", "said", "mode"),
    [
        ("127.0.0.1", "", "auto"),
        ("::1", "", "auto"),
        ("localhost", "", "auto"),
        ("0.0.0.0", "", "manual"),
        ("192.0.2.1", "", "manual"),
        ("0.0.0.0", "auto", "auto"),
        ("127.0.0.1", "manual", "manual"),
    ],
)
async def test_whether_tunnels_wait_follows_the_setting_and_where_the_portal_listens(
    database: Database, tmp_path: Path, bind: str, said: str, mode: str
) -> None:
    policy = await opened(database, tmp_path, bind=bind, relay_approval=said)

    assert policy.approval_mode == mode


async def test_in_manual_mode_a_tunnel_waits_for_its_approval(policy: Policy) -> None:
    await policy.set_approval_mode("manual")
    assert not policy.routable(SHOP)
    assert policy.waits(SHOP)

    await policy.approve(SHOP)
    assert policy.routable(SHOP)
    assert not policy.waits(SHOP)
    assert not policy.routable(BLOG)

    await policy.unapprove(SHOP)
    assert not policy.routable(SHOP)


async def test_a_denial_counts_in_auto_mode_too(policy: Policy) -> None:
    await policy.deny(SHOP)
    assert not policy.routable(SHOP)

    await policy.undeny(SHOP)
    assert policy.routable(SHOP)


async def test_an_approval_takes_back_a_denial_and_the_other_way_round(policy: Policy) -> None:
    await policy.deny(SHOP)
    await policy.approve(SHOP)
    assert (policy.decision(SHOP).approved, policy.decision(SHOP).denied) == (True, False)

    await policy.deny(SHOP)
    assert (policy.decision(SHOP).approved, policy.decision(SHOP).denied) == (False, True)


async def test_a_ban_stands_above_an_approval_and_leaves_it(policy: Policy) -> None:
    await policy.approve(SHOP)
    await policy.ban(SHOP)
    assert not policy.routable(SHOP)

    await policy.unban(SHOP)
    assert policy.decision(SHOP).approved


async def test_a_banned_identity_may_not_register_or_renew(policy: Policy) -> None:  # relay L.12
    await policy.ban(SHOP)

    with pytest.raises(LeaseRejected):
        policy.require_identity(SHOP)
    policy.require_identity(BLOG)


async def test_a_mode_that_is_none_is_refused(policy: Policy) -> None:
    with pytest.raises(InvalidMode):
        await policy.set_approval_mode("sometimes")


async def test_a_banned_network_refuses_its_addresses(policy: Policy) -> None:
    assert await policy.ban_network("2001:DB8::1/64") == "2001:db8::/64"

    with pytest.raises(IpBanned):
        policy.require_address("2001:db8::ffff")
    policy.require_address("2001:db8:0:1::1")


async def test_a_ban_of_an_ipv4_address_holds_for_its_ipv6_spelling(policy: Policy) -> None:
    await policy.ban_network("::ffff:192.0.2.7")

    assert policy.banned_networks == ["192.0.2.7"]
    assert policy.refused("192.0.2.7")
    assert policy.refused("::ffff:192.0.2.7")

    await policy.unban_network("192.0.2.7")
    assert not policy.refused("::ffff:192.0.2.7")


async def test_a_ban_of_loopback_hits_loopback_only(policy: Policy) -> None:  # relay L.15
    await policy.ban_network("127.0.0.1")

    assert policy.refused("127.0.0.1")
    assert not policy.refused("203.0.113.9")


async def test_an_address_that_is_none_is_refused(policy: Policy) -> None:
    with pytest.raises(InvalidIp):
        await policy.ban_network("everybody")


async def test_networks_are_bounded(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_module, "MOST_NETWORKS", 1)
    await policy.ban_network("192.0.2.1")
    await policy.ban_network("192.0.2.1")

    with pytest.raises(InvalidRequest):
        await policy.ban_network("192.0.2.2")


async def test_everything_survives_a_restart(database: Database, tmp_path: Path) -> None:  # relay L.13
    before = await opened(database, tmp_path)
    await before.approve(SHOP)
    await before.set_bps(SHOP, 5_000_000_000)
    await before.ban(BLOG)
    await before.ban_network("10.0.0.0/8")
    await before.set_approval_mode("manual")
    await before.set_landing_page(False)
    await before.set_udp(PortPolicy(False, 3))
    await before.set_tcp_port(PortPolicy(True, 7))

    after = await opened(database, tmp_path)

    assert after.decisions == before.decisions
    assert after.bucket(SHOP).rate == 5_000_000_000
    assert after.banned_networks == ["10.0.0.0/8"]
    assert after.approval_mode == "manual"
    assert not after.landing_page_enabled
    assert after.udp == PortPolicy(False, 3)
    assert after.tcp_port == PortPolicy(True, 7)


async def test_what_is_taken_back_is_gone_after_a_restart(database: Database, tmp_path: Path) -> None:
    before = await opened(database, tmp_path)
    await before.approve(SHOP)
    await before.unapprove(SHOP)
    await before.ban_network("10.0.0.0/8")
    await before.unban_network("10.0.0.0/8")

    after = await opened(database, tmp_path)

    assert not after.decisions
    assert after.banned_networks == []


async def test_a_limit_reaches_those_who_hold_the_bucket(policy: Policy) -> None:
    bucket = policy.bucket(SHOP)
    assert bucket.rate is None

    await policy.set_bps(SHOP, 1000)
    assert bucket.rate == 1000
    assert policy.bucket(SHOP) is bucket

    await policy.set_bps(SHOP, None)
    assert bucket.rate is None


async def test_a_limited_bucket_lives_on_without_a_lease(policy: Policy) -> None:  # relay L.13
    await policy.set_bps(SHOP, 1000)
    policy.bucket(SHOP).take(5000, 0.0)

    assert policy.bucket(SHOP).take(0, 0.0) == 5.0


@pytest.mark.parametrize("bps", [0, -1, 10**12 + 1])
async def test_a_limit_that_is_none_is_refused(policy: Policy, bps: int) -> None:
    with pytest.raises(InvalidRequest):
        await policy.set_bps(SHOP, bps)


async def test_a_full_relay_takes_the_same_identity_again(policy: Policy) -> None:
    await policy.set_udp(PortPolicy(True, 1))
    await policy.set_tcp_port(PortPolicy(True, 1))

    policy.require_udp(SHOP, [SHOP])
    policy.require_tcp_port(SHOP, [SHOP])
    with pytest.raises(UdpCapacityExceeded):
        policy.require_udp(BLOG, [SHOP])
    with pytest.raises(TcpPortCapacityExceeded):
        policy.require_tcp_port(BLOG, [SHOP])


async def test_ports_that_are_switched_off_are_refused(policy: Policy) -> None:
    await policy.set_udp(PortPolicy(False))
    await policy.set_tcp_port(PortPolicy(False))

    with pytest.raises(UdpDisabled):
        policy.require_udp(SHOP, [])
    with pytest.raises(TcpPortDisabled):
        policy.require_tcp_port(SHOP, [])


async def test_ports_begin_as_the_settings_say(database: Database, tmp_path: Path) -> None:
    policy = await opened(database, tmp_path, relay_udp=False)

    assert policy.udp == PortPolicy(False)
    assert policy.tcp_port == PortPolicy(True)


@pytest.mark.parametrize("most", [-1, 1_000_001])
async def test_a_number_of_leases_that_is_none_is_refused(policy: Policy, most: int) -> None:
    with pytest.raises(InvalidRequest):
        await policy.set_udp(PortPolicy(True, most))


async def test_changes_are_told_once_each_and_only_when_something_changed(policy: Policy) -> None:
    told: list[str | None] = []
    policy.changed = told.append

    await policy.ban(SHOP)
    await policy.ban(SHOP)
    await policy.ban_network("10.0.0.0/8")
    await policy.ban_network("10.0.0.0/8")
    await policy.set_approval_mode("manual")

    assert told == [SHOP, None, None]


async def test_decisions_are_bounded_and_mere_approvals_make_room(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_module, "MOST_IDENTITIES", 2)
    policy = await opened(database, tmp_path)
    await policy.ban("a:0x1")
    await policy.approve("b:0x1")
    await policy.ban("c:0x1")
    assert set(policy.decisions) == {"a:0x1", "c:0x1"}

    with pytest.raises(InvalidRequest):
        await policy.approve("d:0x1")
    assert set((await opened(database, tmp_path)).decisions) == {"a:0x1", "c:0x1"}


async def rename(database: Database, old: str, new: str) -> None:
    async with database.write() as db:
        for table in ("relay_identity_policies", "relay_banned_networks", "options"):
            await db.execute(text(f"ALTER TABLE {old.format(table)} RENAME TO {new.format(table)}"))


async def test_what_cannot_be_written_does_not_count(database: Database, policy: Policy) -> None:  # relay L.19
    told: list[str | None] = []
    policy.changed = told.append
    changes = (
        policy.ban(SHOP),
        policy.set_bps(SHOP, 9000),
        policy.ban_network("192.0.2.1"),
        policy.set_approval_mode("manual"),
    )
    await rename(database, "{}", "{}_away")
    try:
        for change in changes:
            with pytest.raises(DBAPIError):
                await change
    finally:
        await rename(database, "{}_away", "{}")

    assert not policy.decisions
    assert policy.bucket(SHOP).rate is None
    assert not policy.refused("192.0.2.1")
    assert policy.approval_mode == "auto"
    assert told == []


async def test_decisions_that_come_together_are_all_kept(database: Database, tmp_path: Path) -> None:
    policy = await opened(database, tmp_path)
    await asyncio.gather(policy.approve(SHOP), policy.ban(SHOP), policy.set_bps(SHOP, 9), policy.ban(BLOG))

    after = await opened(database, tmp_path)

    kept = after.decision(SHOP)
    assert (kept.approved, kept.banned, kept.bps) == (True, True, 9)
    assert after.decision(BLOG).banned
    assert after.decisions == policy.decisions
