"""The way from a visitor to an app: HTTP/1.1 in, HTTP/1.1 out, streamed both ways.

Owns the connections of both sides. Asks Routes for each request. Its doors are `Proxy`, `Limits` and, for
tunnels, `Gate` and `Dial`.
"""

from __future__ import annotations

import asyncio

import structlog

from homeport.services.exposure import Routes
from homeport.services.proxy.apps import Dial, Pools, straight
from homeport.services.proxy.downstream import ClientConnection
from homeport.services.proxy.exchange import Admitted, Client, Desk, Gate
from homeport.services.proxy.limits import Limits

__all__ = ["Admitted", "Client", "Dial", "Gate", "Limits", "Proxy"]

log = structlog.get_logger()


class Proxy:
    """Serves every app at `<name>.<domain>`. `tick` is how often deadlines are looked at, in seconds.

    With a `gate` its connections come through tunnels: without TLS of their own, from https:// addresses.
    """

    def __init__(
        self, routes: Routes, *, domain: str = "localhost", limits: Limits | None = None, tick: float = 0.5,
        gate: Gate | None = None, dial: Dial = straight,
    ) -> None:  # fmt: skip
        limits = limits or Limits()
        self._pools = Pools(limits, dial)
        self._desk = Desk(
            routes, b"." + domain.lower().encode(), limits, self._pools, gate=gate, tunnelled=gate is not None
        )
        self._limits = limits
        self._tick = tick
        self._clients: set[ClientConnection] = set()
        self._empty = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        routes.on_drained(self._pools.close_idle)

    @property
    def connections(self) -> int:
        """Clients connected now."""
        return len(self._clients)

    def protocol(self, name: str | None = None) -> asyncio.Protocol:
        """For one connection, over TLS or plain TCP, whose client asked for the host `name`."""
        return ClientConnection(self._desk, name, self._made, self._lost)

    async def close(self, timeout: float = 10.0) -> None:
        """End idle connections and tunnels at once, let requests finish for `timeout` seconds, then cut. The ingress
        is closed first, so nothing new comes."""
        self._desk.closing = True
        for client in list(self._clients):
            client.retire()
        if self._clients:
            try:
                await asyncio.wait_for(self._empty.wait(), timeout)
            except TimeoutError:
                log.warning("requests cut", cut=len(self._clients))
                for client in list(self._clients):
                    client.cut()
        for task in list(self._desk.connects):
            task.cancel()
        if self._desk.connects:
            await asyncio.wait(list(self._desk.connects))
        self._pools.close_older(float("inf"))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _made(self, client: ClientConnection) -> bool:
        self._clients.add(client)
        self._empty.clear()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._tick, self._look)
        if len(self._clients) <= self._limits.connections:
            return True
        idle = min((each for each in self._clients if each.idle), key=lambda each: each.deadline, default=None)
        if idle is None:
            return False
        idle.hang_up()
        return True

    def _lost(self, client: ClientConnection) -> None:
        self._clients.discard(client)
        if not self._clients:
            self._empty.set()

    def _look(self) -> None:
        """One look at all deadlines: cheaper than a timer for each request."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for client in [client for client in self._clients if client.deadline < now]:
            client.late()
        self._pools.close_older(now - self._limits.app_idle)
        self._timer = None
        if self._clients or self._pools.has_idle:
            self._timer = loop.call_later(self._tick, self._look)
