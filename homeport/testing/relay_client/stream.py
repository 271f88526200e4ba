"""Duplex streams of bytes that can be half-closed: a TCP connection, and TLS over one."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import Protocol

_PIECE = 256 * 1024


class ByteStream(Protocol):
    """Blocking; one thread may read while another writes."""

    def recv(self, limit: int, /) -> bytes:
        """1 to `limit` bytes; nothing at the end. Raises OSError, TimeoutError, EOFError for an end without notice."""
        ...

    def sendall(self, data: bytes, /) -> None:
        """All of it. Raises OSError, TimeoutError."""
        ...

    def half_close(self) -> None:
        """Say that nothing more will be sent; reading goes on."""
        ...

    def close(self) -> None:
        """End both directions."""
        ...


class PlainStream:
    """A TCP connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def recv(self, limit: int) -> bytes:
        return self.sock.recv(limit)

    def sendall(self, data: bytes) -> None:
        self.sock.sendall(data)

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


class TlsStream:
    """The client's side of TLS over a connected socket, with close_notify in both directions as half-close.

    `ended` says how reading ended: "" not yet, "notice" by close_notify, "cut" by the end of the connection alone.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, name: str | None) -> None:
        self.sock = sock
        self.ended = ""
        self._early = b""  # decrypted, and not yet asked for
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._machine = threading.Lock()  # OpenSSL's state
        self._sending = threading.RLock()  # the order of what it wrote; taken before the other
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                self._take()
        self._flush()

    @property
    def version(self) -> str:
        """`TLSv1.2` or `TLSv1.3`."""
        return self._tls.version() or ""

    @property
    def certificate(self) -> bytes:
        """The peer's own, DER."""
        return self._tls.getpeercert(binary_form=True) or b""

    def recv(self, limit: int) -> bytes:
        while True:
            with self._machine:
                if self._early:
                    data, self._early = self._early[:limit], self._early[limit:]
                    return data
                try:
                    data = self._tls.read(limit)
                    if not data:
                        self.ended = "notice"
                    return data
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLZeroReturnError:
                    self.ended = "notice"
                    return b""
                except ssl.SSLEOFError:
                    self.ended = "cut"
                    raise EOFError("the connection ended without close_notify") from None
            self._take()

    def sendall(self, data: bytes) -> None:
        with self._sending:
            for at in range(0, len(data), _PIECE):
                with self._machine:
                    self._tls.write(data[at : at + _PIECE])
                self._flush()

    def half_close(self) -> None:
        with self._sending:
            with self._machine, contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError, ssl.SSLEOFError):
                # Python's unwrap also looks for the peer's notice, and breaks on data that came before it.
                while data := self._tls.read(_PIECE):
                    self._early += data
            with self._machine, contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                self._tls.unwrap()
            self._flush()

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.half_close()
        self.cut()

    def cut(self) -> None:
        """End the connection without a word of TLS."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def _flush(self) -> None:
        with self._machine:
            data = self._outgoing.read()
        if data:
            self.sock.sendall(data)

    def _take(self) -> None:
        data = self.sock.recv(65536)
        with self._machine:
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()
