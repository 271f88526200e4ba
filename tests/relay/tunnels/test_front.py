"""What the first request of a connection decides, however its bytes are cut; and the transport that others get."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any, cast

import pytest

from homeport.kit.problems import Problem
from homeport.relay.lease import Lease
from homeport.relay.problems import TokenRefused
from homeport.relay.tunnels.connect import Connector
from homeport.relay.tunnels.front import Front, FrontConnection
from homeport.relay.tunnels.raw_http import RawRoute, response
from homeport.testing.clock import ManualClock
from homeport.testing.waiting import eventually
from homeport.testing.wires import Peer, Wires
from homeport.wire.client_hello import ClientHello
from homeport.wire.http_head import RequestHead

CONNECT = b"GET /sdk/connect HTTP/1.1\r\nHost: localhost:4017\r\nX-Portal-Access-Token: good\r\n\r\n"
SIGN = b"POST /v1/sign HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"


class App(asyncio.Protocol):
    """The application's side: remembers what it got, and says what it is told to."""

    def __init__(self) -> None:
        self.received = b""
        self.transport: asyncio.Transport
        self.ended = False
        self.eof = False
        self.writes_paused = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.received += data

    def eof_received(self) -> bool:
        self.eof = True
        return False

    def pause_writing(self) -> None:
        self.writes_paused += 1

    def resume_writing(self) -> None:
        self.writes_paused -= 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True


class OneLease:
    """Leases and a policy that know one token, and refuse nobody."""

    def __init__(self, wires: Wires) -> None:
        self._wires = wires

    def holder(self, token: str) -> Lease:
        if token != "good":
            raise TokenRefused("An access token is required.")
        return self._wires.lease

    def routable(self, _key: str) -> bool:
        return True

    def require_address(self, _address: str) -> None:
        """Everybody may come."""


class Setting:
    """A front with a connection of an agent."""

    def __init__(self, wires: Wires) -> None:
        self.wires = wires
        self.apps: list[App] = []
        self.asked: list[bytes] = []
        known = cast(Any, OneLease(wires))
        connector = Connector(known, known, ManualClock())
        self.front = Front(
            cast(Any, None),
            lambda _hello: wires.context,
            self._app,
            connector,
            {b"/v1/sign": RawRoute(16, self._sign), b"/later": RawRoute(16, self._later)},
        )

    def _app(self, _name: str | None) -> App:
        self.apps.append(App())
        return self.apps[-1]

    def _sign(self, head: RequestHead, body: bytes, address: str) -> bytes:
        self.asked.append(body)
        return response(200, b"signed " + body + address.encode())

    def _later(self, _head: RequestHead, body: bytes, _address: str) -> Awaitable[bytes]:
        async def answer() -> bytes:
            await asyncio.sleep(0.05)
            return response(200, b"late")

        return answer()

    async def agent(self) -> Peer:
        peer, stream = await self.wires.stream()
        FrontConnection(self.front, stream, "192.0.2.1", "localhost").begin()
        return peer


@pytest.fixture
async def setting(wires: Wires) -> AsyncIterator[Setting]:
    made = Setting(wires)
    yield made
    made.front.close()
    for app in made.apps:
        app.transport.abort()
    await asyncio.sleep(0.01)


async def send_cut(peer: Peer, data: bytes, size: int) -> None:
    for at in range(0, len(data), size):
        peer.writer.write(data[at : at + size])
        await peer.writer.drain()
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_a_session_begins_with_exactly_these_bytes(setting: Setting, size: int) -> None:  # R06, relay C.4
    agent = await setting.agent()
    await send_cut(agent, CONNECT, size)
    expected = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"
    assert await agent.read(len(expected)) == expected
    await eventually(lambda: setting.wires.sessions.ready == 1)
    assert not setting.front.connections
    assert setting.apps == []


async def test_who_is_refused_may_try_again_on_the_same_connection(setting: Setting) -> None:  # R06
    agent = await setting.agent()
    agent.writer.write(CONNECT.replace(b"good", b"bad"))
    head = await asyncio.wait_for(agent.reader.readuntil(b"\r\n\r\n"), 5)
    assert head.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    body = await asyncio.wait_for(agent.reader.readline(), 5)
    assert b'"code":"unauthorized"' in body
    agent.writer.write(CONNECT)
    assert (await agent.read(15)) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_short_answers_come_on_a_kept_connection(setting: Setting, size: int) -> None:
    agent = await setting.agent()
    await send_cut(agent, SIGN * 3, size)
    for _ in range(3):
        head = await asyncio.wait_for(agent.reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert await agent.read(21) == b"signed hello192.0.2.1"
    assert setting.asked == [b"hello"] * 3


async def test_answers_that_take_time_come_in_order(setting: Setting) -> None:
    agent = await setting.agent()
    agent.writer.write(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n" + SIGN)
    first = await asyncio.wait_for(agent.reader.readuntil(b"late"), 5)
    assert first.startswith(b"HTTP/1.1 200 OK")
    assert b"signed hello" in await asyncio.wait_for(agent.reader.readuntil(b"192.0.2.1"), 5)


async def test_a_body_that_is_too_long_is_refused_before_it_comes(setting: Setting) -> None:
    agent = await setting.agent()
    agent.writer.write(SIGN.replace(b"Content-Length: 5", b"Content-Length: 17"))
    assert (await agent.read_all()).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /sdk/connected HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /v1/sign HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /sdk/connect HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        b"GET /v1/sign HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /" + b"x" * 200 + b" HTTP/1.1\r\n\r\n",
        b"\x00\x01garbage\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
@pytest.mark.parametrize("size", [1, 4096])
async def test_everything_else_is_the_applications_to_the_last_byte(setting: Setting, first: bytes, size: int) -> None:
    agent = await setting.agent()
    await send_cut(agent, first, size)
    agent.writer.write(b" and more")
    await eventually(lambda: bool(setting.apps) and setting.apps[0].received == first + b" and more")
    setting.apps[0].transport.write(b"answer")
    assert await agent.read(6) == b"answer"


async def test_after_a_short_answer_the_application_may_be_asked(setting: Setting) -> None:
    agent = await setting.agent()
    agent.writer.write(SIGN + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.wait_for(agent.reader.readuntil(b"192.0.2.1"), 5)
    await eventually(lambda: bool(setting.apps) and setting.apps[0].received.startswith(b"GET / "))


async def test_a_transport_stops_who_writes_and_who_sends_too_much(setting: Setting) -> None:
    agent = await setting.agent()
    agent.writer.write(b"GET / HTTP/1.1\r\n\r\n")
    await eventually(lambda: bool(setting.apps) and bool(setting.apps[0].received))
    app = setting.apps[0]
    app.transport.write(bytes(16 << 20))
    assert app.writes_paused == 1
    assert app.transport.get_write_buffer_size() > 0
    assert len(await agent.read(16 << 20)) == 16 << 20
    await eventually(lambda: app.writes_paused == 0)
    app.transport.pause_reading()
    got = len(app.received)
    agent.writer.write(b"x" * 100_000)
    await asyncio.sleep(0.1)
    assert len(app.received) == got
    app.transport.resume_reading()
    await eventually(lambda: len(app.received) == got + 100_000)


async def test_a_transport_closes_after_its_last_byte_whatever_the_peer_still_sends(setting: Setting) -> None:
    agent = await setting.agent()
    agent.writer.write(b"GET / HTTP/1.1\r\n\r\n")
    await eventually(lambda: bool(setting.apps) and bool(setting.apps[0].received))
    app = setting.apps[0]
    for _ in range(20):
        agent.writer.write(b"upload" * 10_000)
    app.transport.write(b"refused" * 1000)
    app.transport.close()
    assert app.transport.is_closing()
    assert await agent.read_all() == b"refused" * 1000
    await eventually(lambda: app.ended)


async def test_a_transport_hears_the_peers_end(setting: Setting) -> None:
    agent = await setting.agent()
    agent.writer.write(b"GET / HTTP/1.1\r\n\r\n")
    agent.writer.close()
    await eventually(lambda: bool(setting.apps) and setting.apps[0].ended)
    assert setting.apps[0].eof


async def test_a_transport_hears_a_reset_that_came_along_with_bytes(setting: Setting) -> None:
    agent = await setting.agent()
    agent.writer.write(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n")
    await eventually(lambda: bool(setting.apps) and bool(setting.apps[0].received))
    agent.reset(b"\x17\x03\x03\x00\x20")  # the beginning of a record
    await eventually(lambda: setting.apps[0].ended)


async def test_an_aborted_transport_is_gone(setting: Setting) -> None:
    agent = await setting.agent()
    agent.writer.write(b"GET / HTTP/1.1\r\n\r\n")
    await eventually(lambda: bool(setting.apps) and bool(setting.apps[0].received))
    setting.apps[0].transport.abort()
    setting.apps[0].transport.write(b"nobody reads this")
    assert await agent.read_all() == b""
    await eventually(lambda: setting.apps[0].ended)


async def test_browsers_go_their_own_way(wires: Wires) -> None:
    seen: list[ClientHello] = []

    class Usual:
        async def handle(self, _sock: Any, _address: Any, hello: ClientHello, /) -> None:
            seen.append(hello)

    front = Front(Usual(), lambda _hello: wires.context, lambda _name: App(), cast(Any, None), {})
    await front.handle(cast(Any, None), ("192.0.2.1", 1), ClientHello("localhost", ("h2", "http/1.1")))
    assert [hello.alpn for hello in seen] == [("h2", "http/1.1")]


def test_problems_have_the_codes_that_clients_know() -> None:
    assert issubclass(TokenRefused, Problem)
    assert (TokenRefused.status, TokenRefused.code) == (403, "unauthorized")
