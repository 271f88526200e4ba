"""HTTP/1.1 messages for a proxy that believes neither side (RFC 9110, RFC 9112).

What two parsers could read in two ways is refused, never repaired: that difference is what request smuggling lives on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

MAX_HEAD_BYTES = 64 * 1024
MAX_FIELDS = 100
MAX_CHUNK_LINE_BYTES = 256  # a size and its extensions, which are dropped
MAX_TRAILER_BYTES = 8 * 1024

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_TEXT = rb"[\t\x20-\x7e\x80-\xff]"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb"{1,32}) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: (" + _TEXT + rb"*))?")
# No line folding, no space before the colon, no control character, so no bare CR, bare LF or NUL.
_FIELDS = re.compile(rb"(?:" + _TOKEN + rb"++:" + _TEXT + rb"*+\r\n)*+")
# The first place where a lenient parser would see the end: the strict rules then judge what stands before it.
_END = re.compile(rb"\n\r?\n")
_ABSOLUTE = re.compile(rb"https?://([^/?#]+)([/?].*)?", re.IGNORECASE)
_HOST = re.compile(rb"(?:[A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;" + _TEXT + rb"*)?\r")


class Field(NamedTuple):
    """`name` in lower case, `value` without outer space, `line` as it came (checked, without CRLF)."""

    name: bytes
    value: bytes
    line: bytes


class Framing(Enum):
    """How the end of a body is known."""

    NONE = auto()
    LENGTH = auto()
    CHUNKED = auto()
    CLOSE = auto()


@dataclass(frozen=True, slots=True)
class RequestHead:
    """`target` is in origin form (or `*`), `host` the authority asked for (of the target, where it has one; empty only
    in HTTP/1.0). `connection` are the options named there, in lower case. `upgrade` is set where the client may be
    switched to another protocol: never on a request with a body, and never for h2c."""

    method: bytes
    target: bytes
    minor: int
    host: bytes
    fields: tuple[Field, ...]
    framing: Framing
    length: int
    connection: frozenset[bytes]
    keep_alive: bool
    upgrade: bytes | None
    expects_continue: bool

    def value(self, name: bytes) -> bytes:
        """Of the first field with this (lower case) name, or empty."""
        return next((field.value for field in self.fields if field.name == name), b"")


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """`length` counts with Framing.LENGTH only; a response to HEAD has no framing whatever its fields say."""

    status: int
    reason: bytes
    minor: int
    fields: tuple[Field, ...]
    framing: Framing
    length: int
    connection: frozenset[bytes]
    keep_alive: bool


@dataclass(frozen=True, slots=True)
class End:
    """The message is complete. Trailers that would change its meaning are dropped."""

    trailers: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Malformed:
    """A rule was broken; nothing after it can be trusted. `status` is what a client deserves to hear."""

    reason: str
    status: int = 400


class _Broken(Exception):
    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class _State(Enum):
    HEAD = auto()
    LENGTH = auto()
    CHUNK_LINE = auto()
    CHUNK_DATA = auto()
    CHUNK_END = auto()
    TRAILERS = auto()
    CLOSE = auto()
    DONE = auto()
    BROKEN = auto()


_EMPTY: frozenset[bytes] = frozenset()
_KEEP_ALIVE = frozenset({b"keep-alive"})
# RFC 9110 section 6.5.1: framing, routing, authentication and the like may not come after the body.
_NO_TRAILER = frozenset(
    b"transfer-encoding content-length host connection trailer te upgrade expect authorization cookie set-cookie "
    b"content-encoding content-type content-range cache-control location".split()
)


class _Reader:
    """Bytes in with `receive`, events out with `next_event`: a head, pieces of body as plain `bytes`, `End`.

    It stops after End until `restart`, so that a pipelined message waits its turn; what waits is `pending` bytes.
    """

    __slots__ = ("_at", "_buffer", "_left", "_searched", "_state")

    def __init__(self) -> None:
        self._buffer = b""
        self._at = 0  # everything before it has become events
        self._searched = 0  # no end of a head or trailer starts before it
        self._left = 0  # bytes of the body or the chunk that are still to come
        self._state = _State.HEAD

    @property
    def pending(self) -> int:
        """Bytes received that no event has covered yet."""
        return len(self._buffer) - self._at

    @property
    def idle(self) -> bool:
        """Between messages, with nothing of the next one here."""
        return self._state in (_State.HEAD, _State.DONE) and not self.pending

    def receive(self, data: bytes) -> None:
        if self._at == len(self._buffer):
            self._buffer = data
        else:
            self._buffer = self._buffer[self._at :] + data
        self._searched = max(0, self._searched - self._at)
        self._at = 0

    def restart(self) -> None:
        """After End: go on with the next message."""
        if self._state is _State.DONE:
            self._state = _State.HEAD

    def rest(self) -> bytes:
        """Take what no event has covered: the first bytes of the protocol that was switched to."""
        taken = self._buffer[self._at :]
        self._buffer, self._at = b"", 0
        return taken

    def _body(self) -> bytes | End | None:
        """The next event of a body, or None while more bytes are needed."""
        while True:
            match self._state:
                case _State.LENGTH | _State.CHUNK_DATA | _State.CLOSE:
                    return self._piece()
                case _State.CHUNK_LINE:
                    if not self._chunk_line():
                        return None
                case _State.CHUNK_END:
                    if self.pending < 2:
                        return None
                    if self._buffer[self._at : self._at + 2] != b"\r\n":
                        raise _Broken("a chunk is longer than its size")
                    self._at += 2
                    self._state = _State.CHUNK_LINE
                case _State.TRAILERS:
                    return self._trailers()
                case _:
                    return None

    def _piece(self) -> bytes | None:
        available = len(self._buffer) - self._at
        if not available:
            return None
        if self._state is _State.CLOSE or available < self._left:
            piece = self._buffer[self._at :] if self._at else self._buffer
            self._at = len(self._buffer)
            self._left -= available
            return piece
        end = self._at + self._left
        piece = self._buffer[self._at : end]
        self._at = end
        self._left = 0
        if self._state is _State.CHUNK_DATA:
            self._state = _State.CHUNK_END
        return piece

    def _finish(self, trailers: tuple[Field, ...] = ()) -> End:
        self._state = _State.DONE
        self._searched = 0
        return End(trailers)

    def _chunk_line(self) -> bool:
        end = self._buffer.find(b"\n", self._at, self._at + MAX_CHUNK_LINE_BYTES)
        if end < 0:
            if self.pending >= MAX_CHUNK_LINE_BYTES:
                raise _Broken("a chunk's size line is too long")
            return False
        line = _CHUNK.fullmatch(self._buffer, self._at, end)
        if line is None:
            raise _Broken("a chunk's size is not a number")
        self._at = end + 1
        self._left = int(line[1], 16)
        self._state = _State.CHUNK_DATA if self._left else _State.TRAILERS
        self._searched = self._at
        return True

    def _trailers(self) -> End | None:
        if self.pending < 2:
            return None
        if self._buffer[self._at : self._at + 2] == b"\r\n":
            self._at += 2
            return self._finish()
        block = self._block(MAX_TRAILER_BYTES)
        if block is None:
            return None
        return self._finish(tuple(f for f in _fields(block) if f.name not in _NO_TRAILER))

    def _block(self, limit: int) -> bytes | None:
        """Everything up to an empty line, with the CRLF of its last line; None while it is not complete."""
        end = _END.search(self._buffer, max(self._at, self._searched))
        if end is None:
            if self.pending > limit:
                raise _Broken("the head is too large", 431)
            self._searched = max(self._at, len(self._buffer) - 2)
            return None
        if end.end() - self._at > limit:
            raise _Broken("the head is too large", 431)
        if end.end() - end.start() != 3:
            raise _Broken("a line does not end with CRLF")
        block = self._buffer[self._at : end.start() + 1]
        self._at = self._searched = end.end()
        return block

    def _begin_body(self, framing: Framing, length: int) -> bool:
        """Whether there is a body to wait for."""
        self._left = length
        if framing is Framing.CHUNKED:
            self._state = _State.CHUNK_LINE
        elif framing is Framing.CLOSE:
            self._state = _State.CLOSE
        elif framing is Framing.LENGTH and length:
            self._state = _State.LENGTH
        else:
            self._state = _State.DONE
            return False
        return True


class RequestReader(_Reader):
    """Reads what a client sends."""

    __slots__ = ("_end_owed", "_skipped")

    def __init__(self) -> None:
        super().__init__()
        self._end_owed = False
        self._skipped = False

    def next_event(self) -> RequestHead | bytes | End | Malformed | None:
        """The next event, or None while more bytes (or `restart`) are needed. After Malformed there is nothing."""
        try:
            if self._end_owed:
                self._end_owed = False
                return self._finish()
            if self._state is not _State.HEAD:
                return self._advance()
            # RFC 9112 section 2.2: one empty line before the request line is an old client's bug, and tolerated.
            if not self._skipped and self._buffer.startswith(b"\r\n", self._at):
                self._at += 2
                self._skipped = True
            elif not self._skipped and self.pending == 1 and self._buffer[self._at] == 0x0D:
                return None
            block = self._block(MAX_HEAD_BYTES)
            if block is None:
                return None
            head = _request_head(block)
            self._skipped = False
            self._end_owed = not self._begin_body(head.framing, head.length)
            return head
        except _Broken as broken:
            self._state = _State.BROKEN
            return Malformed(broken.reason, broken.status)

    def _advance(self) -> bytes | End | None:
        if self._state is _State.LENGTH and not self._left:
            return self._finish()
        return self._body()


class ResponseReader(_Reader):
    """Reads what an app answers to one request after the other. Informational responses come as heads of their own."""

    __slots__ = ("_end_owed", "_head_only")

    def __init__(self) -> None:
        super().__init__()
        self._end_owed = False
        self._head_only = False

    def expect(self, method: bytes) -> None:
        """The next final response answers a request with this method."""
        self._head_only = method == b"HEAD"
        self.restart()

    def next_event(self) -> ResponseHead | bytes | End | Malformed | None:
        """The next event, or None while more bytes are needed. After a head with status 101 there is only `rest`."""
        try:
            if self._end_owed:
                self._end_owed = False
                return self._finish()
            if self._state is not _State.HEAD:
                if self._state is _State.LENGTH and not self._left:
                    return self._finish()
                return self._body()
            block = self._block(MAX_HEAD_BYTES)
            if block is None:
                return None
            head = _response_head(block, self._head_only)
            if head.status >= 200 or head.status == 101:
                self._end_owed = not self._begin_body(head.framing, head.length) and head.status != 101
            return head
        except _Broken as broken:
            self._state = _State.BROKEN
            return Malformed(broken.reason, 502)

    def receive_eof(self) -> End | Malformed | None:
        """The app closed: the End of a body that ends that way, None between messages, else Malformed."""
        if self._state is _State.CLOSE:
            return self._finish()
        if self.idle and not self._end_owed:
            return None
        self._state = _State.BROKEN
        return Malformed("the app closed the connection in the middle of its answer", 502)


def _fields(block: bytes) -> list[Field]:
    if _FIELDS.fullmatch(block) is None:
        raise _Broken("a header field breaks the rules")
    lines = block.split(b"\r\n")
    lines.pop()
    if len(lines) > MAX_FIELDS:
        raise _Broken("there are too many header fields", 431)
    fields = []
    for line in lines:
        name, _, value = line.partition(b":")
        fields.append(Field(name.lower(), value.strip(b" \t"), line))
    return fields


def _options(values: list[bytes]) -> frozenset[bytes]:
    if not values:
        return _EMPTY
    if values == [b"keep-alive"]:
        return _KEEP_ALIVE
    return frozenset(option.strip(b" \t").lower() for value in values for option in value.split(b","))


def _keeps_alive(minor: int, connection: frozenset[bytes]) -> bool:
    return b"close" not in connection and (minor == 1 or b"keep-alive" in connection)


def _content_length(values: list[bytes]) -> int | None:
    """RFC 9110 section 8.6. The same number twice is one number; a list in one field is not taken apart."""
    if not values:
        return None
    if any(value != values[0] for value in values) or _LENGTH.fullmatch(values[0]) is None:
        raise _Broken("Content-Length is not one number")
    return int(values[0])


def _chunked(values: list[bytes], minor: int, has_length: bool) -> bool:
    """RFC 9112 section 6.1: both Transfer-Encoding and Content-Length "ought to be handled as an error"."""
    if not values:
        return False
    if minor == 0:
        raise _Broken("Transfer-Encoding in HTTP/1.0")
    if has_length:
        raise _Broken("both Transfer-Encoding and Content-Length")
    if len(values) != 1 or values[0].lower() != b"chunked":
        raise _Broken("the transfer coding is not chunked", 501)
    return True


class _Named(NamedTuple):
    """The values of the fields that decide about the message itself."""

    host: list[bytes]
    connection: list[bytes]
    length: list[bytes]
    transfer: list[bytes]
    upgrade: list[bytes]
    expect: list[bytes]


def _named(fields: list[Field]) -> _Named:
    named = _Named([], [], [], [], [], [])
    for name, value, _ in fields:
        if name == b"host":
            named.host.append(value)
        elif name == b"connection":
            named.connection.append(value)
        elif name == b"content-length":
            named.length.append(value)
        elif name == b"transfer-encoding":
            named.transfer.append(value)
        elif name == b"upgrade":
            named.upgrade.append(value)
        elif name == b"expect":
            named.expect.append(value)
    return named


def _request_head(block: bytes) -> RequestHead:
    end = block.index(b"\n") + 1
    line = _REQUEST_LINE.fullmatch(block, 0, end - 2)
    if line is None or block[end - 2] != 0x0D:
        raise _Broken("the request line breaks the rules")
    method, target, minor = line[1], line[2], int(line[3])
    fields = _fields(block[end:])
    named = _named(fields)
    if len(named.host) > 1 or (minor == 1 and not named.host):
        raise _Broken("there must be one Host")
    host = named.host[0] if named.host else b""
    if named.host and _HOST.fullmatch(host) is None:
        raise _Broken("the Host is not a host")
    target, host = _origin_form(method, target, host)
    length = _content_length(named.length)
    chunked = _chunked(named.transfer, minor, length is not None)
    framing = Framing.CHUNKED if chunked else Framing.LENGTH if length else Framing.NONE
    connection = _options(named.connection)
    expects = False
    if named.expect and minor == 1:
        if [value.lower() for value in named.expect] != [b"100-continue"]:
            raise _Broken("the expectation is unknown", 417)
        expects = framing is not Framing.NONE
    upgrade = None
    if minor == 1 and b"upgrade" in connection and len(named.upgrade) == 1 and framing is Framing.NONE:
        wanted = named.upgrade[0]
        # h2c would carry requests that nobody on the way can see.
        upgrade = wanted if b"h2c" not in wanted.lower() else None
    return RequestHead(
        method,
        target,
        minor,
        host,
        tuple(fields),
        framing,
        length or 0,
        connection,
        _keeps_alive(minor, connection),
        upgrade,
        expects,
    )


def _origin_form(method: bytes, target: bytes, host: bytes) -> tuple[bytes, bytes]:
    """RFC 9112 section 3.2: the authority of an absolute target counts, not the Host beside it."""
    if target.startswith(b"/") or (target == b"*" and method == b"OPTIONS"):
        return target, host
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or method == b"CONNECT":
        raise _Broken("the request target is none that is served here")
    authority, path = absolute[1], absolute[2] or b"/"
    if _HOST.fullmatch(authority) is None:
        raise _Broken("the request target's host is not a host")
    return (path if path.startswith(b"/") else b"/" + path), authority


def _response_head(block: bytes, head_only: bool) -> ResponseHead:
    end = block.index(b"\n") + 1
    line = _STATUS_LINE.fullmatch(block, 0, end - 2)
    if line is None or block[end - 2] != 0x0D:
        raise _Broken("the status line breaks the rules")
    minor, status = int(line[1]), int(line[2])
    fields = _fields(block[end:])
    named = _named(fields)
    length = _content_length(named.length)
    chunked = _chunked(named.transfer, minor, length is not None)
    connection = _options(named.connection)
    if head_only or status < 200 or status in (204, 304):
        framing = Framing.NONE
    elif chunked:
        framing = Framing.CHUNKED
    elif length is not None:
        framing = Framing.LENGTH
    else:
        framing = Framing.CLOSE
    keep_alive = _keeps_alive(minor, connection) and framing is not Framing.CLOSE
    reason = line[3] or b""
    return ResponseHead(status, reason, minor, tuple(fields), framing, length or 0, connection, keep_alive)
