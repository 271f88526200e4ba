"""The first request of a connection decides: a reverse session, a short answer, or the portal's application."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from socket import socket
from typing import Any

import structlog

from homeport.kit.resets import rewatch_if_reset
from homeport.relay.ingress import Handler
from homeport.relay.tunnels.connect import PATH, Connector, seen_from
from homeport.relay.tunnels.raw_http import RawRoute, response
from homeport.relay.tunnels.stream_transport import StreamTransport
from homeport.relay.tunnels.tls_stream import TlsStream
from homeport.wire.client_hello import ClientHello
from homeport.wire.http_head import Broken, Framing, RequestHead, parse_request_head

HANDSHAKE_TIMEOUT = 10.0  # seconds
HEAD_TIMEOUT = 15.0
MAX_CONNECTIONS = 4096  # that are here: those that went on are not
KEEP_ALIVE = 90.0  # between requests that are answered here
MAX_HEAD_BYTES = 16 * 1024
_LONGEST_LINE = 128  # a request whose path is not known by then is the application's

log = structlog.get_logger()


class Front:
    """A Handler for the portal's own name. Browsers (they offer h2, too) go to `usual` at once; who offers HTTP/1.1
    alone, or nothing, may be an agent: its TLS is ended here, and its first bytes looked at.

    `context_for` chooses the certificate by the hello, `protocol` makes the application's side of a connection.
    """

    def __init__(
        self,
        usual: Handler,
        context_for: Callable[[ClientHello], ssl.SSLContext],
        protocol: Callable[[str | None], asyncio.Protocol],
        connector: Connector,
        routes: Mapping[bytes, RawRoute],
    ) -> None:
        self._usual = usual
        self._context_for = context_for
        self.protocol = protocol
        self.connector = connector
        self.routes = routes
        self.connections: dict[FrontConnection, None] = {}  # in order of arrival

    async def handle(self, sock: socket, address: Any, hello: ClientHello, /) -> None:
        if hello.alpn not in ((), ("http/1.1",)):
            await self._usual.handle(sock, address, hello)
            return
        # Python's ssl below 3.13 loses what one thread writes while another reads a ticket: the threaded client of
        # websockets, which names no protocol, hung after its handshake once in 2,000 connections.
        stream = TlsStream(sock, self._context_for(hello), resumable=bool(hello.alpn))
        await stream.handshake(HANDSHAKE_TIMEOUT)
        if len(self.connections) >= MAX_CONNECTIONS:
            next(iter(self.connections)).end()  # agents ask at once: the oldest waits for nothing that matters
        FrontConnection(self, stream, seen_from(address), hello.server_name).begin()

    def close(self) -> None:
        """End the connections that are here; those that went on are their owners'."""
        for connection in list(self.connections):
            connection.end()


class FrontConnection:
    """One connection while it is here."""

    __slots__ = (
        "_address", "_again", "_buffer", "_fd", "_front", "_left", "_loop", "_name", "_stream", "_task", "_timer",
        "_until", "_watching",
    )  # fmt: skip

    def __init__(self, front: Front, stream: TlsStream, address: str, name: str | None) -> None:
        self._front = front
        self._stream = stream
        self._address = address
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._fd = stream.sock.fileno()
        self._buffer = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._watching = False
        self._left = False  # what is still in the buffer is nobody's
        # Who asks often asks with the same head: it is read once.
        self._again: tuple[bytes, RawRoute, RequestHead] | None = None
        self._until = self._loop.time() + HEAD_TIMEOUT
        self._timer = self._loop.call_later(HEAD_TIMEOUT, self._late)

    def begin(self) -> None:
        """Look at what the handshake brought along, and go on from there."""
        self._front.connections[self] = None
        self._watch(True)
        self._guarded(lambda: self._took(bytes(self._stream.decrypt())))

    def end(self) -> None:
        """Close the connection."""
        self._leave()
        if self._task is not None:
            self._task.cancel()
        self._stream.close()

    def _late(self) -> None:
        """The time is up, or there have been answers since the timer began."""
        left = self._until - self._loop.time()
        if left <= 0:
            self.end()
        else:
            self._timer = self._loop.call_later(left, self._late)

    def _leave(self) -> None:
        self._left = True
        self._front.connections.pop(self, None)
        self._timer.cancel()
        self._watch(False)

    def _watch(self, reading: bool) -> None:
        if reading != self._watching:
            self._watching = reading
            if reading:
                self._loop.add_reader(self._fd, self._readable)
            else:
                self._loop.remove_reader(self._fd)

    def _readable(self) -> None:
        self._guarded(self._read)

    def _read(self) -> None:
        data = bytes(self._stream.read())
        if not self._stream.ended:
            rewatch_if_reset(self._loop, self._stream.sock, self._readable)
        self._took(data)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (OSError, ssl.SSLError):
            self.end()

    def _took(self, data: bytes) -> None:
        self._buffer += data
        while self._buffer and self._task is None and not self._left:
            if not self._next():
                break
        else:
            if self._stream.ended and self._task is None:
                self.end()
            return
        if self._stream.ended and self in self._front.connections:
            self.end()

    def _next(self) -> bool:
        """Deal with the request at the front of the buffer; whether it was all there, and the next may be here."""
        if self._again is not None and self._buffer.startswith(self._again[0]):
            return self._answer(self._again[1], self._again[2], len(self._again[0]))
        path = _path(self._buffer)
        if path is None:
            return False
        route = self._front.routes.get(path)
        if path != PATH and route is None:
            self._hand_over()
            return False
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                self._hand_over()  # the application refuses it well
            return False
        try:
            head = parse_request_head(bytes(self._buffer[: end + 2]))
        except Broken:
            self._hand_over()
            return False
        if route is None:
            return self._connect(head, end + 4)
        self._again = (bytes(self._buffer[: end + 4]), route, head)
        return self._answer(route, head, end + 4)

    def _connect(self, head: RequestHead, size: int) -> bool:
        if head.framing is not Framing.NONE:
            self._hand_over()
            return False
        self._leave()
        refusal = self._front.connector.connect(head, self._address, self._stream)
        if refusal is None:
            return False
        del self._buffer[:size]
        self._left = False
        self._front.connections[self] = None
        self._watch(True)
        self._timer = self._loop.call_later(KEEP_ALIVE, self._late)
        self._write(refusal, head.keep_alive)
        return True

    def _answer(self, route: RawRoute, head: RequestHead, size: int) -> bool:
        if head.framing is Framing.CHUNKED or head.expects_continue:
            self._hand_over()
            return False
        if head.length > route.max_body:
            self._write(response(413, b"", {"connection": "close"}), keep_alive=False)
            return False
        if len(self._buffer) < size + head.length:
            return False
        body = bytes(self._buffer[size : size + head.length])
        del self._buffer[: size + head.length]
        answer = route.answer(head, body, self._address)
        if isinstance(answer, bytes):
            self._write(answer, head.keep_alive)
            return True
        self._watch(False)
        self._task = self._loop.create_task(self._later(answer, head.keep_alive), name="an answer of the front")
        return False

    async def _later(self, answer: Any, keep_alive: bool) -> None:
        try:
            data = await answer
        except Exception:
            log.exception("a route of the front failed")
            self._task = None
            self.end()
            return
        self._task = None
        self._watch(True)
        self._guarded(lambda: self._write(data, keep_alive))
        self._guarded(lambda: self._took(b""))

    def _write(self, data: bytes, keep_alive: bool) -> None:
        taken = self._stream.write(data)
        if not keep_alive or not taken:
            # An answer is small: a peer that has not taken the ones before it gets no more.
            self._stream.finish()
            self._loop.call_soon(self.end)
            self._leave()
            return
        self._until = self._loop.time() + KEEP_ALIVE

    def _hand_over(self) -> None:
        """To the application, for good."""
        self._leave()
        early = bytes(self._buffer)
        self._buffer.clear()
        StreamTransport(self._stream, self._front.protocol(self._name)).start(early)


def _path(data: bytearray) -> bytes | None:
    """The path that a request asks for, without its query; None while that is not known. What is no request line has
    an empty one."""
    line = bytes(data[:_LONGEST_LINE]).partition(b"\r")[0]
    method, _, rest = line.partition(b" ")
    target, space, _ = rest.partition(b" ")
    if space or b"?" in target:
        return target.partition(b"?")[0]
    if len(line) < min(len(data), _LONGEST_LINE) or len(data) >= _LONGEST_LINE or not method.isalpha():
        return b""
    return None
