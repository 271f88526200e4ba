"""HTTP behind the outbound guard, against a real server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest

from homeport.kit.guard import DestinationRefused, OutboundGuard
from homeport.kit.outbound_http import AnswerTooLarge, guarded_client, read_at_most


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """The port of a server that answers each request so, and the heads that it read."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heads


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)


async def loopback(host: str, port: int) -> Sequence[str]:
    return ("127.0.0.1",)


async def test_it_connects_to_the_judged_address_under_the_name_that_was_asked_for() -> None:
    guard = OutboundGuard(("127.0.0.0/8",), loopback)
    async with answering(ok(b"hello")) as (port, heads), guarded_client(guard, seconds=5) as client:
        answer = await client.get(f"http://provider.example:{port}/path?a=b")
    assert answer.text == "hello"
    assert heads[0].startswith(b"GET /path?a=b HTTP/1.1\r\n")
    assert f"host: provider.example:{port}".encode() in heads[0].lower()


async def test_a_name_that_stands_for_this_machine_is_refused() -> None:
    async with (
        answering(ok(b"secret")) as (port, heads),
        guarded_client(OutboundGuard((), loopback), seconds=5) as client,
    ):
        with pytest.raises(DestinationRefused):
            await client.get(f"http://rebound.example:{port}/")
    assert heads == []


async def test_a_redirect_is_judged_like_any_address() -> None:
    away = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n"
    guard = OutboundGuard(("127.0.0.0/8",))
    async with answering(away) as (port, _), guarded_client(guard, seconds=5) as client:
        assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 302
        with pytest.raises(DestinationRefused):
            await client.get(f"http://127.0.0.1:{port}/", follow_redirects=True)


async def test_no_more_is_read_than_asked_for() -> None:
    guard = OutboundGuard(("127.0.0.0/8",))
    async with (
        answering(ok(b"x" * 5000)) as (port, _),
        guarded_client(guard, seconds=5) as client,
        client.stream("GET", httpx.URL(f"http://127.0.0.1:{port}/")) as answer,
    ):
        with pytest.raises(AnswerTooLarge):
            await read_at_most(answer, 1024)
