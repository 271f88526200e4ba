"""What stands around every request: its id, size limit, safety headers, and a roof for bugs. Plain ASGI, one layer."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homeport.identity.guard import CALL
from homeport.relay.envelope import takes_no_head
from homeport.web.errors import bug_response

MAX_BODY_BYTES = 1024 * 1024
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_API_POLICY = "default-src 'none'; frame-ancestors 'none'"

log = structlog.get_logger()


def page_policy(base_url: str) -> str:
    """The content security policy of our pages. Mantine writes style elements, so only styles may be inline."""
    socket = base_url.replace("https://", "wss://", 1)
    return "; ".join(
        (
            "default-src 'self'",
            "script-src 'self'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            f"connect-src 'self' {socket}",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


class Shell:
    """`unbounded` are the paths whose routes read a body as a stream and limit it themselves."""

    def __init__(self, app: ASGIApp, *, base_url: Callable[[], str], unbounded: frozenset[str]) -> None:
        self._app = app
        self._base_url = base_url
        self._unbounded = unbounded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = _request_id(scope)
        path: str = scope["path"]
        outer, is_head = scope, scope["method"] == "HEAD"
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if CALL in scope:
                    outer[CALL] = scope[CALL]  # for the trail, where this scope is a copy
                self._dress(MutableHeaders(scope=message), path, request_id)
            elif is_head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        if is_head and not takes_no_head(path):  # whatever can be got can be asked about
            scope = {**scope, "method": "GET"}
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive if path in self._unbounded else _limited(scope, receive), answer)
            except ClientDisconnect:
                log.debug("closed: the client left", path=path)
            except Exception:
                log.exception("bug", method=scope["method"], path=path)
                if started:
                    raise  # half an answer cannot be mended: the server cuts the connection
                await bug_response(request_id)(scope, receive, answer)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = _request_id(scope)
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "websocket.http.response.start":
                self._dress(MutableHeaders(scope=message), scope["path"], request_id)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, answer)
            except OSError:
                log.debug("closed: the client left", path=scope["path"])  # uvicorn says so when the other end is gone
            except Exception:
                log.exception("bug", path=scope["path"])
                if started:
                    raise
                await bug_response(request_id)(scope, receive, answer)

    def _dress(self, headers: MutableHeaders, path: str, request_id: str) -> None:
        headers["x-request-id"] = request_id
        headers["x-content-type-options"] = "nosniff"
        headers["x-frame-options"] = "DENY"
        headers["referrer-policy"] = "same-origin"
        headers["cross-origin-opener-policy"] = "same-origin"
        headers["cross-origin-resource-policy"] = "same-origin"
        if path.startswith("/api"):
            headers.setdefault("cache-control", "no-store")
            headers.setdefault("content-security-policy", _API_POLICY)
        else:
            headers.setdefault("content-security-policy", page_policy(self._base_url()))


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _GIVEN_ID.fullmatch(given) else f"req_{secrets.token_hex(8)}"


def _limited(scope: Scope, receive: Receive) -> Receive:
    """`receive` that raises 413 as soon as a body is, or says it is, larger than the limit."""
    announced = Headers(scope=scope).get("content-length", "0")
    too_large = not announced.isdecimal() or int(announced[:20]) > MAX_BODY_BYTES
    got = 0

    async def bounded() -> Message:
        nonlocal got
        if too_large and got == 0:
            got = 1
            raise HTTPException(413, f"The body is larger than {MAX_BODY_BYTES // 1024} KB.")
        message = await receive()
        got += len(message.get("body", b""))
        if got > MAX_BODY_BYTES:
            raise HTTPException(413, f"The body is larger than {MAX_BODY_BYTES // 1024} KB.")
        return message

    return bounded
