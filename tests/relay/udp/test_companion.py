"""Datagrams along with an agent's lease: what people are told of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from homeport.relay.agent import udp
from homeport.relay.agent.held import Held
from homeport.relay.agent.problems import RelayRefused
from homeport.relay.agent.targets import TcpTarget
from homeport.relay.agent.udp_companion import UdpCompanion
from homeport.testing.waiting import eventually
from tests.relay.udp.conftest import Target, UdpRelay, Visitor


def held(relay: UdpRelay, *, udp_enabled: bool = True) -> Held:
    return Held(
        relay.as_known, "7", "game.relay.test", "t1", relay.clock.now() + timedelta(minutes=2),
        sni_port=relay.place.port, udp_enabled=udp_enabled,
    )  # fmt: skip


async def test_its_bytes_count_as_the_tunnels(relay: UdpRelay, target: Target) -> None:
    _, port = await relay.lease("game", "t1")
    companion = UdpCompanion(TcpTarget("127.0.0.1", target.port), relay.clock)
    told: list[None] = []
    given = held(relay)
    task = asyncio.create_task(companion.run(given, lambda: told.append(None)))
    await eventually(lambda: relay.ports.connected(relay.leases["t1"]), 20)
    assert await Visitor(port).asks(b"hello") == b"hello"
    traffic = companion.traffic(given.relay.url)
    assert (traffic.received, traffic.sent, traffic.connections, traffic.open) == (5, 5, 1, 1)
    assert companion.warning(given.relay.url) == ""
    assert told
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert traffic.open == 0


async def test_a_network_without_udp_is_a_warning(relay: UdpRelay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "DIAL_SECONDS", 2.0)  # also for TLS, which answers
    companion = UdpCompanion(TcpTarget("127.0.0.1", 9), relay.clock)
    told: list[str] = []
    given = held(relay)  # nobody has a lease with UDP: QUIC is not listened for
    task = asyncio.create_task(companion.run(given, lambda: told.append(companion.warning(given.relay.url))))
    await eventually(lambda: told, 20)
    assert "does a firewall keep UDP out?" in told[0]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert companion.warning(given.relay.url) == ""


async def test_a_relay_that_gave_no_udp_is_refused(relay: UdpRelay) -> None:
    companion = UdpCompanion(TcpTarget("127.0.0.1", 9), relay.clock)
    with pytest.raises(RelayRefused, match="gave the tunnel no UDP port"):
        await companion.run(held(relay, udp_enabled=False), lambda: None)
