"""A small HTTP server for this machine's own people: on loopback, deaf to pages of other sites."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import cast
from urllib.parse import urlsplit

import uvicorn
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn._types import ASGI3Application

LOOPBACK = ("127.0.0.1", "::1", "localhost")
MAX_CONNECTIONS = 100
CLOSE_SECONDS = 3.0


class OnlyHere:
    """Refuses what another site's page could send: a Host that is not loopback's (a name that was made to lead here,
    DNS rebinding), and an Origin that is not the very same."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        origin = headers.get("origin")
        if not _is_loopback(host):
            await PlainTextResponse("Ask for this by http://127.0.0.1.\n", 421)(scope, receive, send)
        elif (origin is not None and origin != f"http://{host}") or headers.get("sec-fetch-site") == "cross-site":
            await PlainTextResponse("This is not for pages of other sites.\n", 403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class LocalServer:
    """Serves `app` on 127.0.0.1 until it is closed."""

    def __init__(self, app: ASGIApp) -> None:
        config = uvicorn.Config(
            cast(ASGI3Application, OnlyHere(app)),
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=int(CLOSE_SECONDS),
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None
        self.port = 0

    async def open(self, port: int = 0) -> int:
        """Listen; the port (0 picks one). Raises OSError when it is taken."""
        sock = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port = int(sock.getsockname()[1])
        self._task = asyncio.create_task(self._server.serve([sock]), name="local server")
        return self.port

    async def close(self) -> None:
        """Requests have three seconds to end."""
        self._server.should_exit = True
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the program's own affair."""
        yield


def _is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name in LOOPBACK
