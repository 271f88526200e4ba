"""One TLS port over real sockets: who gets the connection, and who gets nothing."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from homeport.kit.clock import SystemClock
from homeport.relay import Authority, Handler, Ingress, TlsHandler
from homeport.wire.client_hello import ClientHello


class Greeter(asyncio.Protocol):
    """Says the name it was reached by, then echoes."""

    def __init__(self, name: str | None) -> None:
        self.name = name

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(f"{self.name}\n".encode())

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    authority = Authority(tmp_path_factory.mktemp("ca"), SystemClock())
    authority.open()
    return authority


@asynccontextmanager
async def ingress(
    find: Callable[[str | None], Handler | None], host: str = "127.0.0.1", **options: Any
) -> AsyncIterator[tuple[Ingress, int]]:
    front = Ingress(find, **options)
    port = await front.open(host, 0)
    try:
        yield front, port
    finally:
        await front.close(timeout=1)


@pytest.fixture
async def port(authority: Authority) -> AsyncIterator[int]:
    handler = TlsHandler(authority.context_for, Greeter)
    async with ingress(lambda name: None if name == "nobody.localhost" else handler) as (_, port):
        yield port


def client_context(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.ca_path))


async def greeting(authority: Authority, port: int, name: str, host: str = "127.0.0.1") -> str:
    reader, writer = await asyncio.open_connection(host, port, ssl=client_context(authority), server_hostname=name)
    line = await reader.readline()
    writer.close()
    return line.decode().strip()


def hello(authority: Authority, name: str) -> bytes:
    outgoing = ssl.MemoryBIO()
    tls = client_context(authority).wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


async def ends(sock_reader: asyncio.StreamReader, within: float = 8) -> bytes:
    """Everything the server sends until it closes."""
    async with asyncio.timeout(within):
        with contextlib.suppress(ConnectionError):
            return await sock_reader.read()
        return b""


@pytest.mark.parametrize("name", ["localhost", "app.localhost", "other.localhost"])
async def test_a_connection_goes_to_the_owner_of_its_name(authority: Authority, port: int, name: str) -> None:
    assert await greeting(authority, port, name) == name


async def test_an_address_instead_of_a_name_asks_for_none(authority: Authority, port: int) -> None:
    assert await greeting(authority, port, "127.0.0.1") == "None"


async def test_the_loopback_of_ipv6_is_served_too(authority: Authority, port: int) -> None:
    assert await greeting(authority, port, "::1", host="::1") == "None"


async def test_a_name_that_nobody_owns_is_closed(authority: Authority, port: int) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await greeting(authority, port, "nobody.localhost")


async def test_the_socket_is_handed_on_untouched_however_slowly_the_hello_comes(authority: Authority) -> None:
    got: asyncio.Future[tuple[bytes, str | None, int]] = asyncio.get_running_loop().create_future()

    class Keeper:
        async def handle(self, sock: socket.socket, address: Any, asked: ClientHello, /) -> None:
            nodelay = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            got.set_result((sock.recv(65536), asked.server_name, nodelay))
            sock.close()

    data = hello(authority, "slow.localhost")
    async with ingress(lambda _: Keeper()) as (_, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        for at in range(0, len(data), 100):
            writer.write(data[at : at + 100])
            await writer.drain()
            await asyncio.sleep(0.002)
        received, name, nodelay = await got
        writer.close()
    assert received == data
    assert name == "slow.localhost"
    assert nodelay


async def test_waiting_for_the_rest_of_a_hello_does_not_spin(authority: Authority, port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(hello(authority, "app.localhost")[:40])
    await writer.drain()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    await asyncio.sleep(0.5)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before < 0.2
    writer.write_eof()
    assert await ends(reader) == b""


async def test_a_silent_connection_is_closed_in_time(authority: Authority) -> None:
    async with ingress(lambda _: None, hello_timeout=0.2) as (front, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await ends(reader) == b""
        writer.close()
        assert front.pending == 0


async def test_a_plain_request_is_sent_to_https_on_the_same_host(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /a?b=c HTTP/1.1\r\nhost: app.localhost:%d\r\nX: y\r\n\r\n" % port)
    answer = await ends(reader)
    assert answer.startswith(b"HTTP/1.1 308 ")
    assert b"\r\nLocation: https://app.localhost:%d/a?b=c\r\n" % port in answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n b/@evil\r\n\r\n"[:30] + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: evil.example/..\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"\x00" * 50,
    ],
)
async def test_what_is_neither_tls_nor_a_plain_request_is_closed(port: int, request_bytes: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request_bytes)
    writer.write_eof()
    assert not (await ends(reader)).startswith(b"HTTP/1.1 308 Permanent Redirect\r\nLocation: https://evil")


async def test_an_endless_plain_head_is_cut(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000)
    assert await ends(reader) == b""


async def test_one_address_has_a_bounded_number_of_pending_connections(authority: Authority) -> None:
    async with ingress(lambda _: None, pending_per_address=3) as (front, port):
        kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        reader, _ = await asyncio.open_connection("127.0.0.1", port)
        assert await ends(reader) == b""
        assert front.pending == 3
        assert not kept[0][0].at_eof()
        for _, writer in kept:
            writer.close()


async def test_of_too_many_pending_connections_the_oldest_is_cut(authority: Authority) -> None:
    handler = TlsHandler(authority.context_for, Greeter)
    async with ingress(lambda _: handler, pending_limit=2) as (_, port):
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        assert await greeting(authority, port, "app.localhost") == "app.localhost"
        assert await ends(idle[0][0]) == b""
        for _, writer in idle:
            writer.close()


async def test_running_out_of_descriptors_pauses_accepting_and_no_more(authority: Authority) -> None:
    handler = TlsHandler(authority.context_for, Greeter)
    async with ingress(lambda _: handler) as (_, port):
        assert await greeting(authority, port, "app.localhost") == "app.localhost"
        client = socket.create_connection(("127.0.0.1", port))
        await asyncio.sleep(0.05)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        waiting = socket.socket()
        resource.setrlimit(resource.RLIMIT_NOFILE, (waiting.fileno() + 1, hard))
        try:
            waiting.connect(("127.0.0.1", port))
            await asyncio.sleep(0.2)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert await greeting(authority, port, "app.localhost") == "app.localhost"
        waiting.close()
        client.close()


async def test_a_peer_that_resets_in_the_handshake_hurts_nobody(authority: Authority, port: int) -> None:
    data = hello(authority, "app.localhost")
    for sent in (data[:20], data, data + b"garbage after the hello"):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.sendall(sent)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    assert await greeting(authority, port, "app.localhost") == "app.localhost"


async def test_a_handler_that_fails_closes_its_connection_only(authority: Authority) -> None:
    class Broken:
        async def handle(self, sock: socket.socket, address: Any, asked: ClientHello, /) -> None:
            raise RuntimeError("a bug")

    good = TlsHandler(authority.context_for, Greeter)
    async with ingress(lambda name: Broken() if name == "bad.localhost" else good) as (_, port):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await greeting(authority, port, "bad.localhost")
        assert await greeting(authority, port, "app.localhost") == "app.localhost"


async def test_after_closing_nothing_is_accepted_and_served_connections_live_on(authority: Authority) -> None:
    handler = TlsHandler(authority.context_for, Greeter)
    front = Ingress(lambda _: handler)
    port = await front.open("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=client_context(authority), server_hostname="app.localhost"
    )
    await reader.readline()
    _, silent = await asyncio.open_connection("127.0.0.1", port)
    await front.close(timeout=0.1)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"still here\n")
    assert await reader.readline() == b"still here\n"
    writer.close()
    silent.close()
    assert front.pending == 0


async def test_a_taken_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        await Ingress(lambda _: None).open("127.0.0.1", taken.getsockname()[1])


async def test_a_session_is_resumed(authority: Authority, port: int) -> None:
    context = client_context(authority)

    def connect(session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool | None]:
        with (
            socket.create_connection(("127.0.0.1", port)) as raw,
            context.wrap_socket(raw, server_hostname="app.localhost", session=session) as tls,
        ):
            tls.recv(100)
            return tls.session, tls.session_reused

    session, _ = await asyncio.to_thread(connect, None)
    _, reused = await asyncio.to_thread(connect, session)
    assert reused
