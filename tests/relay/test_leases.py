"""Who holds which name, and for how long."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from homeport.kit.bus import Bus
from homeport.kit.problems import Problem
from homeport.relay.events import LeaseBegan, LeaseChanged, LeaseEnded
from homeport.relay.identities import hostname_hash, identity_of
from homeport.relay.lease import Lease, Metadata
from homeport.relay.policy import PortPolicy
from homeport.relay.problems import (
    FeatureUnavailable,
    HostnameConflict,
    InvalidRequest,
    IpBanned,
    LeaseNotFound,
    LeaseRejected,
    RateLimited,
    TcpPortCapacityExceeded,
    TcpPortDisabled,
    TcpPortExhausted,
    TokenRefused,
    TransportMismatch,
    UdpCapacityExceeded,
    UdpDisabled,
    UdpPortExhausted,
)
from homeport.relay.registration import RegisterRequest
from homeport.settings import Settings
from homeport.storage import Database, Options
from homeport.testing.clock import ManualClock
from homeport.testing.relay_door import ControlPlane, CountedSessions
from homeport.wire.ethereum import address_of

HERE = "192.0.2.1"
FIRST = 40000


class Desk:
    """Registers at a control plane, and remembers what was published."""

    def __init__(self, plane: ControlPlane, clock: ManualClock) -> None:
        self.plane = plane
        self.leases = plane.leases
        self.clock = clock
        self.events: list[Any] = []
        for kind in (LeaseBegan, LeaseChanged, LeaseEnded):
            plane.bus.subscribe(kind, self.events.append)

    @staticmethod
    def request(name: str = "demo", wallet: int = 0x11, **more: Any) -> RegisterRequest:
        return RegisterRequest(identity_of(name, address_of(bytes([wallet]) * 32)), **more)

    async def register(
        self, name: str = "demo", wallet: int = 0x11, address: str = HERE, owner: str | None = None, **more: Any
    ) -> tuple[Lease, str]:
        return await self.leases.register(self.request(name, wallet, **more), address=address, owner_id=owner)

    def said(self) -> list[str]:
        return [f"{type(event).__name__} {getattr(event, 'reason', '')}".strip() for event in self.events]


async def opened(database: Database, folder: Path, **settings: Any) -> Desk:
    given = {"relay_approval": "auto", "relay_port_first": FIRST, "relay_port_last": FIRST + 2, **settings}
    options, clock = Options(database), ManualClock()
    await options.open()
    plane = ControlPlane(database, Settings(data_dir=folder, **given), options, clock, Bus())
    await plane.policy.open()
    await plane.leases.load()
    return Desk(plane, clock)


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> Desk:
    return await opened(database, tmp_path)


def sessions(lease: Lease) -> CountedSessions:
    assert isinstance(lease.sessions, CountedSessions)
    return lease.sessions


async def test_a_lease_is_found_by_its_name_its_identity_and_its_token(desk: Desk) -> None:
    lease, token = await desk.register()
    assert lease.hostname == "demo.localhost"
    assert desk.leases.at("demo.localhost") is desk.leases.at(" DEMO.localhost. ") is lease
    assert desk.leases.of(lease.key) is desk.leases.holder(token) is lease
    assert desk.leases.all() == [lease]
    assert desk.leases.at("other.localhost") is None
    assert desk.said() == ["LeaseBegan"]


async def test_a_hidden_name_leads_to_the_same_lease(desk: Desk) -> None:
    lease, _ = await desk.register(
        route_hostname="ech-abc.localhost", hostname_hash=hostname_hash("demo.localhost"), ech_config_list=b"x"
    )
    assert desk.leases.at("ech-abc.localhost") is desk.leases.at("demo.localhost") is lease  # relay C.10
    await desk.leases.end(lease)
    assert desk.leases.at("ech-abc.localhost") is None


@pytest.mark.parametrize(("ttl", "seconds"), [(0, 120), (-5, 120), (1, 30), (60, 60), (3600, 3600), (10**18, 3600)])
async def test_a_lease_lasts_as_long_as_asked_within_bounds(desk: Desk, ttl: int, seconds: int) -> None:
    lease, token = await desk.register(ttl=ttl)  # relay L.2
    assert lease.expires_at - desk.clock.now() == timedelta(seconds=seconds)
    assert desk.plane.tokens.signed(token).expires_at == int(lease.expires_at.timestamp())


async def test_a_token_lasts_as_long_as_its_lease_however_long_it_took_to_write(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = desk.clock.now

    def later() -> datetime:
        desk.clock.advance(0.7)
        return now()

    monkeypatch.setattr(desk.clock, "now", later)
    _, first = await desk.register(ttl=60)
    _, second = await desk.leases.renew(first, 60)
    for token in (first, second):
        told = desk.plane.tokens.signed(token)
        assert told.expires_at - told.not_before == 60


async def test_nobody_finds_a_lease_whose_time_is_over(desk: Desk) -> None:
    lease, token = await desk.register(ttl=60)
    desk.clock.advance(60)
    assert desk.leases.at("demo.localhost") is desk.leases.of(lease.key) is None
    assert desk.leases.all() == []
    with pytest.raises(LeaseNotFound):
        desk.leases.holder(token)
    other, _ = await desk.register(wallet=0x22)  # the name is free before anybody has swept
    assert desk.leases.at("demo.localhost") is other


async def test_the_sweep_ends_what_has_expired_and_nothing_else(desk: Desk) -> None:
    lease, _ = await desk.register(ttl=60, tcp_enabled=True)
    stays, _ = await desk.register("stays", ttl=600)
    desk.clock.advance(61)
    await desk.leases.sweep()
    assert desk.leases.all() == [stays]
    assert sessions(lease).closed
    assert desk.plane.tcp.listening == {}
    assert desk.said()[-1] == "LeaseEnded expired"


async def test_registering_again_replaces_the_lease(desk: Desk) -> None:
    first, _ = await desk.register()
    desk.clock.advance(5)
    second, token = await desk.register(metadata=Metadata("new"))
    assert second.id != first.id
    assert desk.leases.all() == [second]
    assert desk.leases.holder(token) is second
    assert sessions(first).closed
    assert not sessions(second).closed
    assert second.first_seen_at == first.first_seen_at
    assert second.traffic is first.traffic
    assert desk.said() == ["LeaseBegan", "LeaseEnded replaced", "LeaseBegan"]


async def test_a_name_belongs_to_whoever_has_it(desk: Desk) -> None:
    await desk.register()
    desk.plane.apps.add("app")
    for name, wallet in (("demo", 0x22), ("app", 0x11)):
        with pytest.raises(HostnameConflict):
            await desk.register(name, wallet)
    await desk.register("other")  # the same wallet may have several names


async def test_a_hidden_name_is_nobody_else_s_either(desk: Desk) -> None:
    await desk.register(route_hostname="ech-abc.localhost")
    with pytest.raises(HostnameConflict):
        await desk.register("ech-abc", 0x22)
    with pytest.raises(HostnameConflict):
        await desk.register("other", 0x22, route_hostname="ech-abc.localhost")


async def test_an_old_token_stays_good_after_a_renewal_and_a_fresh_one_is_given(desk: Desk) -> None:
    lease, old = await desk.register(ttl=60)  # relay L.21
    desk.clock.advance(30)
    renewed, fresh = await desk.leases.renew(old, 90)
    assert renewed is lease
    assert lease.expires_at - desk.clock.now() == timedelta(seconds=90)
    assert desk.leases.holder(old) is desk.leases.holder(fresh) is lease
    desk.clock.advance(30)
    with pytest.raises(TokenRefused):  # its time is over, the lease's is not
        desk.leases.holder(old)
    assert desk.leases.holder(fresh) is lease


async def test_a_token_of_an_earlier_lease_does_not_open_its_successor(desk: Desk) -> None:
    _, stale = await desk.register(ttl=600)  # relay L.21
    _, fresh = await desk.register(ttl=600)
    for use in (desk.leases.renew, desk.leases.unregister):
        with pytest.raises(LeaseNotFound):
            await use(stale)
    desk.leases.holder(fresh)
    await desk.leases.unregister(fresh)
    await desk.register(ttl=600)
    with pytest.raises(LeaseNotFound):
        desk.leases.holder(fresh)


async def test_a_good_token_whose_lease_is_gone_is_told_to_register_again(desk: Desk) -> None:
    _, token = await desk.register(ttl=60)  # relay L.16
    desk.clock.advance(3600)
    await desk.leases.sweep()
    with pytest.raises(LeaseNotFound):
        await desk.leases.renew(token)


async def test_a_renewal_replaces_what_is_said_where_it_says_something(desk: Desk) -> None:
    lease, token = await desk.register(metadata=Metadata("first"))
    _, token = await desk.leases.renew(token)
    assert lease.metadata == Metadata("first")
    assert desk.said() == ["LeaseBegan"]
    await desk.leases.renew(token, metadata=Metadata("second"), reported_ip=" 2001:DB8::1 ")
    assert (lease.metadata, lease.reported_ip) == (Metadata("second"), "2001:db8::1")
    await desk.leases.renew(token, reported_ip="fe80::1%" + "x" * 50)  # longer than its column, with the zone
    assert lease.reported_ip == "fe80::1"
    assert desk.said() == ["LeaseBegan", "LeaseChanged"]


async def test_unregistering_frees_the_name_at_once(desk: Desk) -> None:
    lease, token = await desk.register(udp_enabled=True)
    await desk.leases.unregister(token)
    assert desk.plane.udp.listening == {}
    assert sessions(lease).closed
    assert desk.said()[-1] == "LeaseEnded unregistered"
    await desk.register(wallet=0x22)


async def test_leases_outlive_a_restart_with_their_ports_and_tokens(desk: Desk) -> None:
    lease, token = await desk.register(  # relay L.16
        tcp_enabled=True, udp_enabled=True, metadata=Metadata("d", tags=("a", "b"), hide=True), owner="usr_1"
    )
    hidden, _ = await desk.register("hidden", route_hostname="ech-abc.localhost")
    await desk.leases.renew(token, 600, reported_ip="192.0.2.9")
    await desk.leases.close()
    assert desk.plane.tcp.listening == desk.plane.udp.listening == {}

    after = desk.plane.another()
    await after.load()
    found = after.holder(token)
    assert found is not lease
    for name in ("id", "identity", "hostname", "metadata", "expires_at", "owner_id", "tcp_port", "udp_port"):
        assert getattr(found, name) == getattr(lease, name), name
    assert (found.reported_ip, found.client_ip) == ("192.0.2.9", HERE)
    assert desk.plane.tcp.listening == {lease.id: FIRST}
    again = after.at("ech-abc.localhost")
    assert again is not None
    assert again.id == hidden.id


async def test_what_expired_while_the_relay_was_down_is_gone(desk: Desk) -> None:
    await desk.register(ttl=60, tcp_enabled=True)
    await desk.leases.close()
    desk.clock.advance(61)
    after = desk.plane.another()
    await after.load()
    assert after.all() == []
    assert desk.plane.tcp.listening == {}


async def test_a_lease_whose_port_is_lost_over_a_restart_has_to_be_registered_anew(desk: Desk) -> None:
    _, token = await desk.register(tcp_enabled=True, udp_enabled=True)
    await desk.leases.close()
    desk.plane.tcp.taken.add(FIRST)
    after = desk.plane.another()
    await after.load()
    with pytest.raises(LeaseNotFound):
        after.holder(token)
    assert desk.plane.udp.listening == {}


async def test_an_identity_keeps_its_ports_when_it_registers_again(desk: Desk) -> None:
    first, _ = await desk.register(tcp_enabled=True, udp_enabled=True)
    second, _ = await desk.register(tcp_enabled=True, udp_enabled=True)
    assert (second.tcp_port, second.udp_port) == (FIRST, FIRST)
    assert desk.plane.tcp.listening == desk.plane.udp.listening == {second.id: FIRST}
    third, token = await desk.register(udp_enabled=True)
    assert desk.plane.tcp.listening == {}
    await desk.leases.unregister(token)
    other, _ = await desk.register("other", tcp_enabled=True)
    assert other.tcp_port == FIRST + 1  # the first one waits
    again, _ = await desk.register(tcp_enabled=True)
    assert again.tcp_port == FIRST
    assert first.id != third.id


async def test_no_port_leaks_when_there_is_one_of_udp_and_none_of_tcp(desk: Desk) -> None:
    for number in range(3):  # relay L.14
        await desk.register(f"t{number}", tcp_enabled=True)
    for _ in range(10):
        with pytest.raises(TcpPortExhausted):
            await desk.register("both", tcp_enabled=True, udp_enabled=True)
    assert desk.plane.udp.listening == {}
    assert desk.leases.ports.udp.taken == 0
    assert desk.leases.of(desk.request("both").identity.key) is None


async def test_no_udp_port_is_a_code_of_its_own(desk: Desk) -> None:
    for number in range(3):
        await desk.register(f"u{number}", udp_enabled=True)
    with pytest.raises(UdpPortExhausted):
        await desk.register("one-more", udp_enabled=True)


async def test_a_port_that_somebody_else_has_is_passed_over(desk: Desk) -> None:
    desk.plane.tcp.taken.add(FIRST)  # relay L.14
    lease, _ = await desk.register(tcp_enabled=True)
    assert lease.tcp_port == FIRST + 1
    desk.plane.tcp.taken |= {FIRST + 1, FIRST + 2}
    moved, token = await desk.register("other", 0x22, udp_enabled=True)
    with pytest.raises(TcpPortExhausted):
        await desk.register("other", 0x22, udp_enabled=True, tcp_enabled=True)
    assert desk.leases.holder(token) is moved  # what it had, it has
    assert desk.plane.udp.listening == {moved.id: FIRST}


async def test_a_port_that_is_lost_in_passing_it_on_is_replaced(desk: Desk) -> None:
    await desk.register(tcp_enabled=True)  # relay L.14
    desk.plane.tcp.taken.add(FIRST)
    lease, _ = await desk.register(tcp_enabled=True)
    assert lease.tcp_port == FIRST + 1
    await desk.leases.close()
    after = desk.plane.another()
    await after.load()
    assert [one.tcp_port for one in after.all()] == [FIRST + 1]


async def test_where_no_port_is_left_to_pass_on_the_lease_ends_and_nothing_leaks(desk: Desk) -> None:
    await desk.register(tcp_enabled=True, udp_enabled=True)  # relay L.14
    desk.plane.tcp.taken |= {FIRST, FIRST + 1, FIRST + 2}
    with pytest.raises(TcpPortExhausted):
        await desk.register(tcp_enabled=True, udp_enabled=True)
    assert desk.leases.all() == []
    assert desk.plane.udp.listening == desk.plane.tcp.listening == {}
    assert desk.leases.ports.udp.taken == desk.leases.ports.tcp.taken == 0
    after = desk.plane.another()
    await after.load()
    assert after.all() == []


async def test_a_lease_that_cannot_be_written_is_none_and_keeps_no_port(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, token = await desk.register("kept", tcp_enabled=True)

    async def full(*_given: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("homeport.relay.store.save", full)
    for request in (desk.request(tcp_enabled=True), desk.request("kept", tcp_enabled=True, udp_enabled=True)):
        with pytest.raises(OSError, match="no space"):
            await desk.leases.register(request, address=HERE)
    assert desk.leases.all() == [first]
    assert desk.leases.holder(token) is first
    assert desk.plane.tcp.listening == {first.id: FIRST}
    assert desk.plane.udp.listening == {}
    assert desk.leases.ports.tcp.taken == 1
    assert not sessions(first).closed


async def test_a_renewal_that_cannot_be_written_did_not_happen(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    lease, token = await desk.register(ttl=60)
    before = lease.expires_at

    async def full(*_given: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("homeport.relay.store.save_renewed", full)
    desk.clock.advance(10)
    with pytest.raises(OSError, match="no space"):
        await desk.leases.renew(token, 60, Metadata("new"))
    assert (lease.expires_at, lease.metadata) == (before, Metadata())


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"hop_token": "hpt_1"}, FeatureUnavailable),
        ({"route_hostname": "ech-a.localhost", "tcp_enabled": True}, TransportMismatch),
        ({"route_hostname": "ech-a.localhost", "udp_enabled": True}, TransportMismatch),
        ({"hostname_hash": "x"}, InvalidRequest),
        ({"ech_config_list": b"x"}, InvalidRequest),
        ({"route_hostname": "elsewhere.example.org"}, InvalidRequest),
    ],
)
async def test_what_cannot_be_had_is_refused(desk: Desk, more: dict[str, Any], problem: type[Problem]) -> None:
    with pytest.raises(problem):
        await desk.register(**more)
    assert desk.leases.all() == []


async def test_ports_that_the_relay_does_not_have_are_unavailable(desk: Desk) -> None:
    desk.plane.tcp.configured = desk.plane.udp.configured = False
    with pytest.raises(FeatureUnavailable):
        await desk.register(tcp_enabled=True)
    with pytest.raises(FeatureUnavailable):
        await desk.register(udp_enabled=True)


async def test_policy_decides_on_ports(desk: Desk) -> None:
    policy = desk.plane.policy
    await policy.set_udp(PortPolicy(False))
    await policy.set_tcp_port(PortPolicy(False))
    with pytest.raises(UdpDisabled):
        await desk.register(udp_enabled=True)
    with pytest.raises(TcpPortDisabled):
        await desk.register(tcp_enabled=True)
    await policy.set_udp(PortPolicy(True, 1))
    await policy.set_tcp_port(PortPolicy(True, 1))
    await desk.register(udp_enabled=True, tcp_enabled=True)
    await desk.register(udp_enabled=True, tcp_enabled=True)  # its own lease does not count against it
    with pytest.raises(UdpCapacityExceeded):
        await desk.register("other", udp_enabled=True)
    with pytest.raises(TcpPortCapacityExceeded):
        await desk.register("other", tcp_enabled=True)


async def test_banned_addresses_and_identities_register_nothing(desk: Desk) -> None:
    lease, token = await desk.register(address="198.51.100.7")
    await desk.plane.policy.ban_network("192.0.2.0/24")
    with pytest.raises(IpBanned):
        await desk.register("other")
    await desk.plane.policy.ban(lease.key)  # relay L.12
    with pytest.raises(LeaseRejected):
        await desk.register(address="198.51.100.7")
    with pytest.raises(LeaseRejected):
        await desk.leases.renew(token)


async def test_who_is_signed_in_waits_for_no_approval(database: Database, tmp_path: Path) -> None:
    desk = await opened(database, tmp_path, relay_approval="manual")
    lease, _ = await desk.register()
    assert not desk.plane.policy.routable(lease.key)
    owned, _ = await desk.register("mine", owner="usr_1")
    assert desk.plane.policy.routable(owned.key)
    assert owned.owner_id == "usr_1"
    again, _ = await desk.register("mine")
    assert again.owner_id == "usr_1"  # who has the key may go on without the account
    await desk.plane.policy.deny(owned.key)
    await desk.register("mine", owner="usr_1")
    assert not desk.plane.policy.routable(owned.key)


async def test_an_address_has_only_so_many_leases(database: Database, tmp_path: Path) -> None:
    desk = await opened(database, tmp_path, relay_leases_per_address=2)  # relay L.2
    _, token = await desk.register("t0", address="2001:db8::1")
    await desk.register("t1", address="2001:db8::2")  # of the same network
    with pytest.raises(RateLimited):
        await desk.register("t2", address="2001:db8::3")
    await desk.register("t1", address="2001:db8::3")  # what it has, it may register again
    await desk.register("t2", address="2001:db8:1::1")
    await desk.register("t3", address="2001:db8::3", owner="usr_1")
    await desk.plane.policy.approve(desk.request("known").identity.key)
    await desk.register("known", address="2001:db8::3")
    await desk.leases.unregister(token)
    await desk.leases.close()
    after = desk.plane.another()
    await after.load()
    await after.register(desk.request("t4"), address="2001:db8::4")
    with pytest.raises(RateLimited):
        await after.register(desk.request("t5"), address="2001:db8::4")


async def test_the_relay_has_only_so_many_leases(database: Database, tmp_path: Path) -> None:
    desk = await opened(database, tmp_path, relay_leases=2)  # relay L.2
    await desk.register("t0")
    await desk.register("t1")
    with pytest.raises(RateLimited):
        await desk.register("t2", owner="usr_1")
    await desk.register("t1")


async def test_a_lease_that_ended_is_not_ended_again(desk: Desk) -> None:
    lease, token = await desk.register()
    await desk.leases.unregister(token)
    await desk.leases.end(lease)
    successor, _ = await desk.register()
    await desk.leases.end(replace(lease))
    assert desk.leases.all() == [successor]
    assert desk.said() == ["LeaseBegan", "LeaseEnded unregistered", "LeaseBegan"]


async def test_a_holder_is_found_in_microseconds(desk: Desk) -> None:
    tokens = [(await desk.register(f"t{number}"))[1] for number in range(20)]
    began = time.process_time()
    for _ in range(100):
        for token in tokens:
            desk.leases.holder(token)
    assert (time.process_time() - began) / 2000 < 0.0001  # a few where nothing else runs


async def test_of_many_who_want_a_name_at_once_one_gets_it(desk: Desk) -> None:
    wishes = [desk.register(wallet=number, tcp_enabled=True) for number in range(1, 9)]
    got = [one for one in await asyncio.gather(*wishes, return_exceptions=True) if isinstance(one, tuple)]
    assert len(got) == 1
    assert desk.leases.all() == [got[0][0]]
    assert len(desk.plane.tcp.listening) == 1


async def test_an_identity_that_registers_many_times_at_once_has_one_lease(desk: Desk) -> None:
    tokens = [token for _, token in await asyncio.gather(*(desk.register(tcp_enabled=True) for _ in range(8)))]
    assert len(desk.leases.all()) == 1
    assert list(desk.plane.tcp.listening.values()) == [FIRST]
    good = []
    for token in tokens:
        with contextlib.suppress(LeaseNotFound):
            good.append(desk.leases.holder(token))
    assert good == desk.leases.all()
