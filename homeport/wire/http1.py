"""HTTP/1.1 messages as machines: bytes in, heads, pieces of body and ends out (RFC 9112)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from homeport.wire.http_head import (
    MAX_FIELDS,
    Broken,
    Field,
    Framing,
    RequestHead,
    ResponseHead,
    parse_fields,
    parse_request_head,
    parse_response_head,
)

__all__ = [
    "MAX_CHUNK_LINE_BYTES",
    "MAX_FIELDS",
    "MAX_HEAD_BYTES",
    "MAX_TRAILER_BYTES",
    "End",
    "Field",
    "Framing",
    "Malformed",
    "RequestHead",
    "RequestReader",
    "ResponseHead",
    "ResponseReader",
]

MAX_HEAD_BYTES = 64 * 1024
MAX_CHUNK_LINE_BYTES = 256  # a size and its extensions, which are dropped
MAX_TRAILER_BYTES = 8 * 1024

# The first place where a lenient parser would see the end: the strict rules then judge what stands before it.
_END = re.compile(rb"\n\r?\n")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t\x20-\x7e\x80-\xff]*)?\r")

# Plain numbers: a member of an Enum costs a call to look up in Python 3.11, and these are looked at for every piece.
_HEAD: Final = 0
_LENGTH: Final = 1
_CHUNK_LINE: Final = 2
_CHUNK_DATA: Final = 3
_CHUNK_END: Final = 4
_TRAILERS: Final = 5
_CLOSE: Final = 6
_DONE: Final = 7
_BROKEN: Final = 8
_NO_BODY, _BY_LENGTH, _BY_CHUNKS = Framing.NONE, Framing.LENGTH, Framing.CHUNKED

# RFC 9110 section 6.5.1: framing, routing, authentication and the like may not come after the body.
_NO_TRAILER = frozenset(
    b"transfer-encoding content-length host connection trailer te upgrade expect authorization cookie set-cookie "
    b"content-encoding content-type content-range cache-control location".split()
)


@dataclass(frozen=True, slots=True)
class End:
    """The message is complete. Trailers that would change its meaning are dropped."""

    trailers: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Malformed:
    """A rule was broken; nothing after it can be trusted. `status` is what a client deserves to hear."""

    reason: str
    status: int = 400


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
        self._state: int = _HEAD

    @property
    def pending(self) -> int:
        """Bytes received that no event has covered yet."""
        return len(self._buffer) - self._at

    @property
    def idle(self) -> bool:
        """Between messages, with nothing of the next one here."""
        return self._state in (_HEAD, _DONE) and not self.pending

    def receive(self, data: bytes) -> None:
        if self._at == len(self._buffer):
            self._buffer = data
        else:
            self._buffer = self._buffer[self._at :] + data
        self._searched = max(0, self._searched - self._at)
        self._at = 0

    def restart(self) -> None:
        """After End: go on with the next message."""
        if self._state == _DONE:
            self._state = _HEAD

    def rest(self) -> bytes:
        """Take what no event has covered: the first bytes of the protocol that was switched to."""
        taken = self._buffer[self._at :]
        self._buffer, self._at = b"", 0
        return taken

    def _body(self) -> bytes | End | None:
        """The next event of a body, or None while more bytes are needed."""
        while True:
            state = self._state
            if state in (_LENGTH, _CHUNK_DATA, _CLOSE):
                return self._piece()
            if state == _CHUNK_LINE:
                if not self._chunk_line():
                    return None
            elif state == _CHUNK_END:
                if self.pending < 2:
                    return None
                if self._buffer[self._at : self._at + 2] != b"\r\n":
                    raise Broken("a chunk is longer than its size")
                self._at += 2
                self._state = _CHUNK_LINE
            elif state == _TRAILERS:
                return self._trailers()
            else:
                return None

    def _piece(self) -> bytes | None:
        available = len(self._buffer) - self._at
        if not available:
            return None
        if self._state == _CLOSE or available < self._left:
            piece = self._buffer[self._at :] if self._at else self._buffer
            self._at = len(self._buffer)
            self._left -= available
            return piece
        end = self._at + self._left
        piece = self._buffer[self._at : end]
        self._at = end
        self._left = 0
        if self._state == _CHUNK_DATA:
            self._state = _CHUNK_END
        return piece

    def _finish(self, trailers: tuple[Field, ...] = ()) -> End:
        self._state = _DONE
        self._searched = 0
        return End(trailers)

    def _chunk_line(self) -> bool:
        end = self._buffer.find(b"\n", self._at, self._at + MAX_CHUNK_LINE_BYTES)
        if end < 0:
            if self.pending >= MAX_CHUNK_LINE_BYTES:
                raise Broken("a chunk's size line is too long")
            return False
        line = _CHUNK.fullmatch(self._buffer, self._at, end)
        if line is None:
            raise Broken("a chunk's size is not a number")
        self._at = end + 1
        self._left = int(line[1], 16)
        self._state = _CHUNK_DATA if self._left else _TRAILERS
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
        return self._finish(tuple(f for f in parse_fields(block) if f.name not in _NO_TRAILER))

    def _block(self, limit: int) -> bytes | None:
        """Everything up to an empty line, with the CRLF of its last line; None while it is not complete."""
        end = _END.search(self._buffer, max(self._at, self._searched))
        if end is None:
            if self.pending > limit:
                raise Broken("the head is too large", 431)
            self._searched = max(self._at, len(self._buffer) - 2)
            return None
        if end.end() - self._at > limit:
            raise Broken("the head is too large", 431)
        if end.end() - end.start() != 3:
            raise Broken("a line does not end with CRLF")
        block = self._buffer[self._at : end.start() + 1]
        self._at = self._searched = end.end()
        return block

    def _begin_body(self, framing: Framing, length: int) -> bool:
        """Whether there is a body to wait for."""
        self._left = length
        if framing is _NO_BODY or (framing is _BY_LENGTH and not length):
            self._state = _DONE
            return False
        self._state = _LENGTH if framing is _BY_LENGTH else _CHUNK_LINE if framing is _BY_CHUNKS else _CLOSE
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
            if self._state != _HEAD:
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
            head = parse_request_head(block)
            self._skipped = False
            self._end_owed = not self._begin_body(head.framing, head.length)
            return head
        except Broken as broken:
            self._state = _BROKEN
            return Malformed(broken.reason, broken.status)

    def _advance(self) -> bytes | End | None:
        if self._state == _LENGTH and not self._left:
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
            if self._state != _HEAD:
                if self._state == _LENGTH and not self._left:
                    return self._finish()
                return self._body()
            block = self._block(MAX_HEAD_BYTES)
            if block is None:
                return None
            head = parse_response_head(block, head_only=self._head_only)
            if head.status >= 200 or head.status == 101:
                self._end_owed = not self._begin_body(head.framing, head.length) and head.status != 101
            return head
        except Broken as broken:
            self._state = _BROKEN
            return Malformed(broken.reason, 502)

    def receive_eof(self) -> End | Malformed | None:
        """The app closed: the End of a body that ends that way, None between messages, else Malformed."""
        if self._state == _CLOSE:
            return self._finish()
        if self.idle and not self._end_owed:
            return None
        self._state = _BROKEN
        return Malformed("the app closed the connection in the middle of its answer", 502)
