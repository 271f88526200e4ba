"""What a relay answered: a status, fields, a body; and what the envelope says of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from homeport.testing.relay_client.stream import ByteStream

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 8 * 1024 * 1024


class Refused(Exception):
    """The relay said no: `status` and `code` of its envelope ("" without one)."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status} {answer.code}: {answer.body[:200]!r}")
        self.answer = answer
        self.status = answer.status
        self.code = answer.code


@dataclass(frozen=True)
class Answer:
    """`head` is the status line and all fields as they came, without the blank line; `fields` have lower-case names."""

    status: int
    head: bytes
    fields: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of the envelope's error, "" if there is none."""
        try:
            content = self.json()
        except ValueError:
            return ""
        error = content.get("error") if isinstance(content, dict) else None
        return str(error["code"]) if isinstance(error, dict) else ""

    @property
    def data(self) -> dict[str, Any]:
        """Of a success. Raises Refused for anything else, and ValueError for what is no envelope."""
        if not 200 <= self.status < 300:
            raise Refused(self)
        content = self.json()
        if not isinstance(content, dict) or content.get("ok") is not True or content.get("error") is not None:
            raise ValueError(f"not an envelope of success: {self.body[:200]!r}")
        if not isinstance(content.get("data"), dict):
            raise ValueError("a success without data")
        return dict(content["data"])


def read_head(stream: ByteStream) -> tuple[bytes, bytes]:
    """A head without its blank line, and what came after it. Raises EOFError."""
    seen = b""
    while b"\r\n\r\n" not in seen:
        piece = stream.recv(65536)
        if not piece:
            raise EOFError(f"the relay closed after {seen[:200]!r}")
        seen += piece
        if len(seen) > MAX_HEAD_BYTES:
            raise ValueError("the head has no end")
    head, _, rest = seen.partition(b"\r\n\r\n")
    return head, rest


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """The status and the fields."""
    line, *lines = head.decode("latin-1").split("\r\n")
    version, status, *_ = line.split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"not HTTP: {line!r}")
    return int(status), {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}


def read_answer(stream: ByteStream, *, method: str = "GET") -> Answer:
    """One whole answer; afterwards the stream is at the start of the next. Raises EOFError."""
    head, rest = read_head(stream)
    status, fields = parse_head(head)
    if method == "HEAD" or status in (204, 304):
        return Answer(status, head, fields, b"")
    if fields.get("transfer-encoding", "").lower() == "chunked":
        body = _chunks(stream, rest)
    elif "content-length" in fields:
        length = int(fields["content-length"])
        if length > MAX_BODY_BYTES:
            raise ValueError("the body is too long")
        body = rest
        while len(body) < length:
            body += _more(stream)
    else:
        body = rest
        while piece := stream.recv(65536):
            body += piece
    return Answer(status, head, fields, body)


def _chunks(stream: ByteStream, seen: bytes) -> bytes:
    body = b""
    while True:
        while b"\r\n" not in seen:
            seen += _more(stream)
        line, _, seen = seen.partition(b"\r\n")
        size = int(line.split(b";")[0], 16)
        while len(seen) < size + 2:
            seen += _more(stream)
        body, seen = body + seen[:size], seen[size + 2 :]
        if not size:
            return body


def _more(stream: ByteStream) -> bytes:
    piece = stream.recv(65536)
    if not piece:
        raise EOFError("the relay closed in the middle of an answer")
    return piece
