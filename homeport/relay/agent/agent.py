"""The agent: one name and one target, public through one relay or several at once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Literal

from homeport.kit.clock import Clock, SystemClock
from homeport.relay.agent.certificates import CertificateSource
from homeport.relay.agent.connection import shared_buffers
from homeport.relay.agent.identity import AgentIdentity
from homeport.relay.agent.observer import Observer
from homeport.relay.agent.relay_client import Wish
from homeport.relay.agent.relays import Relay
from homeport.relay.agent.status import RANK, Status
from homeport.relay.agent.targets import Target
from homeport.relay.agent.tunnel import Companion, Parts, Tunnel

Changed = Callable[[], None]


class Agent:
    """Made, started and stopped once, on the thread of its event loop; at `expires_at` (UTC) it stops by itself."""

    def __init__(
        self,
        identity: AgentIdentity,
        relays: Sequence[Relay],
        target: Target,
        wish: Wish,
        certificates: CertificateSource,
        *,
        clock: Clock | None = None,
        random: Callable[[], float] = secrets.SystemRandom().random,
        observer: Observer | None = None,
        companions: Sequence[Companion] = (),
        expires_at: datetime | None = None,
    ) -> None:
        self.identity = identity
        self.target = target
        self.wish = wish
        self.expires_at = expires_at
        self._clock = clock or SystemClock()
        self._listeners: list[Changed] = []
        self._task: asyncio.Task[None] | None = None
        parts = Parts(
            identity, target, wish, certificates, self._clock, random, observer, companions, shared_buffers(), count(1),
            self._changed,
        )  # fmt: skip
        self.tunnels = tuple(Tunnel(relay, parts) for relay in relays)

    async def start(self) -> None:
        """Returns at once; `status` tells how it goes."""
        if self._task is not None:
            raise RuntimeError("an agent starts once")
        self._task = asyncio.create_task(self._run(), name=f"agent:{self.identity.name}")

    async def stop(self) -> None:
        """The name is free again, and nobody is served any more, when this returns; some seconds at most."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def wait(self) -> None:
        """Returns when it has ended: expired, stopped, or every tunnel failed."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def status(self) -> Status:
        """Of the tunnel that does best, with the bytes and connections of all."""
        each = [tunnel.status() for tunnel in self.tunnels]
        best = min(each, key=lambda one: RANK.index(one.state))
        return replace(
            best,
            received=sum(one.received for one in each),
            sent=sum(one.sent for one in each),
            connections=sum(one.connections for one in each),
            open=sum(one.open for one in each),
        )

    def subscribe(self, changed: Changed) -> Callable[[], None]:
        """`changed` is called whenever a state, address or warning changes (not for bytes); call what is returned to
        hear no more."""
        self._listeners.append(changed)
        return lambda: self._listeners.remove(changed)

    async def _run(self) -> None:
        tasks = [asyncio.create_task(tunnel.run(), name=f"tunnel:{tunnel.relay.host}") for tunnel in self.tunnels]
        ending: Literal["expired", "stopped"] = "stopped"
        try:
            if self.expires_at is None:
                await asyncio.wait(tasks)
            elif await self._expires(tasks):
                ending = "expired"
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for tunnel in self.tunnels:
                tunnel.end(ending)

    async def _expires(self, tasks: list[asyncio.Task[None]]) -> bool:
        """Whether its time came before its tunnels ended."""
        assert self.expires_at is not None
        left = (self.expires_at - self._clock.now()).total_seconds()
        alarm = asyncio.create_task(self._clock.sleep(max(0.0, left)), name=f"expiry:{self.identity.name}")
        everything = asyncio.ensure_future(asyncio.wait(tasks))
        try:
            await asyncio.wait([alarm, everything], return_when=asyncio.FIRST_COMPLETED)
            return alarm.done()
        finally:
            alarm.cancel()
            everything.cancel()
            await asyncio.gather(alarm, everything, return_exceptions=True)

    def _changed(self) -> None:
        for listener in tuple(self._listeners):
            listener()
