"""The heads of HTTP/1.1 messages for a proxy that believes neither side (RFC 9110, RFC 9112).

What two parsers could read in two ways is refused, never repaired: that difference is what request smuggling lives on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

MAX_FIELDS = 100

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_TEXT = rb"[\t\x20-\x7e\x80-\xff]"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb"{1,32}) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: (" + _TEXT + rb"*))?")
# No line folding, no space before the colon, no control character, so no bare CR, bare LF or NUL.
_FIELDS = re.compile(rb"(?:" + _TOKEN + rb"++:" + _TEXT + rb"*+\r\n)*+")
_ABSOLUTE = re.compile(rb"https?://([^/?#]+)([/?].*)?", re.IGNORECASE)
_HOST = re.compile(rb"(?:[A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_LENGTH = re.compile(rb"[0-9]{1,18}")


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


class Broken(Exception):
    """A rule was broken; the machines turn it into an event, and nobody else sees it."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


_EMPTY: frozenset[bytes] = frozenset()
_KEEP_ALIVE = frozenset({b"keep-alive"})


def parse_fields(block: bytes) -> list[Field]:
    """Whole lines, each with its CRLF. Raises Broken."""
    if _FIELDS.fullmatch(block) is None:
        raise Broken("a header field breaks the rules")
    lines = block.split(b"\r\n")
    lines.pop()
    if len(lines) > MAX_FIELDS:
        raise Broken("there are too many header fields", 431)
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
        raise Broken("Content-Length is not one number")
    return int(values[0])


def _chunked(values: list[bytes], minor: int, has_length: bool) -> bool:
    """RFC 9112 section 6.1: both Transfer-Encoding and Content-Length "ought to be handled as an error"."""
    if not values:
        return False
    if minor == 0:
        raise Broken("Transfer-Encoding in HTTP/1.0")
    if has_length:
        raise Broken("both Transfer-Encoding and Content-Length")
    if len(values) != 1 or values[0].lower() != b"chunked":
        raise Broken("the transfer coding is not chunked", 501)
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


def parse_request_head(block: bytes) -> RequestHead:
    """`block` ends with the CRLF of its last line. Raises Broken."""
    end = block.index(b"\n") + 1
    line = _REQUEST_LINE.fullmatch(block, 0, end - 2)
    if line is None or block[end - 2] != 0x0D:
        raise Broken("the request line breaks the rules")
    method, target, minor = line[1], line[2], int(line[3])
    fields = parse_fields(block[end:])
    named = _named(fields)
    if len(named.host) > 1 or (minor == 1 and not named.host):
        raise Broken("there must be one Host")
    host = named.host[0] if named.host else b""
    if named.host and _HOST.fullmatch(host) is None:
        raise Broken("the Host is not a host")
    target, host = _origin_form(method, target, host)
    length = _content_length(named.length)
    chunked = _chunked(named.transfer, minor, length is not None)
    framing = Framing.CHUNKED if chunked else Framing.LENGTH if length else Framing.NONE
    connection = _options(named.connection)
    expects = False
    if named.expect and minor == 1:
        if [value.lower() for value in named.expect] != [b"100-continue"]:
            raise Broken("the expectation is unknown", 417)
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
        raise Broken("the request target is none that is served here")
    authority, path = absolute[1], absolute[2] or b"/"
    if _HOST.fullmatch(authority) is None:
        raise Broken("the request target's host is not a host")
    return (path if path.startswith(b"/") else b"/" + path), authority


def parse_response_head(block: bytes, *, head_only: bool) -> ResponseHead:
    """`block` ends with the CRLF of its last line; `head_only`: it answers a HEAD. Raises Broken."""
    end = block.index(b"\n") + 1
    line = _STATUS_LINE.fullmatch(block, 0, end - 2)
    if line is None or block[end - 2] != 0x0D:
        raise Broken("the status line breaks the rules")
    minor, status = int(line[1]), int(line[2])
    fields = parse_fields(block[end:])
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
