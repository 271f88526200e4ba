"""Large bodies pass through without being held: the slower side sets the pace."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from homeport.testing.front import Stage

SIZE = 50 * 1024 * 1024
PIECE = bytes(range(256)) * 256
HELD = 25 * 1024 * 1024  # what the kernel buffers of both hops take, with room to spare


def expected() -> str:
    digest = hashlib.sha256()
    for _ in range(SIZE // len(PIECE)):
        digest.update(PIECE)
    return digest.hexdigest()


async def read_all(reader: asyncio.StreamReader, size: int) -> str:
    digest, left = hashlib.sha256(), size
    while left:
        data = await reader.read(min(left, 1 << 18))
        assert data
        digest.update(data)
        left -= len(data)
    return digest.hexdigest()


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_download_waits_for_a_slow_client_and_arrives_whole(stage: Stage, chunked: bool) -> None:
    written = 0

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        writer.write(b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: %d\r\n\r\n" % SIZE)
        for _ in range(SIZE // len(PIECE)):
            writer.write(b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if chunked else PIECE)
            await writer.drain()
            written += len(PIECE)
        if chunked:
            writer.write(b"0\r\n\r\n")

    await stage.app(app)
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port, limit=1 << 16)
    writer.write(b"GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(0.4)
    assert written < HELD
    if chunked:
        assert b"Transfer-Encoding: chunked" in head
        digest, left = hashlib.sha256(), SIZE
        while size := int(await reader.readline(), 16):
            digest.update(await reader.readexactly(size))
            left -= size
            await reader.readexactly(2)
        assert left == 0
        assert digest.hexdigest() == expected()
    else:
        assert await read_all(reader, SIZE) == expected()
    writer.close()


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_upload_waits_for_a_slow_app_and_arrives_whole(stage: Stage, chunked: bool) -> None:
    go = asyncio.Event()

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await go.wait()
        if chunked:
            digest = hashlib.sha256()
            while size := int(await reader.readline(), 16):
                digest.update(await reader.readexactly(size))
                await reader.readexactly(2)
            result = digest.hexdigest()
        else:
            result = await read_all(reader, SIZE)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n" + result.encode())

    await stage.app(app)
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % SIZE
    writer.write(b"POST / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n" + framing + b"\r\n\r\n")
    sent = 0

    async def upload() -> None:
        nonlocal sent
        for _ in range(SIZE // len(PIECE)):
            writer.write(b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if chunked else PIECE)
            await writer.drain()
            sent += len(PIECE)
        if chunked:
            writer.write(b"0\r\n\r\n")

    uploading = asyncio.create_task(upload())
    await asyncio.sleep(0.4)
    assert sent < HELD
    go.set()
    await uploading
    answer = await reader.read()
    assert answer.endswith(expected().encode())
    writer.close()
    assert stage.routes.traffic("app").bytes_in == SIZE


async def test_pipelined_requests_wait_in_the_kernel_and_not_in_memory(stage: Stage) -> None:
    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    await stage.app(app)
    _, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    sent = 0

    async def flood() -> None:
        nonlocal sent
        while sent < SIZE:
            writer.write(b"GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n" * 1000)
            await writer.drain()
            sent += 41_000

    flooding = asyncio.create_task(flood())
    await asyncio.sleep(0.4)
    assert sent < HELD
    flooding.cancel()
    writer.close()
