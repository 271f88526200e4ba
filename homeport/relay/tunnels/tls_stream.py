"""A server's side of TLS on a non-blocking socket, without a transport: whoever owns it decides when bytes move.

The TLS itself works in memory (ssl.MemoryBIO). Measured against an SSLSocket it costs the same per byte when pieces are
large, sends a close_notify without reading (which an SSLSocket cannot), and needs one call of the kernel for many
records.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Any, cast

PIECE = 128 * 1024  # bytes read from a socket at once
MOST_UNTAKEN = 64  # reads in a row that brought key updates, whose answers the kernel could not take
_HANDSHAKE_PIECE = 16 * 1024

# Shared by all streams: what is read is encrypted, decrypted or handed on before the next read.
_raw = memoryview(bytearray(PIECE))
_plain = memoryview(bytearray(PIECE + 32 * 1024))  # a piece can end a record that began in the one before it


class TlsStream:
    """Owns `sock` (non-blocking). Not one method waits, except `handshake`.

    `resumable`: the peer gets session tickets. `ended`: it will send nothing more (close_notify, or the end of its
    connection). `unsent` are encrypted bytes that the kernel has not taken: whoever writes looks at it, and calls
    `flush` when the socket is writable.
    """

    __slots__ = ("_incoming", "_outgoing", "_rest", "_tls", "_untaken", "context", "ended", "finished", "sock")

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, *, resumable: bool = True) -> None:
        self.sock = sock
        self.context = context
        self.ended = False
        self.finished = False  # our close_notify is written
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._rest: memoryview | None = None
        self._untaken = 0
        tickets = context.num_tickets
        if not resumable:
            context.num_tickets = 0  # a connection takes the number along as it is made
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        context.num_tickets = tickets

    @property
    def tls(self) -> ssl.SSLObject:
        return self._tls

    @property
    def unsent(self) -> int:
        """Bytes."""
        return len(self._rest) if self._rest is not None else 0

    async def handshake(self, timeout: float) -> None:
        """Raises ssl.SSLError, OSError and TimeoutError; the socket stays the caller's to close until then."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(timeout):
            while True:
                try:
                    self._tls.do_handshake()
                except ssl.SSLWantReadError:
                    await self._drain(loop)
                    data = await loop.sock_recv(self.sock, _HANDSHAKE_PIECE)
                    if not data:
                        raise ConnectionAbortedError("the peer closed during the handshake") from None
                    self._incoming.write(data)
                except ssl.SSLError:
                    await self._drain(loop)  # the alert that says why
                    raise
                else:
                    await self._drain(loop)
                    return

    def read(self, limit: int = PIECE) -> memoryview:
        """What has come, up to about `limit` bytes of TLS: a view that the next read of any stream overwrites.

        Empty with `ended` set at the end, empty without when there is nothing (whole) yet. Raises ssl.SSLError and
        OSError.
        """
        try:
            count = self.sock.recv_into(_raw, min(limit, PIECE))
        except (BlockingIOError, InterruptedError):
            count = -1
        if count == 0:
            self.ended = True
        elif count > 0:
            self._incoming.write(_raw[:count])
        return self.decrypt()

    def decrypt(self) -> memoryview:
        """What is here already, as `read`."""
        filled = 0
        try:
            while filled < len(_plain):
                count = cast(int, self._tls.read(len(_plain) - filled, _plain[filled:]))
                if count == 0:
                    self.ended = True
                    break
                filled += count
                if not self._incoming.pending and not self._tls.pending():
                    break  # asking on would only raise: the dearest way to hear that there is nothing
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        if self._outgoing.pending:
            self._take_outgoing()  # the answer to a key update
            self._untaken = 0 if self.flush() else self._untaken + 1
            if self._untaken > MOST_UNTAKEN:
                raise ConnectionAbortedError("the peer asks for new keys, and takes no answer")
        return _plain[:filled]

    def write(self, data: bytes | memoryview) -> bool:
        """Encrypt and send; whether the kernel has taken everything. Raises ssl.SSLError, OSError."""
        self.encrypt(data)
        self._take_outgoing()
        return self.flush()

    def encrypt(self, data: bytes | memoryview) -> None:
        """Goes out before what `write` sends next. Raises ssl.SSLError."""
        self._tls.write(data)

    def finish(self) -> bool:
        """Say that nothing more comes (close_notify); reading goes on. As `write`."""
        if not self.finished:
            self.finished = True
            with contextlib.suppress(ssl.SSLWantReadError):  # it would also read the peer's, and there is nothing
                self._tls.unwrap()
            self._take_outgoing()
        return self.flush()

    def flush(self) -> bool:
        """Send what the kernel takes now; whether that was everything. Raises OSError."""
        while self._rest is not None:
            try:
                sent = self.sock.send(self._rest)
            except (BlockingIOError, InterruptedError):
                return False
            self._rest = self._rest[sent:] if sent < len(self._rest) else None
        return True

    def close(self) -> None:
        """The socket, at once; whoever watches it has stopped."""
        self.sock.close()

    def _take_outgoing(self) -> None:
        data = self._outgoing.read()
        if not data:
            return
        self._rest = memoryview(data) if self._rest is None else memoryview(bytes(self._rest) + data)

    async def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._outgoing.pending:
            await loop.sock_sendall(self.sock, self._outgoing.read())

    def info(self) -> dict[str, Any]:
        """What asyncio's transports tell of a connection."""
        return {
            "ssl_object": self._tls,
            "sslcontext": self.context,
            "peercert": self._tls.getpeercert(),
            "cipher": self._tls.cipher(),
            "socket": self.sock,
            "peername": self.sock.getpeername(),
            "sockname": self.sock.getsockname(),
        }


def read_plain(sock: socket.socket, limit: int = PIECE) -> memoryview | None:
    """What has come on a plain socket: a view that the next read overwrites; empty at the end, None when there is
    nothing. Raises OSError."""
    try:
        count = sock.recv_into(_raw, min(limit, PIECE))
    except (BlockingIOError, InterruptedError):
        return None
    return _raw[:count]
