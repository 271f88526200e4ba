"""A reverse session: one connection to the relay that waits for a visitor, and then is the visitor's."""

from __future__ import annotations

import time

from homeport.testing.relay_client.answers import Answer, Refused, parse_head, read_answer, read_head
from homeport.testing.relay_client.relay import Relay
from homeport.testing.relay_client.stream import TlsStream

KEEPALIVE = 0x00
RAW = 0x01
TLS = 0x02
ACCEPTED = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive"


class ReverseSession:
    """A ByteStream once `wait` has returned. `keepalives` counts those that came."""

    def __init__(self, stream: TlsStream, seen: bytes) -> None:
        self.stream = stream
        self.keepalives = 0
        self._seen = seen

    def wait(self, seconds: float = 60.0) -> int:
        """The marker: RAW or TLS. Raises TimeoutError, EOFError when the relay closed, ValueError for another byte."""
        deadline = time.monotonic() + seconds
        while True:
            # Not one byte more than the marker: what follows is the visitor's.
            marker = self.recv(1, deadline=deadline)
            if not marker:
                raise EOFError("the relay closed the session")
            if marker[0] in (RAW, TLS):
                return marker[0]
            if marker[0] != KEEPALIVE:
                raise ValueError(f"neither keepalive nor marker: {marker[0]:#x}")
            self.keepalives += 1

    def recv(self, limit: int, *, deadline: float | None = None) -> bytes:
        if self._seen:
            data, self._seen = self._seen[:limit], self._seen[limit:]
            return data
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("nothing came")
            self.stream.sock.settimeout(left)
        return self.stream.recv(limit)

    def settimeout(self, seconds: float) -> None:
        """For each wait that follows."""
        self.stream.sock.settimeout(seconds)

    def sendall(self, data: bytes) -> None:
        self.stream.sendall(data)

    def half_close(self) -> None:
        """close_notify on the outer TLS."""
        self.stream.half_close()

    def close(self) -> None:
        self.stream.close()

    def cut(self) -> None:
        """As when the client's machine loses power, but for the kernel's FIN."""
        self.stream.cut()


def request_session(
    relay: Relay, token: str, *, method: str = "GET", version: str = "HTTP/1.1", fields: tuple[str, ...] = ()
) -> tuple[TlsStream, bytes, bytes]:
    """Ask for a session: the connection, the head of the answer, and the bytes after it."""
    stream = relay.dial()
    try:
        lines = [f"{method} /sdk/connect {version}", f"Host: {relay.authority}", "User-Agent: Go-http-client/1.1"]
        lines += [f"X-Portal-Access-Token: {token}"] if token else []
        stream.sendall("\r\n".join([*lines, "Connection: keep-alive", *fields, "", ""]).encode("latin-1"))
        return stream, *read_head(stream)
    except BaseException:
        stream.cut()
        raise


def open_session(relay: Relay, token: str) -> ReverseSession:
    """A session that the relay accepted, byte for byte as it must. Raises Refused, ValueError."""
    stream, head, rest = request_session(relay, token)
    if parse_head(head)[0] != 200:
        answer = _rest_of(stream, head, rest)
        stream.close()
        raise Refused(answer)
    if head != ACCEPTED:
        stream.close()
        raise ValueError(f"an unusual success: {head!r}")
    return ReverseSession(stream, rest)


class _Replay:
    """A stream whose first bytes are here already."""

    def __init__(self, stream: TlsStream, seen: bytes) -> None:
        self._stream = stream
        self._seen = seen

    def recv(self, limit: int) -> bytes:
        if self._seen:
            data, self._seen = self._seen[:limit], self._seen[limit:]
            return data
        return self._stream.recv(limit)

    def sendall(self, data: bytes) -> None:
        self._stream.sendall(data)

    def half_close(self) -> None:
        self._stream.half_close()

    def close(self) -> None:
        self._stream.close()


def _rest_of(stream: TlsStream, head: bytes, rest: bytes) -> Answer:
    return read_answer(_Replay(stream, head + b"\r\n\r\n" + rest))
