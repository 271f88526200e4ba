"""One side of a TLS connection without its socket: ciphertext in and out, plain bytes in and out.

Both layers of a tunnel are ended by this: the one to the relay, and the visitor's inside it. Unlike an SSLSocket it can
end its own direction and go on reading (OpenSSL would read the socket to wait for the other's end, and lose data).
"""

from __future__ import annotations

import ssl

_PIECE = 32 * 1024


class TlsEngine:
    """Bytes are fed as they come, and everything is read before more is fed: so little is ever kept."""

    __slots__ = ("_closed", "_ended", "_in", "_kept", "_out", "_ssl")

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        server_hostname: str | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        """A client where `server_hostname` is given, else a server."""
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._ssl = context.wrap_bio(
            self._in,
            self._out,
            server_side=server_hostname is None,
            server_hostname=server_hostname,
            session=session,
        )
        self._ended = False
        self._closed = False
        self._kept = bytearray()

    def feed(self, data: bytes | memoryview) -> None:
        """Ciphertext of the other side."""
        self._in.write(data)

    def handshake(self) -> bool:
        """Go on with it; whether it is done. Raises ssl.SSLError."""
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    @property
    def ended(self) -> bool:
        """Whether the other side has said that nothing more will come (close_notify), and all before it was read."""
        return self._ended and not self._kept

    def read(self, into: memoryview) -> int:
        """Plain bytes that are there, as many as fit: 0 when more ciphertext is needed, or at the end.

        Raises ssl.SSLError for what breaks the protocol.
        """
        if self._kept:
            count = min(len(self._kept), len(into))
            into[:count] = self._kept[:count]
            del self._kept[:count]
            return count
        return self._decrypt(into)

    def _decrypt(self, into: memoryview) -> int:
        total = 0
        size = len(into)
        read = self._ssl.read
        try:
            while total < size:
                count = read(size - total, into[total:])
                if not count:
                    self._ended = True
                    break
                total += int(count)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._ended = True
        return total

    def write(self, data: bytes | memoryview) -> None:
        """Plain bytes for the other side; nothing once this side was closed."""
        if self._closed or not data:
            return
        written = self._ssl.write(data)
        while written < len(data):  # some builds of Python write a record at a time
            written += self._ssl.write(data[written:])

    def close(self) -> None:
        """Say that nothing more will come (close_notify); reading goes on."""
        if not self._closed:
            self._closed = True
            try:
                self._keep()
                self._ssl.unwrap()
            except ssl.SSLError:  # it wants the other's close_notify, or the next `read` will raise it, too
                return

    def _keep(self) -> None:
        """What has come is decrypted first: Python would look for the other's close_notify, and drop what is before."""
        piece = memoryview(bytearray(_PIECE)) if self._in.pending or self._ssl.pending() else None
        while piece is not None and not self._ended and (count := self._decrypt(piece)):
            self._kept += piece[:count]

    @property
    def pending(self) -> int:
        """Bytes of ciphertext that wait for `output`."""
        return self._out.pending

    def output(self) -> bytes:
        """Ciphertext for the other side."""
        return self._out.read()

    @property
    def session(self) -> ssl.SSLSession | None:
        """What the next connection to the same server can resume."""
        return self._ssl.session

    @property
    def resumed(self) -> bool:
        """Whether the handshake made use of the session that was given."""
        return bool(self._ssl.session_reused)

    @property
    def alpn(self) -> str | None:
        return self._ssl.selected_alpn_protocol()
