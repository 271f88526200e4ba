"""An asyncio transport on a TlsStream, for protocols that expect one: a connection whose first bytes we looked at."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable
from typing import Any

from homeport.kit.resets import rewatch_if_reset
from homeport.relay.tunnels.tls_stream import TlsStream, read_plain

CLOSE_TIMEOUT = 30.0  # seconds for the peer to take what was written before the close
LINGER = 2.0  # seconds for it to close as well: what it still sends would reset the connection, and cut what it reads
_HIGH = 64 * 1024
_GATHERED = 16 * 1024  # bytes: a record of TLS holds no more


class StreamTransport(asyncio.Transport):
    """Begins reading with `start`; what was read before is given to it.

    Small writes of one turn of the loop go out together at its end, as one record: an answer's head and body are two
    writes, and would wake who reads them twice.
    """

    def __init__(self, stream: TlsStream, protocol: asyncio.BaseProtocol) -> None:
        super().__init__(stream.info())
        self._loop = asyncio.get_running_loop()
        self._stream = stream
        self._fd = stream.sock.fileno()
        self._protocol: Any = protocol
        self._gathered = bytearray()
        self._paused = False
        self._reading = False
        self._writing = False
        self._closing = False
        self._lingering = False
        self._lost = False
        self._writes_paused = False
        self._high, self._low = _HIGH, _HIGH // 4
        self._deadline: asyncio.TimerHandle | None = None

    def start(self, early: bytes = b"") -> None:
        """Tell the protocol that it is connected, then what came."""
        self._protocol.connection_made(self)
        if early and not self._closing:
            self._protocol.data_received(early)
        self._watch()
        if self._stream.ended:
            self._loop.call_soon(self._readable)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol  # type: ignore[no-any-return]

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return not self._paused and not self._closing

    def pause_reading(self) -> None:
        self._paused = True
        self._watch()

    def resume_reading(self) -> None:
        self._paused = False
        self._watch()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = _HIGH if high is None else high
        self._low = self._high // 4 if low is None else low

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def get_write_buffer_size(self) -> int:
        return self._stream.unsent + len(self._gathered)

    def can_write_eof(self) -> bool:
        return False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing or not data:
            return
        gathered = len(self._gathered) + len(data)
        if gathered >= _GATHERED or self._stream.unsent + gathered > self._high:
            self._send(data)
            return
        if not self._gathered:
            self._loop.call_soon(self._send_gathered)
        self._gathered += data

    def _send_gathered(self) -> None:
        if self._gathered:
            self._send(self._taken_out())

    def _taken_out(self) -> bytes:
        data = bytes(self._gathered)
        self._gathered.clear()
        return data

    def _send(self, data: bytes | bytearray | memoryview) -> None:
        """After what was gathered."""
        try:
            if self._gathered:
                self._stream.encrypt(self._taken_out())
            taken = self._stream.write(bytes(data) if isinstance(data, bytearray) else data)
        except (OSError, ssl.SSLError) as problem:
            self._fail(problem)
            return
        if not taken:
            self._watch()
            if not self._writes_paused and self._stream.unsent > self._high:
                self._writes_paused = True
                self._protocol.pause_writing()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """After what was written is sent, and our close_notify."""
        if self._closing:
            return
        self._closing = True
        try:
            if self._gathered:
                self._stream.write(self._taken_out())
            taken = self._stream.finish()
        except (OSError, ssl.SSLError) as problem:
            self._fail(problem)
            return
        if taken:
            self._linger()
        else:
            self._deadline = self._loop.call_later(CLOSE_TIMEOUT, self._lose, None)
            self._watch()

    def abort(self) -> None:
        self._fail(None)

    def _readable(self) -> None:
        if self._lost:
            return
        if self._lingering:
            self._drain()
            return
        try:
            data = self._stream.read()
        except (OSError, ssl.SSLError) as problem:
            self._fail(problem)
            return
        if self._reading and not self._stream.ended:
            rewatch_if_reset(self._loop, self._stream.sock, self._readable)
        if data:
            self._protocol.data_received(bytes(data))
        if self._stream.ended and not self._closing:
            self._protocol.eof_received()
            self.close()
        elif self._stream.unsent:
            self._watch()

    def _linger(self) -> None:
        """All is sent: close once the peer has, or soon."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._lingering = True
        try:
            self._stream.sock.shutdown(socket.SHUT_WR)
        except OSError as problem:
            self._fail(problem)
            return
        self._deadline = self._loop.call_later(0.0 if self._stream.ended else LINGER, self._lose, None)
        self._watch()

    def _drain(self) -> None:
        try:
            data = read_plain(self._stream.sock)
        except OSError:
            data = memoryview(b"")
        if data is not None and not data:
            self._lose(None)

    def _writable(self) -> None:
        try:
            taken = self._stream.flush()
        except OSError as problem:
            self._fail(problem)
            return
        if self._writes_paused and self._stream.unsent <= self._low:
            self._writes_paused = False
            self._protocol.resume_writing()
        if taken and self._closing and not self._lingering:
            self._linger()
        else:
            self._watch()

    def _watch(self) -> None:
        if self._lost:
            return
        reading = self._lingering or (not self._paused and not self._closing)
        if reading != self._reading:
            self._reading = reading
            if reading:
                self._loop.add_reader(self._fd, self._readable)
            else:
                self._loop.remove_reader(self._fd)
        writing = bool(self._stream.unsent) or self._writes_paused  # `_writable` is who says that it may go on
        if writing != self._writing:
            self._writing = writing
            if writing:
                self._loop.add_writer(self._fd, self._writable)
            else:
                self._loop.remove_writer(self._fd)

    def _fail(self, problem: Exception | None) -> None:
        if not self._lost:
            self._closing = True
            self._gathered.clear()
            self._unwatch()
            self._loop.call_soon(self._lose, problem)

    def _lose(self, problem: Exception | None) -> None:
        if self._lost:
            return
        self._unwatch()
        self._lost = True
        if self._deadline is not None:
            self._deadline.cancel()
        self._stream.close()
        self._protocol.connection_lost(problem)

    def _unwatch(self) -> None:
        if self._reading:
            self._loop.remove_reader(self._fd)
        if self._writing:
            self._loop.remove_writer(self._fd)
        self._reading = self._writing = False
