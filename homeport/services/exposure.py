"""Which app answers at which name, and what is in flight to it. The portal's reconciler writes, the proxy reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import structlog

log = structlog.get_logger()

Pause = Literal["stopped", "deploying", "failed"]


@dataclass(frozen=True)
class Target:
    """Where one instance listens, in plain HTTP, or over `tls`, whoever signed its certificate."""

    port: int
    instance_id: str
    host: str = "127.0.0.1"
    tls: bool = False


@dataclass(frozen=True)
class Route:
    """A name that is known. Without a target there is nothing behind it, and `pause` says why."""

    name: str
    service_id: str
    target: Target | None
    pause: Pause | None = None


@dataclass
class Traffic:
    """What went through one name since it was first pointed: whole requests, body bytes, answers of 500 and above."""

    requests: int = 0
    in_flight: int = 0
    errors_5xx: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


class Exchange(Protocol):
    """One request in flight, a tunnel included."""

    def cut(self) -> None:
        """End at once, for the client too. Leaves the routes' count before it returns."""
        ...


@dataclass
class _InFlight:
    exchanges: set[Exchange] = field(default_factory=set)
    empty: asyncio.Event = field(default_factory=asyncio.Event)


class Routes:
    """The one table of names. Event-loop thread only; a change counts from the next request on."""

    def __init__(self) -> None:
        self._routes: dict[str, Route] = {}
        self._traffic: dict[str, Traffic] = {}
        self._in_flight: dict[str, _InFlight] = {}
        self._closers: list[Callable[[str], None]] = []
        self._aliases: dict[str, str] = {}

    def point(self, name: str, target: Target, *, service_id: str) -> None:
        """Requests for `name` go to `target` from now on."""
        name = name.lower()
        self._routes[name] = Route(name, service_id, target)
        self._traffic.setdefault(name, Traffic())

    def pause(self, name: str, status: Pause, *, service_id: str | None = None) -> None:
        """`name` stays known with nothing behind it: a 503 that says why. The service is remembered from `point`."""
        name = name.lower()
        before = self._routes.get(name)
        self._routes[name] = Route(name, service_id or (before.service_id if before else ""), None, status)
        self._traffic.setdefault(name, Traffic())

    def drop(self, name: str) -> None:
        """`name` and its own domains are unknown from now on: a 404."""
        name = name.lower()
        self._routes.pop(name, None)
        self._traffic.pop(name, None)
        self._aliases = {domain: app for domain, app in self._aliases.items() if app != name}

    def alias(self, domain: str, name: str) -> None:
        """The host `domain` is the app called `name` from now on, whatever that name leads to."""
        self._aliases[domain.lower()] = name.lower()

    def unalias(self, domain: str) -> None:
        """`domain` is none of ours from now on."""
        self._aliases.pop(domain.lower(), None)

    def own_domains(self) -> tuple[str, ...]:
        """The proven domains that lead to apps."""
        return tuple(self._aliases)

    def app_at(self, host: str) -> str | None:
        """The app whose own domain `host` is."""
        return self._aliases.get(host) or self._aliases.get(host.lower().removesuffix("."))

    def find(self, name: str) -> Route | None:
        return self._routes.get(name) or self._routes.get(name.lower())

    def list(self) -> list[Route]:
        """Every known name, in order."""
        return [self._routes[name] for name in sorted(self._routes)]

    def traffic(self, name: str) -> Traffic:
        """The counters of a name; zeros, kept nowhere, for an unknown one."""
        return self._traffic.get(name) or self._traffic.get(name.lower()) or Traffic()

    def all_traffic(self) -> Mapping[str, Traffic]:
        return self._traffic

    async def drain(self, instance_id: str, timeout: float) -> int:
        """Wait until nothing is in flight to the instance, `timeout` seconds at most; then cut what remains, close the
        idle connections to it, and return how many were cut. Point or pause its names first: this turns nothing away.
        """
        flight = self._in_flight.get(instance_id)
        cut = 0
        if flight is not None and flight.exchanges:
            try:
                await asyncio.wait_for(flight.empty.wait(), timeout)
            except TimeoutError:
                for exchange in list(flight.exchanges):
                    exchange.cut()
                    cut += 1
                log.warning("requests cut", instance=instance_id, cut=cut)
        for close in self._closers:
            close(instance_id)
        return cut

    def in_flight(self, instance_id: str) -> int:
        """How many requests and tunnels go to the instance now."""
        flight = self._in_flight.get(instance_id)
        return len(flight.exchanges) if flight else 0

    def enter(self, instance_id: str, exchange: Exchange) -> None:
        """The proxy's: `exchange` begins."""
        flight = self._in_flight.get(instance_id)
        if flight is None:
            flight = self._in_flight[instance_id] = _InFlight()
        flight.exchanges.add(exchange)

    def leave(self, instance_id: str, exchange: Exchange) -> None:
        """The proxy's: `exchange` ended, whichever way."""
        flight = self._in_flight.get(instance_id)
        if flight is None:
            return
        flight.exchanges.discard(exchange)
        if not flight.exchanges:
            flight.empty.set()
            del self._in_flight[instance_id]

    def on_drained(self, close: Callable[[str], None]) -> None:
        """The proxy's: called with the id of each drained instance, to close the idle connections to it."""
        self._closers.append(close)
