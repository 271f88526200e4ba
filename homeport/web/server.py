"""The portal's ASGI app on connections that somebody else accepted: uvicorn's protocol without uvicorn's server."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from typing import cast

import structlog
from starlette.types import ASGIApp
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from homeport.identity.certificates import PEER, Peer
from homeport.web.websocket import WebSocketConnection

log = structlog.get_logger()

MAX_HEAD_BYTES = 64 * 1024
MAX_WS_MESSAGE_BYTES = 1024 * 1024


class PortalServer:
    """Makes one protocol for each connection, and ends them all at close().

    The app's lifespan is not run: what the app needs is opened before and closed after by whoever composes it.
    Forwarding headers of clients are not believed. Durations are seconds; more than `connection_limit` connections are
    answered 503.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        head_timeout: float = 15.0,
        keep_alive: int = 75,
        connection_limit: int = 2000,
        ws_ping: float = 20.0,
    ) -> None:
        self._config = Config(
            cast(ASGI3Application, app),
            loop="none",
            http=HttpToolsProtocol,
            ws=WebSocketConnection,
            ws_max_size=MAX_WS_MESSAGE_BYTES,
            ws_ping_interval=ws_ping,
            ws_ping_timeout=ws_ping,
            ws_per_message_deflate=False,  # costs a core long before it saves a home network anything
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=keep_alive,
            limit_concurrency=connection_limit,
        )
        self._config.load()
        self._state = _State()
        self._head_timeout = head_timeout

    @property
    def connections(self) -> int:
        return len(self._state.connections)

    def protocol(self, _name: str | None = None) -> asyncio.Protocol:
        """For one connection, over TLS or plain TCP; the name that the client asked for makes no difference."""
        return _Connection(self._config, self._state, self._head_timeout)

    def certificate_protocol(self, _name: str | None = None) -> asyncio.Protocol:
        """For one connection to the port that asks for client certificates: its requests' state says which came."""
        return _CertificateConnection(self._config, self._state, self._head_timeout)

    async def close(self, timeout: float = 10.0) -> None:
        """End idle connections at once and WebSockets with 1012, let requests finish for `timeout` seconds, then cut.
        The ingress is closed first, so nothing new comes."""
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            _, late = await asyncio.wait(list(self._state.tasks), timeout=timeout)
            for task in late:
                task.cancel("the portal is closing")
            if late:
                log.warning("requests cut", cut=len(late))
                await asyncio.wait(late, timeout=5.0)
        for connection in list(self._state.connections):
            connection.transport.abort()


class _State(ServerState):
    """Uvicorn's shared state with a Date header that needs nobody to tick."""

    def __init__(self) -> None:
        self._second = 0
        self._date: list[tuple[bytes, bytes]] = []
        super().__init__()

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._date = [(b"date", formatdate(second, usegmt=True).encode())]
        return self._date

    @default_headers.setter
    def default_headers(self, value: list[tuple[bytes, bytes]]) -> None:
        """Uvicorn's own __init__ assigns an empty list."""


class _Connection(HttpToolsProtocol):
    """Adds what uvicorn leaves to a proxy in front of it: a largest head, and a longest wait for one."""

    def __init__(self, config: Config, state: ServerState, head_timeout: float) -> None:
        super().__init__(config, state, app_state={})
        self._head_timeout = head_timeout
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._head_begun = False
        self._too_large = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))  # uvloop's are not subclasses
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        begun = self._head_begun
        super().data_received(data)
        if begun and self._head_begun:
            # A field that is not complete is nowhere else counted.
            self._count(len(data))
            if self._too_large and not self.transport.is_closing():
                self.send_400_response("")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_begun = True
        self._head_bytes = 0
        if self._head_timer is None:
            self._arm()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count_or_refuse(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._count_or_refuse(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        self._head_begun = False
        self._disarm()
        super().on_headers_complete()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        self._too_large = self._head_bytes > MAX_HEAD_BYTES

    def _count_or_refuse(self, size: int) -> None:
        self._count(size)
        if self._too_large:
            raise ValueError("the request head is too large")  # to the parser, which stops and asks for the 400

    def send_400_response(self, msg: str) -> None:
        if not self._too_large:
            super().send_400_response(msg)
            return
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        )
        self.transport.close()

    def _arm(self) -> None:
        self._head_timer = self.loop.call_later(self._head_timeout, self._head_too_slow)

    def _disarm(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()


class _CertificateConnection(_Connection):
    """Puts the client's certificate into the state of every request and WebSocket."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connection = transport.get_extra_info("ssl_object")
        self.app_state = {PEER: Peer(connection.getpeercert(True) if connection else None)}
        super().connection_made(transport)
