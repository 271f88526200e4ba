"""One visitor's connection: from the relay to the target and back, through two layers of TLS.

Set up by a task, then run by the event loop's callbacks alone: what one side does not take is kept (`BUFFER_BYTES` and
a record at most, in each direction), and until it is taken the other side is not read. Each direction ends by itself
(relay C.6): the relay's or the visitor's close_notify is the end of what the target reads, the target's end is told the
visitor and the relay by theirs.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping

import structlog

from homeport.kit.resets import rewatch_if_reset
from homeport.relay.agent.connection import BUFFER_BYTES, Buffers, Connection
from homeport.relay.agent.observer import Observer, Tap, Visitor
from homeport.relay.agent.page import UNAVAILABLE
from homeport.relay.agent.problems import TargetUnreachable
from homeport.relay.agent.status import Traffic
from homeport.relay.agent.targets import Target
from homeport.relay.agent.tcp import has_ended
from homeport.relay.agent.tls import TlsEngine
from homeport.wire.client_hello import ClientHello, ClientHelloReader

log = structlog.get_logger()

HANDSHAKE_SECONDS = 15.0
LINGER_SECONDS = 60.0  # for a visitor that says nothing after the target has said its last
AFTER_TARGET_SECONDS = 3.0  # for a visitor to take the last bytes of a target that reads no more
WATCH_SECONDS = 15.0
ACME_ALPN = "acme-tls/1"
MOST_WAITING = 1024 * 1024  # bytes for the relay: more than all that is ever kept is abuse of TLS's own messages

Context = Callable[[], Awaitable[ssl.SSLContext]]


class Stream:
    """`run` ends when both sides have, or when its task is cancelled.

    `context` gives what visitors are shown, once there is something. `proofs`: by host name, what certificate
    authorities are shown instead just now.
    """

    def __init__(
        self,
        connection: Connection,
        visitor: Visitor,
        target: Target,
        traffic: Traffic,
        buffers: Buffers,
        context: Context,
        proofs: Mapping[str, ssl.SSLContext],
        observer: Observer | None = None,
    ) -> None:
        self.visitor = visitor
        self._connection = connection
        self._sock = connection.sock
        self._outer = connection.engine
        self._inner: TlsEngine | None = None
        self._target = target
        self._service: socket.socket | None = None
        self._traffic = traffic
        self._buffers = buffers
        self._context = context
        self._proofs = proofs
        self._observer = observer
        self._tap: Tap | None = None
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._received = 0
        self._to_service = bytearray()
        self._to_relay = b""
        self._sent = 0  # of _to_relay
        self._visitor_ended = False
        self._service_ended = False
        self._service_reads = True
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, early: bytes) -> None:
        """`early` are the visitor's first bytes, where some have come. Nothing of the connection is left at the end."""
        self._traffic.connections += 1
        self._traffic.open += 1
        try:
            early = await self._hello(early)
            if self.visitor.kind == "tls" and self._inner is None:
                return
            self._service = await self._open()
            if self._service is not None:
                self._flow(early)
                await self._done
        except TimeoutError:
            log.debug("a visitor did not finish the handshake in time", hostname=self.visitor.hostname)
        except OSError as fault:  # ssl.SSLError is one
            log.debug("a visitor's connection broke", hostname=self.visitor.hostname, reason=str(fault))
        finally:
            self._release()

    # Before anything flows

    async def _hello(self, early: bytes) -> bytes:
        """End the visitor's TLS; what came of its plain bytes meanwhile is inside the engine."""
        if self.visitor.kind == "tcp":
            return early
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            hello = early or await self._connection.read(BUFFER_BYTES)
            wants_proof = ""
            if self._proofs:
                hello, wants_proof = await self._read_hello(hello)
            context = self._proofs.get(wants_proof) if wants_proof else await self._context()
            if context is None:
                return b""
            inner = TlsEngine(context)
            inner.feed(hello)
            while not await self._shake(inner):
                piece = await self._connection.read(BUFFER_BYTES)
                if not piece:
                    raise ConnectionResetError("the visitor left")
                inner.feed(piece)
            if inner.alpn == ACME_ALPN:  # the handshake was all that was wanted (RFC 8737 section 3)
                inner.close()
                self._outer.write(inner.output())
                self._outer.close()
                await self._connection.flush()
                return b""
            self._inner = inner
            return b""

    async def _read_hello(self, hello: bytes) -> tuple[bytes, str]:
        """While names are being proven: the bytes read so far, and the name whose proof is asked for, if one is."""
        reader = ClientHelloReader()
        piece = hello
        while piece and reader.receive(piece) is None:
            piece = await self._connection.read(BUFFER_BYTES)
            hello += piece
        asked = reader.result
        if isinstance(asked, ClientHello) and ACME_ALPN in asked.alpn:
            return hello, asked.server_name or "nobody"
        return hello, ""

    async def _shake(self, inner: TlsEngine) -> bool:
        try:
            return inner.handshake()
        finally:  # also the alert that says why it failed
            if inner.pending:
                await self._connection.write(inner.output())

    async def _open(self) -> socket.socket | None:
        try:
            service = await self._target.open(self.visitor)
        except TargetUnreachable as problem:
            log.info("the target does not answer", target=str(self._target), reason=problem.message)
            if self._inner is not None:
                await self._refuse(self._inner)
            return None
        if self._observer is not None:
            self._tap = self._observer.opened(self.visitor)
        return service

    async def _refuse(self, inner: TlsEngine) -> None:
        """Answer the request ourselves: once it is there, so that nothing unread cuts the answer short."""
        plain = memoryview(bytearray(16 * 1024))
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            while not inner.read(plain) and not inner.ended:
                inner.feed(await self._more())
            inner.write(UNAVAILABLE)
            inner.close()
            self._outer.write(inner.output())
            self._outer.close()
            await self._connection.flush()
        async with asyncio.timeout(AFTER_TARGET_SECONDS):
            while await self._connection.read(BUFFER_BYTES):
                continue

    async def _more(self) -> bytes:
        piece = await self._connection.read(BUFFER_BYTES)
        if not piece:
            raise ConnectionResetError("the visitor left")
        return piece

    # While it flows

    def _flow(self, early: bytes) -> None:
        assert self._service is not None
        self._loop.add_reader(self._sock, self._relay_readable)
        self._loop.add_reader(self._service, self._service_readable)
        if early:
            self._hand_over(memoryview(early))
        self._deliver()

    def _relay_readable(self) -> None:
        cipher = self._buffers.cipher
        try:
            count = self._sock.recv_into(cipher)
        except BlockingIOError:
            return
        except OSError:
            self._end()
            return
        if not count:
            # Without close_notify, after which nothing is read any more: the relay is gone, or was cut off.
            self._end()
            return
        rewatch_if_reset(self._loop, self._sock, self._relay_readable)
        self._outer.feed(cipher[:count])
        self._deliver()

    def _deliver(self) -> None:
        """Everything that the engines hold goes to the target."""
        outer, inner, plain = self._outer, self._inner, self._buffers.plain
        try:
            if inner is None:
                while count := outer.read(plain):
                    self._hand_over(plain[:count])
            else:
                middle = self._buffers.middle
                while True:
                    count = outer.read(middle)
                    if count and not inner.ended:
                        inner.feed(middle[:count])
                    while not inner.ended and (size := inner.read(plain)):
                        self._hand_over(plain[:size])
                    if not count:
                        break
                if inner.pending:
                    outer.write(inner.output())
        except ssl.SSLError as fault:
            log.debug("a visitor broke TLS", hostname=self.visitor.hostname, reason=str(fault))
            self._end()
            return
        if outer.pending:
            self._flush()
        if self._done.done():
            return
        if outer.ended:
            self._loop.remove_reader(self._sock)
        if (outer.ended or (inner is not None and inner.ended)) and not self._visitor_ended:
            self._visitor_ended = True
            self._wait(WATCH_SECONDS, self._still_there)
            self._end_service_if_sent()

    def _hand_over(self, data: memoryview) -> None:
        """To the target; what it does not take now is kept."""
        self._received += len(data)
        self._traffic.received += len(data)
        if self._tap is not None:
            self._tap.received(data)
        if not self._service_reads or self._service is None or self._visitor_ended:
            return
        if not self._to_service:
            try:
                sent = self._service.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._service_gone()
                return
            if sent == len(data):
                return
            data = data[sent:]
            self._loop.remove_reader(self._sock)
            self._loop.add_writer(self._service, self._service_writable)
        self._to_service += data

    def _service_writable(self) -> None:
        assert self._service is not None
        try:
            sent = self._service.send(self._to_service)
        except BlockingIOError:
            return
        except OSError:
            self._service_gone()
            return
        del self._to_service[:sent]
        if not self._to_service:
            self._to_service = bytearray()  # a bytearray keeps its size
            self._loop.remove_writer(self._service)
            if not self._outer.ended:
                self._loop.add_reader(self._sock, self._relay_readable)
            self._end_service_if_sent()

    def _end_service_if_sent(self) -> None:
        if not self._visitor_ended or self._to_service or self._service is None or self._done.done():
            return
        if self._service_ended:
            self._end_if_flushed()
            return
        try:
            self._service.shutdown(socket.SHUT_WR)
        except OSError:
            self._service_gone()

    def _service_readable(self) -> None:
        assert self._service is not None
        plain = self._buffers.plain
        try:
            count = self._service.recv_into(plain)
        except BlockingIOError:
            return
        except OSError:
            count = 0
        if not count:
            self._service_done()
            return
        if self._service_reads:
            rewatch_if_reset(self._loop, self._service, self._service_readable)
        else:  # what failed to be sent has taken the error
            self._loop.remove_reader(self._service)
            self._loop.add_reader(self._service, self._service_readable)
        data = plain[:count]
        self._traffic.sent += count
        if self._tap is not None:
            self._tap.sent(data)
        try:
            if self._inner is None:
                self._outer.write(data)
            else:
                self._inner.write(data)
                self._outer.write(self._inner.output())
        except ssl.SSLError:
            self._end()
            return
        self._flush()

    def _service_done(self) -> None:
        """The target has said its last: so have we, to the visitor and to the relay."""
        if self._service_ended or self._service is None:
            return
        self._service_ended = True
        self._loop.remove_reader(self._service)
        if self._inner is not None:
            self._inner.close()
            self._outer.write(self._inner.output())
        self._outer.close()
        self._flush()
        if not self._done.done():
            if self._visitor_ended and not self._to_service:
                self._end_if_flushed()
            elif self._service_reads:
                self._linger()
            else:
                self._wait(AFTER_TARGET_SECONDS, self._end)

    def _service_gone(self) -> None:
        """The target reads no more: what the visitor still sends is read and dropped, so that the answer arrives. What
        the target said before may still be unread: its end comes after that, in `_service_readable`."""
        if not self._service_reads or self._service is None or self._done.done():
            return
        self._service_reads = False
        if self._to_service:
            self._to_service = bytearray()
            if not self._outer.ended:
                self._loop.add_reader(self._sock, self._relay_readable)
        self._loop.remove_writer(self._service)
        if not self._service_ended and not self._to_relay:
            # uvloop stops watching a socket with an error, for whoever reads as well as for who writes.
            self._loop.remove_reader(self._service)
            self._loop.add_reader(self._service, self._service_readable)
        if self._service_ended and self._visitor_ended:
            self._end_if_flushed()
        else:
            self._wait(AFTER_TARGET_SECONDS, self._end)

    def _flush(self) -> None:
        """To the relay; what it does not take now is kept, and the target not read."""
        data = self._outer.output()
        if self._to_relay:
            self._to_relay = self._to_relay[self._sent :] + data
            self._sent = 0
            if len(self._to_relay) > MOST_WAITING:
                self._end()
            return
        if not data:
            return
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._end()
            return
        if sent < len(data):
            self._to_relay, self._sent = data, sent
            if self._service is not None and not self._service_ended:
                self._loop.remove_reader(self._service)
            self._loop.add_writer(self._sock, self._relay_writable)

    def _relay_writable(self) -> None:
        try:
            self._sent += self._sock.send(memoryview(self._to_relay)[self._sent :])
        except BlockingIOError:
            return
        except OSError:
            self._end()
            return
        if self._sent < len(self._to_relay):
            return
        self._to_relay, self._sent = b"", 0
        self._loop.remove_writer(self._sock)
        if self._service is not None and not self._service_ended:
            self._loop.add_reader(self._service, self._service_readable)
        elif self._visitor_ended and not self._to_service:
            self._end()

    # The end

    def _end_if_flushed(self) -> None:
        if not self._to_relay:
            self._end()

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, then)

    def _still_there(self) -> None:
        """A visitor that ended its side may be gone altogether: nothing is read any more that would tell."""
        self._timer = None
        if self._done.done():
            return
        if has_ended(self._sock):
            self._end()
        else:
            self._wait(WATCH_SECONDS, self._still_there)

    def _linger(self, seen: int = -1) -> None:
        """The target has ended, the visitor has not: as long as it sends something, it may."""
        self._timer = None
        now = self._received
        if now == seen:
            self._end()
        elif not self._done.done():
            self._wait(LINGER_SECONDS, lambda: self._linger(now))

    def _end(self) -> None:
        if not self._done.done():
            self._done.set_result(None)
        self._detach()

    def _detach(self) -> None:
        for sock in (self._sock, self._service):
            if sock is not None and sock.fileno() >= 0:
                self._loop.remove_reader(sock)
                self._loop.remove_writer(sock)
                sock.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _release(self) -> None:
        self._detach()
        self._traffic.open -= 1
        if self._tap is not None:
            self._tap.closed()
            self._tap = None
