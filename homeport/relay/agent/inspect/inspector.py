"""The Observer of an agent that keeps what it sees for a page on this machine."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from homeport.kit.clock import Clock, SystemClock
from homeport.relay.agent.inspect.exchanges import ExchangeLog
from homeport.relay.agent.inspect.tap import HttpTap
from homeport.relay.agent.local_server import LocalServer
from homeport.relay.agent.observer import Tap, Visitor
from homeport.relay.agent.targets import Target

if TYPE_CHECKING:
    from homeport.relay.agent.inspect.http import Watcher

DEFAULT_PORT = 4040


class Inspector:
    """`open` before the agent starts, `close` after it ended. Whoever knows `url` sees all: its path is a secret,
    for loopback belongs to all users of a machine."""

    def __init__(self, target: Target, *, port: int = DEFAULT_PORT, clock: Clock | None = None) -> None:
        self.log = ExchangeLog()
        self.url = ""
        self._target = target
        self._port = port
        self._clock = clock or SystemClock()
        self._server: LocalServer | None = None
        self._watchers: set[Watcher] = set()

    def opened(self, visitor: Visitor) -> Tap | None:
        """Reads along where TLS was ended; raw TCP is not looked at."""
        return HttpTap(self.log, self._clock) if visitor.kind == "tls" else None

    async def open(self) -> str:
        """Serve the page; its address. Takes any free port where the one wished for is not to be had."""
        from homeport.relay.agent.inspect.http import page_app

        secret = secrets.token_urlsafe(16)
        self._server = LocalServer(page_app(f"/{secret}", self.log, self._target, self._clock, self._watchers))
        try:
            chosen = await self._server.open(self._port)
        except OSError:
            chosen = await self._server.open(0)
        self.url = f"http://127.0.0.1:{chosen}/{secret}/"
        return self.url

    async def close(self) -> None:
        """The page is gone, and with it what was kept."""
        for watcher in tuple(self._watchers):
            watcher.stop()
        if self._server is not None:
            await self._server.close()
        self.log.clear()
