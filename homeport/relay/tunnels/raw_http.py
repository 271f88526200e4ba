"""Requests that are answered without the application: what agents ask often, and what leaves HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from homeport.wire.http_head import RequestHead


@dataclass(frozen=True, slots=True)
class RawRoute:
    """Answers one path. `answer` gets the head, the whole body (at most `max_body` bytes; more is answered 413 before
    it is asked) and the peer's address, and gives a complete response, as `response` makes it."""

    max_body: int
    answer: Callable[[RequestHead, bytes, str], bytes | Awaitable[bytes]]


def response(
    status: int, body: bytes, headers: Mapping[str, str] | None = None, *, kind: str = "application/json"
) -> bytes:
    """A whole HTTP/1.1 response with a Content-Length; the connection stays open unless `headers` say otherwise."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"content-type: {kind}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join((*lines, "", "")).encode() + body
