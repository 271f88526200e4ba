"""What the relay answers to those who connect by QUIC (relay C.8)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

from homeport.relay.lease import Lease
from homeport.relay.udp import listener
from homeport.testing.waiting import eventually, within
from tests.relay.udp.conftest import UdpRelay


@contextlib.asynccontextmanager
async def quic(relay: UdpRelay, alpn: str = "portal-tunnel") -> AsyncIterator[QuicConnectionProtocol]:
    """A stranger's QUIC connection, made by aioquic alone."""
    given = QuicConfiguration(
        is_client=True, alpn_protocols=[alpn], verify_mode=ssl.CERT_NONE, max_datagram_frame_size=65535,
        server_name="relay.test",
    )  # fmt: skip
    async with connect("127.0.0.1", relay.place.port, configuration=given) as connection:
        yield connection


async def answer(relay: UdpRelay, message: bytes, *, end: bool = False) -> object:
    """What the relay says to this on the first stream."""
    async with quic(relay) as connection:
        reader, writer = await connection.create_stream()
        writer.write(message)
        if end:
            writer.write_eof()
        async with asyncio.timeout(15):
            said: object = json.loads(await reader.readline())
        return said


def hello(token: str) -> bytes:
    return json.dumps({"access_token": token}).encode() + b"\n"


def refusal(error: str) -> dict[str, object]:
    return {"ok": False, "error": error}


@pytest.fixture
async def lease(relay: UdpRelay) -> Lease:
    lease, _ = await relay.lease("game", "t1")
    return lease


@pytest.mark.usefixtures("lease")
async def test_the_holder_of_a_lease_hears_yes(relay: UdpRelay) -> None:
    assert await answer(relay, hello("t1")) == {"ok": True}


def ban_the_address(relay: UdpRelay, _: Lease) -> None:
    relay.rules.banned.add("127.0.0.1")


def reject_the_identity(relay: UdpRelay, lease: Lease) -> None:
    relay.rules.rejected.add(lease.key)


def take_the_port(relay: UdpRelay, lease: Lease) -> None:
    lease.id = "a lease without UDP"


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (hello("forged token"), "unauthorized"),
        (hello("of a lease that is gone"), "lease_not_found"),
        (b"{}\n", "invalid_request"),
        (b"hello\n", "invalid_control_message"),
    ],
)
@pytest.mark.usefixtures("lease")
async def test_others_hear_why_not(relay: UdpRelay, message: bytes, error: str) -> None:
    assert await answer(relay, message) == refusal(error)


@pytest.mark.parametrize(
    ("before", "error"), [(reject_the_identity, "lease_rejected"), (take_the_port, "transport_mismatch")]
)
async def test_a_lease_that_may_not_or_has_no_udp_hears_so(
    relay: UdpRelay, lease: Lease, before: Callable[[UdpRelay, Lease], None], error: str
) -> None:
    before(relay, lease)
    assert await answer(relay, hello("t1")) == refusal(error)


async def test_an_address_that_is_banned_meanwhile_is_rejected(relay: UdpRelay, lease: Lease) -> None:
    # relay L.12
    async with quic(relay) as connection:
        ban_the_address(relay, lease)
        reader, writer = await connection.create_stream()
        writer.write(hello("t1"))
        assert json.loads(await reader.readline()) == refusal("lease_rejected")


@pytest.mark.usefixtures("lease")
async def test_a_banned_address_gets_no_connection_at_all(relay: UdpRelay) -> None:
    # relay L.12
    relay.rules.banned.add("127.0.0.1")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.7), quic(relay):
            pytest.fail("it was let in")


@pytest.mark.usefixtures("lease")
async def test_a_refused_connection_is_closed_with_code_one(relay: UdpRelay) -> None:
    async with quic(relay) as connection:
        _, writer = await connection.create_stream()
        writer.write(hello("forged"))
        await within(10, connection.wait_closed())
        event = connection._quic._close_event
        assert event is not None
        assert (event.error_code, event.reason_phrase) == (1, "unauthorized")


@pytest.mark.usefixtures("lease")
async def test_another_protocol_than_the_tunnels_is_not_spoken(relay: UdpRelay) -> None:
    with pytest.raises(ConnectionError):
        async with asyncio.timeout(15), quic(relay, "h3"):
            pytest.fail("it was let in")


@pytest.mark.usefixtures("lease")
async def test_one_address_cannot_take_all_connections_that_say_nothing(
    relay: UdpRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "MOST_PENDING_PER_ADDRESS", 2)
    async with quic(relay), quic(relay):  # they are closed in ten seconds: nobody is let in meanwhile
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5), quic(relay):
                pytest.fail("it was let in")
    monkeypatch.setattr(listener, "CONTROL_SECONDS", 1.0)
    async with quic(relay) as one:
        await within(10, one.wait_closed())  # whoever says nothing is closed
    assert await answer(relay, hello("t1")) == {"ok": True}


async def test_a_relay_that_goes_closes_its_agents_connections(relay: UdpRelay, lease: Lease) -> None:
    async with quic(relay) as connection:
        reader, writer = await connection.create_stream()
        writer.write(hello("t1"))
        assert json.loads(await reader.readline()) == {"ok": True}
        await relay.ports.stop()
        await within(10, connection.wait_closed())
    await eventually(lambda: not relay.ports.connected(lease))


@pytest.mark.usefixtures("lease")
async def test_a_new_certificate_is_shown_from_the_next_connection_on(relay: UdpRelay) -> None:
    from datetime import UTC, datetime, timedelta

    from homeport.testing.certificates import TestAuthority

    shown = []
    for _ in range(2):
        async with quic(relay) as connection:
            certificate = connection._quic.tls._peer_certificate
            assert certificate is not None
            shown.append(certificate.serial_number)
        pair = TestAuthority().sign(["relay.test"], begins=datetime.now(UTC) - timedelta(hours=1))
        relay.pem = (pair.key + pair.cert).encode()
    assert shown[0] != shown[1]


class Nowhere(asyncio.DatagramTransport):
    """Nobody gets what is sent."""

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Lost, as datagrams may be."""


async def test_a_host_of_ipv6_is_one_stranger_however_many_addresses_it_has() -> None:  # it has 2^64
    strangers = listener.Listener(
        lambda _token, _address, _connection: "", lambda _port, _connection: None, lambda _address: False, lambda: b""
    )
    for number in range(listener.MOST_PENDING_PER_ADDRESS):
        state = QuicConnection(configuration=QuicConfiguration(is_client=True))
        state.connect(("2001:db8::1", 4433), now=0.0)
        agent = listener.AgentConnection(strangers, state)
        agent.connection_made(Nowhere())
        agent.datagram_received(b"", (f"2001:db8::{number + 1:x}", 4433, 0, 0))
    assert not strangers.takes("2001:db8::ffff")
    assert strangers.takes("2001:db8:0:1::1")
