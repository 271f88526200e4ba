"""The whole front as a visitor meets it: curl and ssl clients that trust the CA, the ingress, the proxy, an app."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from homeport.kit.clock import SystemClock
from homeport.relay import Authority, Ingress, TlsHandler
from homeport.services.exposure import Target
from homeport.testing.front import Stage, answering

SIZE = 50 * 1024 * 1024
HELD = 25 * 1024 * 1024  # what the kernel buffers of both hops take, with room to spare


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority(tmp_path, SystemClock())
    authority.open()
    return authority


@pytest.fixture
async def port(stage: Stage, authority: Authority) -> AsyncIterator[int]:
    handler = TlsHandler(authority.context_for, stage.proxy.protocol)
    ingress = Ingress(lambda _: handler)
    yield await ingress.open("127.0.0.1", 0)
    await ingress.close()


async def curl(authority: Authority, port: int, *args: str, host: str = "app.localhost") -> tuple[int, bytes]:
    """Exit code and standard output."""
    process = await asyncio.create_subprocess_exec(
        "curl",
        *("--silent", "--show-error", "--max-time", "20", "--cacert", str(authority.ca_path)),
        *("--resolve", f"{host}:{port}:127.0.0.1", *args, f"https://{host}:{port}/"),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out


async def open_tls(authority: Authority, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = ssl.create_default_context(cafile=str(authority.ca_path))
    return await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="app.localhost")


async def test_curl_trusts_an_app_and_reads_it(stage: Stage, authority: Authority, port: int) -> None:
    await stage.app(answering(b"hello"))
    assert await curl(authority, port) == (0, b"hello")


async def test_curl_posts_a_large_body(stage: Stage, authority: Authority, port: int, tmp_path: Path) -> None:
    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"X-Forwarded-Proto: https\r\n" in head
        if b"Expect" in head:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(5_000_000)
        answer = b"%d" % len(body)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)

    await stage.app(count)
    file = tmp_path / "body"
    file.write_bytes(b"x" * 5_000_000)
    assert await curl(authority, port, "--data-binary", f"@{file}") == (0, b"5000000")


async def test_a_name_without_an_app_is_a_trusted_404(stage: Stage, authority: Authority, port: int) -> None:
    code, page = await curl(authority, port, "--header", "Accept: text/html", host="gone.localhost")
    assert code == 0
    assert b"No app here" in page


async def test_a_websocket_over_tls_echoes(stage: Stage, authority: Authority, port: int) -> None:
    async def echo(websocket: ServerConnection) -> None:
        async for message in websocket:
            await websocket.send(message)

    context = ssl.create_default_context(cafile=str(authority.ca_path))
    async with serve(echo, "127.0.0.1", 0) as server:
        target = Target(next(iter(server.sockets)).getsockname()[1], "rel_1")
        stage.routes.point("app", target, service_id="svc_1")
        uri = f"wss://app.localhost:{port}/"
        async with connect(uri, host="127.0.0.1", port=port, ssl=context) as websocket:
            for message in ("hello", "x" * 900_000):
                await websocket.send(message)
                assert await websocket.recv() == message


async def test_a_large_download_waits_for_a_slow_client(stage: Stage, authority: Authority, port: int) -> None:
    written = 0

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        for _ in range(SIZE // 65536):
            writer.write(b"x" * 65536)
            await writer.drain()
            written += 65536

    await stage.app(app)
    reader, writer = await open_tls(authority, port)
    writer.write(b"GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(0.4)
    assert written < HELD
    received = 0
    while received < SIZE:
        received += len(await reader.read(1 << 18))
    assert received == SIZE
    writer.close()


async def test_a_large_upload_waits_for_a_slow_app(stage: Stage, authority: Authority, port: int) -> None:
    go = asyncio.Event()

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await go.wait()
        left = SIZE
        while left:
            left -= len(await reader.read(1 << 18))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")

    await stage.app(app)
    reader, writer = await open_tls(authority, port)
    writer.write(b"POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: %d\r\n\r\n" % SIZE)
    sent = 0

    async def upload() -> None:
        nonlocal sent
        for _ in range(SIZE // 65536):
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    uploading = asyncio.create_task(upload())
    await asyncio.sleep(0.4)
    assert sent < HELD
    go.set()
    await uploading
    assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_a_client_that_takes_its_time_still_gets_the_end(stage: Stage, authority: Authority, port: int) -> None:
    await stage.app(answering(b"x" * 2_000_000))
    reader, writer = await open_tls(authority, port)
    writer.write(b"GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    received = 0
    while data := await reader.read(65536):
        received += len(data)
        if received < 700_000:
            await asyncio.sleep(0.1)
    assert received == 2_000_000
    writer.close()
