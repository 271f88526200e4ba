"""The portal's ASGI app on accepted connections, over plain TCP; TLS is the ingress's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from homeport.identity.sockets import WRITE_TEXT
from homeport.testing.waiting import eventually, within
from homeport.web.server import MAX_WS_MESSAGE_BYTES, PortalServer


async def about(request: Request) -> Response:
    return JSONResponse({"client": list(request.client or ()), "scheme": request.url.scheme})


async def size(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


begun: list[str] = []


async def slow(request: Request) -> Response:
    begun.append(request.url.path)
    await asyncio.sleep(0.3)
    return PlainTextResponse("done")


@pytest.fixture(autouse=True)
def nothing_begun() -> None:
    begun.clear()


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    async for message in websocket.iter_text():
        await websocket.send_text(message)


async def count(websocket: WebSocket) -> None:
    """By the short way while it is open, and how often it was."""
    write = websocket.scope["extensions"][WRITE_TEXT]["write"]
    early = write("before the upgrade")
    await websocket.accept()
    assert all(write(text) for text in ("", "é" * 100, "x" * 70_000))
    await websocket.receive_text()
    written = 0
    while write("y" * 10_000):
        written += 1
    await websocket.send_text(f"{early} {written}")
    await websocket.close()
    assert not write("after the end")


APP = Starlette(
    routes=[
        Route("/about", about),
        Route("/size", size, methods=["POST"]),
        Route("/slow", slow),
        WebSocketRoute("/ws", echo),
        WebSocketRoute("/count", count),
    ]
)


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[tuple[PortalServer, int]]:
    portal = PortalServer(APP, **options)
    listener = await asyncio.get_running_loop().create_server(portal.protocol, "127.0.0.1", 0)
    try:
        yield portal, listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        await portal.close(timeout=1)


async def exchange(port: int, data: bytes, within: float = 10) -> bytes:
    """Send, and everything that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    async with asyncio.timeout(within):
        answer = await reader.read()
    writer.close()
    return answer


async def test_a_request_is_answered_with_a_date_and_no_server() -> None:
    async with serving() as (_, port):
        answer = await exchange(port, b"GET /about HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    head, _, _ = answer.lower().partition(b"\r\n\r\n")
    assert head.startswith(b"http/1.1 200")
    assert head.count(b"\r\ndate: ") == 1
    assert b"\r\nserver:" not in head


async def test_forwarding_headers_of_a_client_are_not_believed() -> None:
    async with serving() as (_, port):
        request = b"GET /about HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n"
        answer = await exchange(port, request + b"Connection: close\r\n\r\n")
    assert b'"127.0.0.1"' in answer
    assert b'"scheme":"http"' in answer


@pytest.mark.parametrize("end", [b"\r\n\r\n", b""], ids=["whole", "still going on"])
async def test_a_head_that_is_too_large_is_431(end: bytes) -> None:
    async with serving() as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        await asyncio.sleep(0.05)
        writer.write(b"a" * 70_000 + end)
        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 431 ")
        writer.close()


async def test_a_body_does_not_count_as_head() -> None:
    async with serving() as (_, port):
        for _ in range(2):
            request = b"POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n"
            answer = await exchange(port, request + b"Connection: close\r\n\r\n" + b"x" * 200_000)
            assert answer.endswith(b"200000")


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n"])
async def test_a_head_that_does_not_come_is_not_waited_for(begun: bytes) -> None:
    async with serving(head_timeout=0.2) as (_, port):
        assert await exchange(port, begun) == b""


async def test_an_idle_connection_is_closed_after_its_keep_alive() -> None:
    async with serving(keep_alive=1) as (_, port):
        answer = await exchange(port, b"GET /about HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")


async def test_too_many_connections_are_503() -> None:
    async with serving(connection_limit=2) as (_, port):
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        answer = await exchange(port, b"GET /about HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503")
        for _, writer in idle:
            writer.close()


async def test_a_websocket_echoes() -> None:
    async with serving() as (_, port), connect(f"ws://127.0.0.1:{port}/ws") as websocket:
        await websocket.send("hello")
        assert await websocket.recv() == "hello"


async def test_the_short_way_writes_whole_messages_in_order_until_the_clients_buffer_is_full() -> None:
    async with serving() as (_, port), connect(f"ws://127.0.0.1:{port}/count", max_queue=None) as websocket:
        assert [await websocket.recv() for _ in range(3)] == ["", "é" * 100, "x" * 70_000]
        await websocket.send("go on")
        *many, last = [message async for message in websocket]
        assert set(many) == {"y" * 10_000}
        assert last == f"False {len(many)}"
        assert websocket.close_code == 1000


async def test_a_websocket_message_over_a_mebibyte_is_refused() -> None:
    async with serving() as (_, port), connect(f"ws://127.0.0.1:{port}/ws", compression=None) as websocket:
        await websocket.send("x" * (MAX_WS_MESSAGE_BYTES + 1))
        with pytest.raises(ConnectionClosed) as closed:
            await websocket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


async def test_closing_lets_requests_finish_and_tells_websockets_to_come_back() -> None:
    async with serving() as (portal, port):
        websocket = await connect(f"ws://127.0.0.1:{port}/ws")
        _, idle = await asyncio.open_connection("127.0.0.1", port)
        request = asyncio.create_task(exchange(port, b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"))
        await eventually(lambda: begun)
        await portal.close(timeout=2)
        assert (await request).endswith(b"done")
        with pytest.raises(ConnectionClosed) as closed:
            await websocket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        await within(0.05, eventually(lambda: portal.connections == 0))
        idle.close()


async def test_what_does_not_finish_in_time_is_cut() -> None:
    async with serving() as (portal, port):
        request = asyncio.create_task(exchange(port, b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"))
        await eventually(lambda: begun)
        await portal.close(timeout=0.05)
        assert not (await request).endswith(b"done")
