"""A visitor and the reverse session that serves them: bytes both ways, each side's end passed on to the other."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from enum import Enum

from homeport.kit.resets import rewatch_if_reset
from homeport.relay.lease import Lease, Traffic
from homeport.relay.token_bucket import TokenBucket
from homeport.relay.tunnels.tls_stream import PIECE, TlsStream, read_plain

RAW = b"\x01"  # what the agent is told first: bytes as they are,
PASSTHROUGH = b"\x02"  # or TLS, which it ends itself
HALF_OPEN_LIMIT = 600.0  # seconds without a byte after one side has ended


class Stage(Enum):
    WAITING = 0  # for a session
    OPENING = 1  # TLS: the visitor has not finished its handshake with the agent
    OPEN = 2
    ENDED = 3


class Bridge:
    """Owns the visitor's socket (non-blocking), and a session's stream from `begin` on.

    What one side sends is read only when the other has taken what came before: at most one piece waits for either side.
    `opened` is called when a TLS handshake through the tunnel is through, `ended` once at the end.
    """

    __slots__ = (
        "_bucket", "_down_ended", "_early", "_ended", "_half_open", "_loop", "_moved", "_opened", "_pause",
        "_peer_spoke", "_reset", "_rest", "_sock", "_stream", "_total", "_up_ended", "_watched", "address", "began_at",
        "lease", "marker", "patience", "stage",
    )  # fmt: skip

    def __init__(
        self,
        lease: Lease,
        sock: socket.socket,
        address: str,
        marker: bytes,
        bucket: TokenBucket,
        total: Traffic,
        *,
        opened: Callable[[Bridge], None],
        ended: Callable[[Bridge], None],
    ) -> None:
        self.lease = lease
        self.address = address
        self.marker = marker
        self.stage = Stage.WAITING
        self.began_at = 0.0  # of the event loop's time: when a session was found
        self.patience: asyncio.TimerHandle | None = None  # of who waits for one
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._stream: TlsStream | None = None
        self._bucket = bucket
        self._total = total
        self._opened = opened
        self._ended = ended
        self._early = b""
        self._rest: memoryview | None = None  # for the visitor
        self._up_ended = False  # the visitor sends nothing more
        self._down_ended = False  # nor does the agent
        self._peer_spoke = False
        self._reset = False  # by the visitor, of whom there may be something to read still
        self._pause: asyncio.TimerHandle | None = None
        self._half_open: asyncio.TimerHandle | None = None
        self._moved = 0
        self._watched = (False, False, False, False)
        lease.bridges.add(self)

    def begin(self, stream: TlsStream) -> bool:
        """Serve the visitor by this session; False when the session turned out dead (it is closed, the visitor not)."""
        try:
            if not self._early and self._bucket.rate is None:  # who is limited waits for its turn
                first = read_plain(self._sock)
                if first is not None:
                    self._early = bytes(first)
                    self._up_ended = not first
        except OSError:
            stream.close()
            self.cut()
            return True  # it is the visitor who is gone
        try:
            stream.write(self.marker + self._early)
            if self._up_ended:
                stream.finish()
        except (OSError, ssl.SSLError):
            stream.close()
            return False
        self._stream = stream
        self.began_at = self._loop.time()
        self.stage = Stage.OPENING if self.marker == PASSTHROUGH else Stage.OPEN
        self.lease.traffic.connections += 1
        self._total.connections += 1
        self._count_up(len(self._early))  # may begin with a pause, for what others have moved
        self._early = b""
        self._watch()
        return True

    def cut(self) -> None:
        """End both sides at once; a second time changes nothing."""
        if self.stage is Stage.ENDED:
            return
        self.stage = Stage.ENDED
        for timer in (self._pause, self._half_open, self.patience):
            if timer is not None:
                timer.cancel()
        if self._stream is not None:
            self._apply((False, False, False, False))
            self._stream.close()
        self._sock.close()
        self.lease.bridges.discard(self)
        self._ended(self)

    # From the visitor to the agent.

    def _visitor_readable(self) -> None:
        stream = self._stream
        assert stream is not None
        try:
            data = read_plain(self._sock, PIECE if self._bucket.rate is None else self._bucket.largest(PIECE))
            if data is None:
                return
            if data:
                self._reset |= rewatch_if_reset(self._loop, self._sock, self._visitor_readable)
                stream.write(data)
                self._count_up(len(data))
                if self._peer_spoke and self.stage is Stage.OPENING:
                    self.stage = Stage.OPEN
                    self._opened(self)
            elif self._reset:
                self.cut()
            else:
                self._up_ended = True
                stream.finish()
        except (OSError, ssl.SSLError):
            self.cut()
            return
        self._watch()

    def _session_writable(self) -> None:
        assert self._stream is not None
        try:
            self._stream.flush()
        except OSError:
            self.cut()
            return
        self._watch()

    # From the agent to the visitor.

    def _session_readable(self) -> None:
        stream = self._stream
        assert stream is not None
        try:
            data = stream.read(PIECE if self._bucket.rate is None else self._bucket.largest(PIECE))
            if not stream.ended:
                rewatch_if_reset(self._loop, stream.sock, self._session_readable)
            if data:
                self._peer_spoke = True
                self._send(data)
                self._count_down(len(data))
            if stream.ended:
                self._down_ended = True
                if self._rest is None:
                    self._sock.shutdown(socket.SHUT_WR)
        except (OSError, ssl.SSLError):
            self.cut()
            return
        self._watch()

    def _visitor_writable(self) -> None:
        assert self._rest is not None
        rest, self._rest = self._rest, None
        try:
            self._send(rest)
            if self._rest is None and self._down_ended:
                self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.cut()
            return
        self._watch()

    def _send(self, data: memoryview) -> None:
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        if sent < len(data):
            self._rest = memoryview(bytes(data[sent:]))

    # Both.

    def _count_up(self, size: int) -> None:
        self.lease.traffic.received += size
        self._total.received += size
        self._spend(size)

    def _count_down(self, size: int) -> None:
        self.lease.traffic.sent += size
        self._total.sent += size
        self._spend(size)

    def _spend(self, size: int) -> None:
        self._moved += size
        if self._bucket.rate is None:
            return
        seconds = self._bucket.take(size, self._loop.time())
        if seconds > 0:
            if self._pause is not None:
                self._pause.cancel()
            # A second at most: by then the limit may be another.
            self._pause = self._loop.call_later(min(seconds, 1.0), self._go_on)

    def _go_on(self) -> None:
        self._pause = None
        self._spend(0)
        self._watch()

    def _watch(self) -> None:
        """Wait for what can be done now, or end when both sides have."""
        stream = self._stream
        if stream is None or self.stage is Stage.ENDED:
            return
        if self._up_ended and self._down_ended and self._rest is None and not stream.unsent:
            self.cut()
            return
        if (self._up_ended or self._down_ended) and self._half_open is None:
            self._half_open = self._loop.call_later(HALF_OPEN_LIMIT, self._check_half_open, self._moved)
        may_read = self._pause is None
        wanted = (
            may_read and not self._up_ended and not stream.unsent,
            may_read and not self._down_ended and self._rest is None,
            bool(stream.unsent),
            self._rest is not None,
        )
        if wanted != self._watched:
            self._apply(wanted)

    def _apply(self, wanted: tuple[bool, bool, bool, bool]) -> None:
        assert self._stream is not None
        loop, visitor, session = self._loop, self._sock.fileno(), self._stream.sock.fileno()
        before, self._watched = self._watched, wanted
        if wanted[0] != before[0]:
            loop.add_reader(visitor, self._visitor_readable) if wanted[0] else loop.remove_reader(visitor)
        if wanted[1] != before[1]:
            loop.add_reader(session, self._session_readable) if wanted[1] else loop.remove_reader(session)
        if wanted[2] != before[2]:
            loop.add_writer(session, self._session_writable) if wanted[2] else loop.remove_writer(session)
        if wanted[3] != before[3]:
            loop.add_writer(visitor, self._visitor_writable) if wanted[3] else loop.remove_writer(visitor)

    def _check_half_open(self, moved: int) -> None:
        if self._moved == moved:
            self.cut()
        else:
            self._half_open = self._loop.call_later(HALF_OPEN_LIMIT, self._check_half_open, self._moved)


def keep_alive(sock: socket.socket) -> None:
    """Let the kernel ask a silent peer whether it is still there, and notice within half a minute when it is not."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def allow_silence(sock: socket.socket, seconds: float | None) -> None:
    """How long what we sent may stay unacknowledged, or untaken; None: as long as the kernel thinks fit. A peer that is
    served may stop reading for as long as it likes."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 0 if seconds is None else int(seconds * 1000))
