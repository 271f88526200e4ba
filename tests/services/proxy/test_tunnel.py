"""WebSockets and other upgrades: after the 101 the proxy only carries bytes."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from homeport.services.exposure import Target
from homeport.services.proxy import Limits
from homeport.testing.front import Stage, staged
from homeport.testing.waiting import eventually, within

UPGRADE = b"GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"


async def echo(websocket: ServerConnection) -> None:
    async for message in websocket:
        await websocket.send(message)


async def raw_echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(SWITCH + b"welcome")
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def test_a_websocket_echoes_small_and_large_messages_and_closes_cleanly(stage: Stage) -> None:
    async with serve(echo, "127.0.0.1", 0, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        stage.routes.point("app", Target(port, "rel_1"), service_id="svc_1")
        uri = f"ws://app.localhost:{stage.port}/chat"
        async with connect(uri, host="127.0.0.1", port=stage.port, max_size=None) as websocket:
            for message in ("hello", "x" * 3_000_000, "bye"):
                await websocket.send(message)
                assert await websocket.recv() == message
            assert stage.routes.in_flight("rel_1") == 1
        assert websocket.close_code == 1000
        await within(0.1, eventually(lambda: stage.routes.in_flight("rel_1") == 0))


async def test_a_refused_upgrade_is_an_ordinary_answer(stage: Stage) -> None:
    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")

    await stage.app(app)
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(UPGRADE)
    assert (await reader.readuntil(b"no")).startswith(b"HTTP/1.1 403 ")
    writer.close()


async def test_bytes_sent_before_the_switch_are_delivered_after_it(stage: Stage) -> None:
    await stage.app(raw_echo)
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(UPGRADE + b"early")
    assert await reader.readuntil(b"early") == SWITCH + b"welcomeearly"
    writer.write(b"later")
    assert await reader.readexactly(5) == b"later"
    writer.close()


async def test_when_the_app_closes_its_last_bytes_arrive_and_the_client_is_closed(stage: Stage) -> None:
    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(SWITCH + b"x" * 500_000 + b"end")

    await stage.app(app)
    assert (await stage.talk(UPGRADE)).endswith(b"xend")


async def test_a_tunnel_waits_for_its_slower_side(stage: Stage) -> None:
    sent = 0

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(SWITCH)
        while sent < 50_000_000:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    await stage.app(app)
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(UPGRADE)
    await eventually(lambda: sent)
    await asyncio.sleep(0.4)
    assert sent < 25_000_000
    received = 0
    while data := await reader.read(1 << 18):
        received += len(data)
    assert received == len(SWITCH) + sent
    writer.close()


async def test_an_idle_tunnel_is_closed_in_time() -> None:
    async with staged(Limits(tunnel=0.2)) as stage:
        await stage.app(raw_echo)
        assert await stage.talk(UPGRADE) == SWITCH + b"welcome"


async def test_draining_cuts_tunnels_that_outlast_it(stage: Stage) -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        stage.routes.point("app", Target(port, "rel_1"), service_id="svc_1")
        websocket = await connect(f"ws://app.localhost:{stage.port}/", host="127.0.0.1", port=stage.port)
        assert await stage.routes.drain("rel_1", 0.1) == 1
        with pytest.raises(ConnectionClosed):
            await websocket.recv()
