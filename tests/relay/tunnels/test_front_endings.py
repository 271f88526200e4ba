"""A connection that the front has ended stays ended, whatever its peer had sent already."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from homeport.relay.tunnels import front as front_module
from homeport.testing.waiting import eventually
from homeport.testing.wires import Peer, Wires
from homeport.wire.client_hello import ClientHello
from tests.relay.tunnels.test_front import CONNECT, SIGN, Setting

CLOSING = SIGN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


@pytest.fixture
async def setting(wires: Wires) -> AsyncIterator[Setting]:
    made = Setting(wires)
    yield made
    made.front.close()
    for app in made.apps:
        app.transport.abort()
    await asyncio.sleep(0.01)


async def test_what_follows_a_last_request_does_not_reach_the_application(setting: Setting) -> None:
    agent = await setting.agent()
    agent.writer.write(CLOSING + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await agent.read_all()).endswith(b"signed hello192.0.2.1")
    assert setting.apps == []


async def test_what_follows_a_last_request_becomes_no_session(setting: Setting) -> None:
    agent = await setting.agent()
    agent.writer.write(CLOSING + CONNECT)
    assert (await agent.read_all()).endswith(b"signed hello192.0.2.1")
    assert setting.wires.sessions.ready == 0


async def test_what_follows_a_last_request_is_not_answered(setting: Setting) -> None:
    agent = await setting.agent()
    agent.writer.write(CLOSING + SIGN)
    assert (await agent.read_all()).count(b"signed hello") == 1
    assert setting.asked == [b"hello"]


async def test_an_answer_for_a_peer_that_is_gone_is_the_last_one(setting: Setting) -> None:
    agent = await setting.agent()
    agent.writer.write(
        b"GET /later HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /later HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    await eventually(lambda: bool(setting.front.connections))
    assert (await agent.read_all()).count(b"late") == 1
    await asyncio.sleep(0.1)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "an answer of the front"]


async def test_who_says_nothing_makes_room_for_who_comes(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_module, "MAX_CONNECTIONS", 3)
    silent = [await arrive(setting) for _ in range(3)]
    late = await arrive(setting)
    late.writer.write(SIGN)
    assert (await late.read(15)).startswith(b"HTTP/1.1 200 OK")
    assert await silent[0].read_all() == b""
    assert len(setting.front.connections) == 3


async def arrive(setting: Setting) -> Peer:
    """By the front's own door."""
    _, sock = await setting.wires.pair(secure=True)
    await setting.front.handle(sock, ("192.0.2.1", 1), ClientHello("localhost"))
    return Peer(*await setting.wires._opening)
