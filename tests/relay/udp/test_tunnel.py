"""UDP from a visitor through the relay to a target behind the agent and back, over real QUIC (relay C.8, L.12-L.14)."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from homeport.relay.agent.relays import Relay, client_context
from homeport.relay.agent.targets import TcpTarget
from homeport.relay.agent.udp import UdpTunnel
from homeport.relay.token_bucket import TokenBucket
from homeport.relay.udp import quic
from homeport.testing.certificates import TestAuthority
from homeport.testing.waiting import eventually
from tests.relay.udp.conftest import Target, UdpRelay, Visitor


async def test_datagrams_go_there_and_back_word_for_word(relay: UdpRelay, target: Target) -> None:
    lease, port = await relay.lease("game", "t1")
    tunnel = await relay.connected("t1", target.port)
    visitor = Visitor(port)
    for data in (b"hello", b"", b"\x00" * 1200, bytes(range(256))):
        assert await visitor.asks(data) == data
    assert (lease.traffic.received, lease.traffic.sent, lease.traffic.connections) == (1461, 1461, 1)
    assert (tunnel.traffic.received, tunnel.traffic.sent, tunnel.traffic.connections) == (1461, 1461, 1)


async def test_each_visitor_has_a_socket_of_its_own_at_the_target(relay: UdpRelay, target: Target) -> None:
    _, port = await relay.lease("game", "t1")
    await relay.connected("t1", target.port)
    one, two = Visitor(port), Visitor(port)
    assert await one.asks(b"one") == b"one"
    assert await two.asks(b"two") == b"two"
    assert await one.asks(b"one again") == b"one again"
    addresses = [address for _, address in target.heard]
    assert addresses[0] == addresses[2] != addresses[1]


async def test_a_datagram_too_large_for_the_tunnel_is_dropped_whole_and_counted(
    relay: UdpRelay, target: Target
) -> None:
    lease, port = await relay.lease("game", "t1")
    tunnel = await relay.connected("t1", target.port)
    visitor = Visitor(port)
    for size in (1201, 1350, 1400, 9000):
        visitor.send(b"x" * size)
    assert await visitor.asks(b"after") == b"after"  # what follows is not held up
    assert [data for data, _ in target.heard] == [b"after"]
    assert relay.ports.dropped(lease) == 4
    target.say(b"y" * 1400, target.heard[0][1])
    target.say(b"small", target.heard[0][1])
    assert await visitor.recv() == b"small"
    assert tunnel.dropped == 1


async def test_an_answer_to_a_visitor_who_never_came_goes_nowhere(relay: UdpRelay, target: Target) -> None:
    # relay L.13
    lease, port = await relay.lease("game", "t1")
    await relay.connected("t1", target.port)
    target.echoes = False
    visitor = Visitor(port)
    visitor.send(b"hello")
    await eventually(lambda: target.heard)
    target.say(b"a" * 1200, target.heard[0][1])
    assert len(await visitor.recv()) == 1200
    for _ in range(20):  # the visitor has not said anything since
        target.say(b"a" * 1200, target.heard[0][1])
    await eventually(lambda: relay.ports.dropped(lease) == 18)
    assert lease.traffic.sent == 3 * 1200


@pytest.mark.parametrize("bind", ["0.0.0.0", "::"])
async def test_an_answer_comes_from_the_address_that_was_asked(relay: UdpRelay, target: Target, bind: str) -> None:
    relay.place.bind = bind
    _, port = await relay.lease("game", "t1")
    await relay.connected("t1", target.port)
    visitor = Visitor(port, "127.0.0.1", at="127.0.0.9")  # its socket hears nobody else
    assert await visitor.asks(b"hello") == b"hello"
    again = Visitor(port)
    assert await again.asks(b"hello") == b"hello"


async def test_nobody_is_there_before_the_agent_is(relay: UdpRelay, target: Target) -> None:
    lease, port = await relay.lease("game", "t1")
    visitor = Visitor(port)
    visitor.send(b"too early")
    await eventually(lambda: relay.ports.dropped(lease) == 1)
    assert not relay.ports.connected(lease)
    await relay.connected("t1", target.port)
    assert relay.ports.connected(lease)
    assert await visitor.asks(b"now") == b"now"


async def test_a_banned_address_is_not_heard_and_not_answered(relay: UdpRelay, target: Target) -> None:
    # relay L.12
    lease, port = await relay.lease("game", "t1")
    await relay.connected("t1", target.port)
    good, bad = Visitor(port), Visitor(port, "127.0.0.2")
    assert await bad.asks(b"while I may") == b"while I may"
    relay.rules.banned.add("127.0.0.2")
    target.say(b"late answer", target.heard[0][1])
    bad.send(b"and now?")
    assert await good.asks(b"others may") == b"others may"
    assert await bad.hears_nothing()
    assert relay.ports.dropped(lease) == 2


async def test_a_lease_that_is_no_longer_approved_carries_nothing(relay: UdpRelay, target: Target) -> None:
    # relay L.12
    lease, port = await relay.lease("game", "t1")
    await relay.connected("t1", target.port)
    visitor = Visitor(port)
    assert await visitor.asks(b"hello") == b"hello"
    relay.rules.rejected.add(lease.key)
    visitor.send(b"anybody?")
    target.say(b"late answer", target.heard[0][1])
    assert await visitor.hears_nothing()


async def test_cutting_a_leases_bridges_ends_its_agents_connection(relay: UdpRelay, target: Target) -> None:
    # relay L.12: a ban ends what is open
    lease, _ = await relay.lease("game", "t1")
    tunnel = await relay.connected("t1", target.port)
    relay.rules.rejected.add(lease.key)
    for bridge in list(lease.bridges):
        bridge.cut()
    await eventually(lambda: tunnel.state == "offline")
    assert "lease_rejected" in tunnel.error
    assert not lease.bridges


async def test_an_approval_that_comes_later_is_found_by_trying_again(relay: UdpRelay, target: Target) -> None:
    lease, port = await relay.lease("game", "t1")
    relay.rules.rejected.add(lease.key)
    tunnel = relay.tunnel("t1", target.port)
    await eventually(lambda: "lease_rejected" in tunnel.error)
    relay.rules.rejected.clear()
    await eventually(lambda: tunnel.state == "online", 20)
    assert tunnel.error == ""
    assert await Visitor(port).asks(b"hello") == b"hello"


async def test_what_exceeds_the_limit_of_bytes_is_dropped(relay: UdpRelay, target: Target) -> None:
    # relay L.13
    relay.rules.limit = TokenBucket(10_000, time.monotonic())
    lease, port = await relay.lease("game", "t1")
    await relay.connected("t1", target.port)
    target.echoes = False
    visitor = Visitor(port)
    began = time.monotonic()
    for _ in range(300):
        visitor.send(b"x" * 1000)
    await eventually(lambda: len(target.heard) + relay.ports.dropped(lease) >= 300)
    assert lease.traffic.received <= 10_000 * (time.monotonic() - began + 1) + 2000
    assert relay.ports.dropped(lease) >= 200


async def test_a_newer_connection_of_the_lease_replaces_the_older(relay: UdpRelay, target: Target) -> None:
    _, port = await relay.lease("game", "t1")
    older = await relay.connected("t1", target.port)
    newer = await relay.connected("t1", target.port)
    await eventually(lambda: "replaced" in older.error)
    assert newer.state == "online"
    relay.stops(older)  # it would come back in a second, and replace the newer one
    assert await Visitor(port).asks(b"hello") == b"hello"


async def test_a_lease_that_ends_closes_its_port_and_tells_its_agent(relay: UdpRelay, target: Target) -> None:
    # relay L.14: the port is free again at once
    lease, port = await relay.lease("game", "t1")
    tunnel = await relay.connected("t1", target.port)
    del relay.leases["t1"]
    await relay.ports.close(lease)
    await eventually(lambda: tunnel.state == "stopped", 20)
    await relay.ports.close(lease)  # nothing happens
    lease.id = "lse_again"
    await relay.ports.open(lease, port)


async def test_a_port_that_somebody_has_is_an_error_and_leaves_nothing_behind(relay: UdpRelay, target: Target) -> None:
    # relay L.14
    lease, _ = await relay.lease("game", "t1")
    lease.id = "lse_other"
    with pytest.raises(OSError, match="in use"):
        await relay.ports.open(lease, target.port)
    assert not relay.ports.connected(lease)


async def test_a_target_that_comes_back_is_reached_without_a_new_tunnel(relay: UdpRelay, target: Target) -> None:
    _, port = await relay.lease("game", "t1")
    await relay.connected("t1", target.port)
    visitor = Visitor(port)
    assert await visitor.asks(b"hello") == b"hello"
    target.close()
    visitor.send(b"gone")
    await asyncio.sleep(0.2)
    target.open()
    assert await visitor.asks(b"back") == b"back"


async def test_an_agent_that_loses_its_relay_connects_again(relay: UdpRelay, target: Target) -> None:
    lease, port = await relay.lease("game", "t1")
    tunnel = await relay.connected("t1", target.port)
    for bridge in list(lease.bridges):
        bridge.cut()
    await eventually(lambda: tunnel.state == "offline")
    await eventually(lambda: tunnel.state == "online", 20)
    assert await Visitor(port).asks(b"hello") == b"hello"


async def test_a_relay_that_died_without_a_word_is_noticed_by_its_silence(
    relay: UdpRelay, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quic, "KEEP_ALIVE", 0.5)
    await relay.lease("game", "t1")
    tunnel = await relay.connected("t1", target.port)
    await asyncio.sleep(1.2)
    assert tunnel.state == "online"  # pings are answered
    await relay.dies()
    await eventually(lambda: tunnel.state == "offline", 20)
    assert "silent" in tunnel.error
    await relay.lease("game", "t1")
    await eventually(lambda: tunnel.state == "online", 30)


async def test_who_was_held_up_takes_nobody_for_silent(
    relay: UdpRelay, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quic, "KEEP_ALIVE", 0.2)
    lease, _ = await relay.lease("game", "t1")
    tunnel = await relay.connected("t1", target.port)
    agent = relay.ports._ports[lease.id].agent
    assert isinstance(agent, quic.QuicPeer)
    for _ in range(4):
        await eventually(lambda: agent._pinged)
        time.sleep(0.5)  # noqa: ASYNC251 - the process gets no turn, and the answer comes meanwhile
        await asyncio.sleep(0.3)
    assert relay.ports._ports[lease.id].agent is agent
    assert tunnel.state == "online"


async def test_an_agent_that_died_without_a_word_is_let_go(
    relay: UdpRelay, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quic, "KEEP_ALIVE", 0.5)
    lease, _ = await relay.lease("game", "t1")
    await relay.connected("t1", target.port)
    agent = relay.ports._ports[lease.id].agent
    assert isinstance(agent, quic.QuicPeer)
    monkeypatch.setattr(agent, "datagram_received", lambda *_: None)
    await eventually(lambda: relay.ports._ports[lease.id].agent is not agent, 20)


async def test_a_relay_below_localhost_is_this_machine(relay: UdpRelay, target: Target) -> None:
    await relay.lease("game", "t1")
    known = Relay(f"https://relay.localhost:{relay.place.port}", client_context(relay.trusted))
    tunnel = UdpTunnel(known, relay.place.port, lambda: "t1", TcpTarget("127.0.0.1", target.port), relay.clock)
    task = asyncio.create_task(tunnel.run())
    await eventually(lambda: tunnel.state == "online", 20)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_relay_that_is_somebody_else_gets_no_token(relay: UdpRelay, target: Target) -> None:
    await relay.lease("game", "t1")
    other = TestAuthority().sign(["relay.test"], begins=datetime.now(UTC) - timedelta(hours=1))
    relay.pem = (other.key + other.cert).encode()  # QUIC shows it from the next connection on, TLS does not
    tunnel = relay.tunnel("t1", target.port)
    await eventually(lambda: "not that relay" in tunnel.error, 20)
    assert tunnel.state == "offline"
