"""Relays that mean harm: to the agent's memory, to its event loop, and to whoever reads what they say."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from typing import Any

import pytest

from homeport.kit.clock import SystemClock
from homeport.relay.agent import Relay, pool, relay_client, tunnel
from homeport.relay.agent.connection import Buffers, Connection
from homeport.relay.agent.identity import new_identity
from homeport.relay.agent.problems import RelayIncompatible, RelayUnreachable
from homeport.relay.agent.relay_client import RelayClient
from homeport.relay.agent.relays import client_context
from homeport.relay.agent.sessions import refusal
from homeport.relay.agent.tls import TlsEngine
from homeport.testing.fake_relay import FakeRelay, Refusal
from homeport.testing.waiting import Stopwatch, eventually
from tests.relay.agent.conftest import Serve, Start, echo, until

DEEP = b"[" * 8000


def _client(relay: FakeRelay) -> RelayClient:
    return RelayClient(Relay(relay.url, client_context(relay.ca_pem)), new_identity("demo"), SystemClock())


class Speaking(FakeRelay):
    """Answers every request with these bytes, one piece a tenth of a second."""

    pieces: tuple[bytes, ...] = ()

    async def _request(self, connection: Connection) -> bool:
        await connection.read(64 * 1024)
        for piece in self.pieces:
            await connection.write(piece)
            await asyncio.sleep(0.1)
        return False


async def _asked(*pieces: bytes) -> Exception:
    """What comes of asking a relay that answers so."""
    async with Speaking() as relay:
        relay.pieces = pieces
        client = _client(relay)
        try:
            with pytest.raises((RelayIncompatible, RelayUnreachable)) as problem:
                await client.protocol()
        finally:
            await client.close()
        return problem.value


def _answer(body: bytes, *lines: str) -> bytes:
    head = "\r\n".join(["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *lines, "", ""])
    return head.encode() + body


async def test_an_answer_that_is_nested_too_deep_is_no_relays() -> None:
    assert isinstance(await _asked(_answer(DEEP)), RelayIncompatible)


def test_a_refusal_that_is_nested_too_deep_is_no_relays() -> None:
    relay = Relay("https://relay.test", client_context())
    assert isinstance(refusal(403, DEEP, relay), RelayIncompatible)


async def test_what_was_packed_to_become_large_is_not_unpacked() -> None:
    bomb = gzip.compress(json.dumps({"ok": True, "data": {"protocol_version": "7"}}).encode() + b" " * 50_000_000)
    assert isinstance(await _asked(_answer(bomb, "Content-Encoding: gzip")), RelayIncompatible)


async def test_a_relay_that_answers_a_byte_at_a_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_client, "SECONDS", 1.0)
    watch = Stopwatch()
    problem = await _asked(b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n", *[b" "] * 60)
    assert isinstance(problem, RelayUnreachable)
    assert watch.seconds() < 5


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
async def test_a_time_that_no_clock_shows_is_not_believed(serve: Serve, start: Start, moment: str) -> None:
    async with FakeRelay(extra={"expires_at": moment}) as relay:
        agent = await start(await serve(echo), relay)
        await until(agent, "online")


async def test_what_it_says_drives_no_terminal(serve: Serve, start: Start) -> None:
    extra: dict[str, Any] = {"tcp_addr": "\x1b[2Jhost:1\ud800", "udp_addr": ["a"]}
    async with FakeRelay(extra=extra) as relay:
        agent = await start(await serve(echo), relay)
        await until(agent, "online")
        status = agent.status()
        assert (status.tcp_addr, status.udp_addr) == ("", "")
    async with FakeRelay(refusals={"/sdk/register": Refusal(400, "\x1b[2J\ud800no")}) as relay:
        agent = await start(await serve(echo), relay)
        await eventually(lambda: bool(agent.status().error))
        assert agent.status().error.isprintable()


async def test_a_flood_of_keepalives_starves_nobody(relay: FakeRelay, serve: Serve, start: Start) -> None:
    agent = await start(await serve(echo), relay)
    await until(agent, "online")
    session = await relay.session()
    await session.send(b"\0" * 4000)
    with pytest.raises(ConnectionResetError):
        await session.receive()
    await until(agent, "online")


async def test_a_connection_that_always_has_more_lets_others_run(relay: FakeRelay) -> None:
    ours, theirs = socket.socketpair()
    for sock in (ours, theirs):
        sock.setblocking(False)
    theirs.send(b"x" * 100_000)
    buffers = Buffers()
    buffers.cipher = buffers.cipher[:100]
    connection = Connection(ours, TlsEngine(client_context(), server_hostname="relay.test"), buffers)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    for _ in range(20):
        assert await connection.fill()
    task.cancel()
    ours.close()
    theirs.close()
    assert turns >= 10


class _Owing:
    """An engine with something to say, whose plain bytes stand in a buffer that others use meanwhile."""

    ended = False
    pending = 1

    def read(self, into: memoryview) -> int:
        into[:4] = b"mine"
        return 4

    def output(self) -> bytes:
        self.pending = 0
        return b"z" * 4_000_000


async def test_bytes_of_one_tunnel_are_never_those_of_another() -> None:
    ours, theirs = socket.socketpair()
    for sock in (ours, theirs):
        sock.setblocking(False)
    buffers = Buffers()
    connection = Connection(ours, _Owing(), buffers)  # type: ignore[arg-type]
    reading = asyncio.create_task(connection.read(4096))
    await asyncio.sleep(0.05)
    assert not reading.done()  # the relay does not read
    buffers.plain[:6] = b"others"
    while not reading.done():
        await asyncio.get_running_loop().sock_recv(theirs, 1 << 20)
        await asyncio.sleep(0)
    assert await reading == b"mine"
    ours.close()
    theirs.close()


async def test_a_fault_of_our_own_is_told_and_not_swallowed(
    relay: FakeRelay, serve: Serve, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: RelayClient) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(RelayClient, "protocol", broken)
    agent = await start(await serve(echo), relay)
    await until(agent, "failed")
    assert "log" in agent.status().error


async def test_a_fault_in_a_session_is_told_and_not_tried_again_in_a_hot_loop(
    relay: FakeRelay, serve: Serve, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def broken(*_: object) -> None:
        nonlocal tries
        tries += 1
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(pool, "open_session", broken)
        agent = await start(await serve(echo), relay)
        await eventually(lambda: "log" in agent.status().error)
        before = tries
        await asyncio.sleep(0.5)
        assert tries - before < 10
    await until(agent, "online")


async def test_a_relay_that_invents_visitors_gets_so_many_and_no_more(
    relay: FakeRelay, serve: Serve, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnel, "MOST_VISITORS", 10)
    agent = await start(await serve(echo), relay)
    await until(agent, "online")
    sessions = [await relay.session() for _ in range(2)]
    for number in range(30):
        await sessions[number].claim(0x01, b"hello")
        sessions.append(await relay.session())
        assert agent.status().open <= 10
    await eventually(lambda: agent.status().open == 10)
