"""What changes in a message's head on its way through (RFC 9110 section 7.6)."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from homeport.services.proxy.pages import Trouble, render, wants_html
from homeport.wire.http1 import Field, Framing, RequestHead, ResponseHead

_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authorization te transfer-encoding upgrade http2-settings".split()
)
# What the proxy says itself, and `Proxy`, which CGI programs mistake for a setting of their own (httpoxy).
_SPOKEN_FOR = frozenset(
    b"host content-length expect forwarded x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port "
    b"x-forwarded-server x-forwarded-prefix x-forwarded-ssl x-real-ip x-homeport-user proxy".split()
)
_NOT_TO_APP = _HOP_BY_HOP | _SPOKEN_FOR
_NOT_TO_CLIENT = _HOP_BY_HOP
_WITH_BODY = frozenset((b"POST", b"PUT", b"PATCH"))
_STATUS_LINES = {status.value: b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode()) for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is at the other end of a client's connection, and how it came; `user` is who signed in for it, verified."""

    address: bytes
    scheme: bytes
    user: bytes | None = None


def to_app(head: RequestHead, host: bytes, visitor: Visitor) -> bytes:
    """The request's head for the app: HTTP/1.1, forwarding fields set anew, hop-by-hop fields gone."""
    parts = [head.method, b" ", head.target, b" HTTP/1.1\r\nHost: ", host, b"\r\n"]
    named = head.connection
    for name, _, line in head.fields:
        if name in _NOT_TO_APP or name in named:
            continue
        # WSGI and CGI make one name of X_Real_IP and X-Real-IP.
        if b"_" in name and name.replace(b"_", b"-") in _NOT_TO_APP:
            continue
        parts += (line, b"\r\n")
    if head.framing is Framing.CHUNKED:
        parts.append(b"Transfer-Encoding: chunked\r\n")
    elif head.length or head.method in _WITH_BODY:
        parts.append(b"Content-Length: %d\r\n" % head.length)
    if head.expects_continue:
        parts.append(b"Expect: 100-continue\r\n")
    if head.upgrade is not None:
        parts.append(b"Connection: Upgrade\r\nUpgrade: %s\r\n" % head.upgrade)
    if visitor.user is not None:
        parts.append(b"X-Homeport-User: %b\r\n" % visitor.user)
    parts.append(
        b"X-Forwarded-For: %b\r\nX-Real-IP: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\n"
        b"X-Forwarded-Port: %b\r\n\r\n"
        % (visitor.address, visitor.address, visitor.scheme, host, _port(host, visitor.scheme))
    )
    return b"".join(parts)


def to_client(response: ResponseHead, *, connection: bytes, chunked: bool) -> bytes:
    """The answer's head for the client. `connection` is the line to add, or empty; `chunked` says how the body goes."""
    parts = [_status_line(response)]
    named = response.connection
    length_said = response.status < 200 or response.status == 204
    for name, _, line in response.fields:
        if name in _NOT_TO_CLIENT or name in named:
            continue
        if name == b"content-length":
            if length_said:
                continue
            length_said = True
        parts += (line, b"\r\n")
    if chunked:
        parts.append(b"Transfer-Encoding: chunked\r\n")
    parts += (connection, b"\r\n")
    return b"".join(parts)


def switched(response: ResponseHead) -> bytes:
    """The 101 that opens a tunnel."""
    upgrade = next((field.value for field in response.fields if field.name == b"upgrade"), b"")
    return to_client(response, connection=b"Connection: Upgrade\r\nUpgrade: %s\r\n" % upgrade, chunked=False)


def trouble(problem: Trouble, *, name: str, head: RequestHead | None, keep_alive: bool) -> bytes:
    """A whole answer of the proxy's own, page included (without it for HEAD)."""
    accept = head.value(b"accept") if head is not None else b""
    kind, body = render(problem, name=name, html=wants_html(accept))
    retry = b"Retry-After: %d\r\n" % problem.retry_after if problem.retry_after is not None else b""
    line = _STATUS_LINES[problem.status]
    answer = b"%bContent-Type: %b\r\nContent-Length: %d\r\nCache-Control: no-store\r\n%bConnection: %b\r\n\r\n" % (
        line,
        kind,
        len(body),
        retry,
        b"keep-alive" if keep_alive else b"close",
    )
    return answer if head is not None and head.method == b"HEAD" else answer + body


def trailer_block(trailers: tuple[Field, ...]) -> bytes:
    """The end of a chunked body. Servers that merge trailers into the head must not learn there who somebody is."""
    lines = [line for name, _, line in trailers if name.replace(b"_", b"-") not in _NOT_TO_APP]
    return b"0\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def _port(host: bytes, scheme: bytes) -> bytes:
    """The port that the visitor typed, or meant."""
    colon = host.rfind(b":")
    if colon > host.rfind(b"]"):
        return host[colon + 1 :]
    return b"443" if scheme == b"https" else b"80"


def _status_line(response: ResponseHead) -> bytes:
    if not response.reason and response.status in _STATUS_LINES:
        return _STATUS_LINES[response.status]
    return b"HTTP/1.1 %d %s\r\n" % (response.status, response.reason)
