"""The name a TLS client asks for, read from its first bytes (RFC 8446 section 4.1.2, RFC 6066 section 3).

Nothing is decrypted and nothing answered: whoever holds the bytes may still hand the connection on untouched.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass, field

MAX_HELLO_BYTES = 32 * 1024  # with all record headers; browsers with post-quantum key shares send about 2 KB

_HANDSHAKE = 22  # record type
_CLIENT_HELLO = 1  # handshake type
_SERVER_NAME = 0  # extension types
_ALPN = 16
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*\Z")
_ADDRESS = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f.]*:[0-9a-f:.]*)\Z")


@dataclass(frozen=True)
class ClientHello:
    """What the client asks for: the host name in lower case without a final dot (None: it typed an address), and the
    application protocols it offers, in its order. `extensions` are the types of all that it sent."""

    server_name: str | None
    alpn: tuple[str, ...] = ()
    extensions: frozenset[int] = field(default=frozenset(), compare=False)

    @property
    def greases(self) -> bool:
        """Whether it sent extensions that nobody has (RFC 8701), as Chromium and Safari do to keep servers tolerant."""
        return any(kind & 0x0F0F == 0x0A0A and kind >> 8 == kind & 0xFF for kind in self.extensions)


@dataclass(frozen=True)
class NotTls:
    """The first byte is not that of a TLS handshake record: plain HTTP, or noise."""


@dataclass(frozen=True)
class Malformed:
    """It began as TLS and broke a rule, or grew beyond MAX_HELLO_BYTES."""

    reason: str


Result = ClientHello | NotTls | Malformed


class _Broken(Exception):
    """A rule was broken; becomes Malformed at the machine's edge."""


class ClientHelloReader:
    """Fed in pieces of any size, it sets `result` once, and ignores what comes after."""

    def __init__(self) -> None:
        self.result: Result | None = None
        self.received = 0  # bytes taken so far
        self._buffer = bytearray()
        self._steps = self._run()
        next(self._steps)

    def receive(self, data: bytes) -> Result | None:
        """The result, or None while more bytes are needed."""
        if self.result is None and data:
            self.received += len(data)
            self._buffer += data
            try:
                next(self._steps)
            except StopIteration as stop:
                self.result = stop.value
            if self.result is None and self.received >= MAX_HELLO_BYTES:
                self.result = Malformed("the hello is too long")
        return self.result

    def _run(self) -> Generator[None, None, Result]:
        try:
            return (yield from self._hello())
        except _Broken as broken:
            return Malformed(str(broken))

    def _hello(self) -> Generator[None, None, Result]:
        message = bytearray()
        wanted = 4
        first = True
        while len(message) < wanted:
            while not self._buffer:
                yield
            if self._buffer[0] != _HANDSHAKE:
                if first:
                    return NotTls()
                raise _Broken("another record stands between the parts of the hello")
            header = yield from self._take(5)
            # RFC 8446 section 5.1: the version "MUST be ignored for all purposes"; 3.x is all that was ever sent.
            if header[1] != 3:
                raise _Broken("not a TLS record version")
            length = int.from_bytes(header[3:5], "big")
            if not 0 < length <= 2**14:
                # "Implementations MUST NOT send zero-length fragments of Handshake types"
                raise _Broken("a record of impossible length")
            message += yield from self._take(length)
            first = False
            if message[0] != _CLIENT_HELLO:
                raise _Broken("the first message is not a ClientHello")
            if len(message) >= 4:
                wanted = 4 + int.from_bytes(message[1:4], "big")
                if wanted > MAX_HELLO_BYTES:
                    raise _Broken("the hello is too long")
        return _parse(_Cursor(bytes(message[4:wanted])))

    def _take(self, count: int) -> Generator[None, None, bytes]:
        while len(self._buffer) < count:
            yield
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


class _Cursor:
    """Reads vectors with length prefixes, and refuses to read past the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise _Broken("a length points past the end")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def vector(self, width: int) -> _Cursor:
        return _Cursor(self.take(self.number(width)))

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)


def _parse(hello: _Cursor) -> ClientHello:
    hello.take(2 + 32)  # legacy_version, random
    hello.vector(1)  # legacy_session_id
    hello.vector(2)  # cipher_suites
    hello.vector(1)  # legacy_compression_methods
    server_name: str | None = None
    alpn: tuple[str, ...] = ()
    seen: set[int] = set()
    if hello:
        extensions = hello.vector(2)
        while extensions:
            kind = extensions.number(2)
            body = extensions.vector(2)
            # "There MUST NOT be more than one extension of the same type in a given extension block."
            if kind in seen:
                raise _Broken("an extension comes twice")
            seen.add(kind)
            if kind == _SERVER_NAME:
                server_name = _server_name(body)
            elif kind == _ALPN:
                alpn = _alpn(body)
    return ClientHello(server_name, alpn, frozenset(seen))


def _server_name(body: _Cursor) -> str | None:
    names = body.vector(2)
    found: str | None = None
    while names:
        kind = names.number(1)
        raw = names.vector(2).rest()
        if kind != 0:
            continue
        # RFC 6066: "MUST NOT contain more than one name of the same name_type"
        if found is not None:
            raise _Broken("two host names")
        found = raw.decode("latin-1").lower().removesuffix(".")
        if not _ADDRESS.match(found) and not _HOST_NAME.match(found):
            raise _Broken("the server name is not a host name")
    # "Literal IPv4 and IPv6 addresses are not permitted": who sends one all the same asked for no name.
    return None if found is None or _ADDRESS.match(found) else found


def _alpn(body: _Cursor) -> tuple[str, ...]:
    offered = body.vector(2)
    names: list[str] = []
    while offered:
        name = offered.vector(1).rest()
        if not name:
            raise _Broken("an empty application protocol")  # RFC 7301: "Empty strings MUST NOT be included"
        names.append(name.decode("latin-1"))
    return tuple(names)
