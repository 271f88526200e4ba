"""One TLS port: accept, peek at the ClientHello, hand the untouched socket to whoever owns the name."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

import structlog

from homeport.relay.acceptor import Acceptor
from homeport.wire.client_hello import MAX_HELLO_BYTES, ClientHello, ClientHelloReader, Malformed, NotTls

log = structlog.get_logger()

BACKLOG = 1024  # connections that the kernel keeps for us
MAX_PLAIN_HEAD_BYTES = 8 * 1024
_PLAIN_LINE = re.compile(rb"[A-Z]{1,20} (/[\x21-\x7e]*) HTTP/1\.[01]\r?\n")
_PLAIN_HOST = re.compile(
    rb"\r?\nhost:[ \t]*([a-z0-9.-]{1,253}(?::\d{1,5})?|\[[0-9a-f:.]{2,45}\](?::\d{1,5})?)[ \t]*\r?\n", re.I
)


class Handler(Protocol):
    """Owns the connections of some names."""

    async def handle(self, sock: socket.socket, address: Any, hello: ClientHello, /) -> None:
        """Take over `sock`: non-blocking, not a byte read, Nagle off. `hello` is what the client asks for. Returns once
        the connection has an owner of its own (after a handshake, not at its end). On any exception the ingress closes
        the socket; OSError, ssl.SSLError and TimeoutError are the peer's affair."""
        ...


class TlsHandler:
    """Ends TLS here and gives each connection to a protocol of its own."""

    def __init__(
        self,
        context_for: Callable[[str | None], ssl.SSLContext],
        protocol: Callable[[str | None], asyncio.Protocol],
        *,
        handshake_timeout: float = 10.0,
    ) -> None:
        self._context_for = context_for
        self._protocol = protocol
        self._handshake_timeout = handshake_timeout

    async def handle(self, sock: socket.socket, _address: Any, hello: ClientHello, /) -> None:
        name = hello.server_name
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: self._protocol(name),
            sock,
            ssl=self._context_for(name),
            ssl_handshake_timeout=self._handshake_timeout,
            ssl_shutdown_timeout=30.0,  # it includes sending what is still buffered
        )


class Ingress:
    """Listens, and dispatches each connection by the name in its ClientHello.

    `find(name)` returns the owner of a name (None as name: the client sent none, as for an IP address), or None to
    close. `challenge` is asked first: who proves a name to a certificate authority by this hello. A plain HTTP request
    is answered with the text that `plain` has for its path, else 308 to https on the same host. A connection is pending
    until its handler returns: of more than `pending_limit` the oldest is cut, and an address with `pending_per_address`
    gets no further one until some are through.
    """

    def __init__(
        self,
        find: Callable[[str | None], Handler | None],
        *,
        challenge: Callable[[ClientHello], Handler | None] = lambda _: None,
        plain: Callable[[str], str | None] = lambda _: None,
        hello_timeout: float = 10.0,
        pending_limit: int = 1024,
        pending_per_address: int = 256,
    ) -> None:
        self._find = find
        self._challenge = challenge
        self._plain = plain
        self._hello_timeout = hello_timeout
        self._pending_limit = pending_limit
        self._pending_per_address = pending_per_address
        self._acceptor: Acceptor | None = None
        self._pending: dict[asyncio.Task[None], str] = {}  # in order of arrival; the value is the source
        self._sources: Counter[str] = Counter()

    @property
    def pending(self) -> int:
        """Connections that are not through their handshake."""
        return len(self._pending)

    async def open(self, host: str, port: int) -> int:
        """Listen on `host`, and return the port (0 picks one). 127.0.0.1 and localhost also listen on ::1 where there
        is IPv6; :: also listens on IPv4. Raises OSError when the address is taken,
        ValueError when it is not an address."""
        hosts = {"localhost": ["127.0.0.1", "::1"], "127.0.0.1": ["127.0.0.1", "::1"]}.get(host, [host])
        ipaddress.ip_address(hosts[0])
        self._acceptor = Acceptor(self._begin)
        port = self._acceptor.listen(hosts[0], port, BACKLOG)
        for other in hosts[1:]:
            try:
                self._acceptor.listen(other, port, BACKLOG)
            except OSError as problem:
                log.info("not listening there", host=other, port=port, reason=problem.strerror)
        return port

    async def close(self, timeout: float = 5.0) -> None:
        """Stop accepting, let pending handshakes finish for `timeout` seconds, cut the rest. Connections that are with
        their handler are the handler's to end."""
        if self._acceptor is not None:
            self._acceptor.close()
        if self._pending:
            _, late = await asyncio.wait(list(self._pending), timeout=timeout)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def _begin(self, sock: socket.socket, address: Any) -> None:
        source = str(address[0])
        if self._sources[source] >= self._pending_per_address:
            log.warning("too many pending connections from one address", address=source)
            sock.close()
            return
        if len(self._pending) >= self._pending_limit:
            # A hello comes within a round trip: the oldest is the least likely to be honest.
            next(iter(self._pending)).cancel()
        self._sources[source] += 1
        task = asyncio.get_running_loop().create_task(self._serve(sock, address), name=f"ingress {source}")
        self._pending[task] = source
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        source = self._pending.pop(task)
        self._sources[source] -= 1
        if not self._sources[source]:
            del self._sources[source]
        if not task.cancelled() and (problem := task.exception()) is not None:
            log.error("a handler failed", exc_info=problem, address=source)

    async def _serve(self, sock: socket.socket, address: Any) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(self._hello_timeout):
                hello = await self._peek(sock)
                if isinstance(hello, NotTls):
                    await self._redirect(sock)
            if isinstance(hello, ClientHello):
                handler = self._challenge(hello) or self._find(hello.server_name)
                if handler is not None:
                    await handler.handle(sock, address, hello)
                    return
            elif isinstance(hello, Malformed):
                log.debug("closed: not a hello", address=address[0], reason=hello.reason)
        except (OSError, ssl.SSLError, TimeoutError) as problem:
            log.debug("closed before the handshake ended", address=address[0], reason=str(problem) or "too slow")
        except BaseException:
            sock.close()
            raise
        sock.close()

    async def _peek(self, sock: socket.socket) -> ClientHello | NotTls | Malformed:
        reader = ClientHelloReader()
        await _readable(sock)
        while True:
            seen = sock.recv(MAX_HELLO_BYTES, socket.MSG_PEEK)
            if len(seen) <= reader.received:
                return Malformed("the peer closed")
            result = reader.receive(seen[reader.received :])
            if result is not None:
                # What was peeked is still there: without this the next owner would wait for more than that.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
                return result
            # Bytes that were peeked keep the socket readable: ask to be woken by more than these only.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, len(seen) + 1)
            await _readable(sock)

    async def _redirect(self, sock: socket.socket) -> None:
        """Answer a plain HTTP request; its https address has the same port."""
        head = b""
        loop = asyncio.get_running_loop()
        while b"\r\n\r\n" not in head and b"\n\n" not in head:
            data = await loop.sock_recv(sock, 4096)
            head += data
            if not data or len(head) > MAX_PLAIN_HEAD_BYTES or not head[:1].isupper():
                return
        answer = self._plain_answer(head)
        if answer is None:
            return
        await loop.sock_sendall(sock, answer)
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        # Closing with unread bytes would reset the connection, and the answer with it.
        for _ in range(16):
            if not await loop.sock_recv(sock, 4096):
                return

    def _plain_answer(self, head: bytes) -> bytes | None:
        line, host = _PLAIN_LINE.match(head), _PLAIN_HOST.search(head)
        if line is None or host is None:
            return None
        text = self._plain(line[1].decode("ascii"))
        if text is not None:
            kind = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
            return kind % len(text) + text.encode("ascii")
        return (
            b"HTTP/1.1 308 Permanent Redirect\r\nLocation: https://%s%s\r\n"
            b"Content-Length: 0\r\nConnection: close\r\n\r\n" % (host[1], line[1])
        )


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(sock.fileno(), wake)
    try:
        await ready
    finally:
        loop.remove_reader(sock.fileno())
