"""The agents within this portal: one a share, started, looked after, stopped."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import structlog

from homeport.kit.clock import Clock
from homeport.kit.problems import Problem
from homeport.kit.sealing import Sealer
from homeport.relay.lease import Lease, Metadata, TunnelIdentity
from homeport.services import store as services_store
from homeport.services.models import ServiceRow, ShareRow
from homeport.services.shares import store
from homeport.services.shares.doors import Door, Doors, ShareTarget
from homeport.services.shares.grants import Grants
from homeport.services.shares.running import EXPIRED, AgentMaker, Health, Running, Wanted
from homeport.storage import Database

log = structlog.get_logger()

AGAIN_SECONDS = 120.0  # an agent that fails for so long is made anew


class OwnRelay(Protocol):
    """This portal's relay, as far as tunnels for its services need it."""

    def leases(self) -> list[Lease]: ...

    async def end(self, lease: Lease) -> None: ...

    async def approve(self, key: str) -> None:
        """Let it in also where new tunnels wait; changes nothing for one that was denied or banned."""
        ...

    async def unapprove(self, key: str) -> None: ...


class Keeper:
    """What runs of the shares, in memory. Ending one takes its visitors, its grants and its approval along."""

    def __init__(
        self, database: Database, sealer: Sealer, clock: Clock, doors: Doors, grants: Grants,
        target_for: Callable[[Door], ShareTarget], make_agent: AgentMaker, relay: OwnRelay | None,
    ) -> None:  # fmt: skip
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._doors = doors
        self._grants = grants
        self._target_for = target_for
        self._make_agent = make_agent
        self._relay = relay
        self._running: dict[str, Running] = {}
        self._starts: set[asyncio.Task[None]] = set()

    @property
    def runs_any(self) -> bool:
        return bool(self._running)

    def serves(self, service_id: str) -> bool:
        """Whether a tunnel for this service runs."""
        return any(one.door.service_id == service_id for one in self._running.values())

    def health(self, share_id: str) -> Health:
        """How a share does; what does not run any more has expired."""
        running = self._running.get(share_id)
        return running.health() if running is not None else EXPIRED

    def expired(self, now: datetime) -> list[Running]:
        """Those that run although their time is over."""
        return [one for one in self._running.values() if one.expires_at is not None and one.expires_at <= now]

    def start(self, share: ShareRow, service: ServiceRow) -> None:
        """Make and start its agent, without waiting for that."""
        door = Door(share.id, service.id, service.name, share.access)
        door.follow(service)
        running = self._running[share.id] = Running(
            share.id, door, share.expires_at, policy_key(share), tried_at=self._clock.monotonic()
        )
        # In a context of its own: what the agent logs is of no request.
        task = asyncio.create_task(
            self._begin(running, share), name=f"share {share.name}", context=contextvars.Context()
        )
        self._starts.add(task)
        task.add_done_callback(self._starts.discard)

    async def forget(self, share_id: str) -> None:
        """Nothing of it runs when this returns."""
        running = self._running.pop(share_id, None)
        if running is None:
            return
        await self._stop(running)
        if self._relay is not None:
            await self._relay.unapprove(running.policy_key)

    async def close(self) -> None:
        """Stop all of them."""
        for task in list(self._starts):
            task.cancel()
        await asyncio.gather(*self._starts, return_exceptions=True)
        running, self._running = list(self._running.values()), {}
        await asyncio.gather(*map(self._stop, running))

    async def try_again(self) -> None:
        """Agents that got nowhere are made anew, with their relays' addresses as they are now."""
        now = self._clock.monotonic()
        for one in list(self._running.values()):
            health = one.health()
            if health.status != "error":
                one.tried_at = now
            elif now - one.tried_at >= AGAIN_SECONDS:
                async with self._database.read() as session:
                    found = await store.find_share(session, one.id)
                await self._stop(one)
                if found is not None and self._running.get(one.id) is one:  # else it was ended meanwhile
                    self.start(*found)

    async def follow(self, service_id: str) -> list[Running]:
        """The service changed: its doors lead to what it is now. Those that ended with it."""
        ours = [one for one in self._running.values() if one.door.service_id == service_id]
        async with self._database.read() as session:
            service = await services_store.find_service(session, service_id)
        if service is not None and not service.deleting:
            for one in ours:
                one.door.follow(service)
            return []
        for one in ours:
            await self.forget(one.id)
        return ours

    async def settled(self) -> None:
        """Returns when no agent is being made any more."""
        while self._starts:
            await asyncio.wait(list(self._starts))

    async def _begin(self, running: Running, share: ShareRow) -> None:
        from homeport.relay.agent import AgentIdentity

        try:
            key = self._sealer.open_bytes(share.key, f"share {share.id}")
            metadata = Metadata(share.description, share.owner_name, "", (), share.hide)
            identity = AgentIdentity(share.name, share.address, key)
            target = self._target_for(running.door)
            wanted = Wanted(identity, tuple(share.relays), target, metadata, not running.door.is_web)
            agent = await self._make_agent(wanted)
            if running.ending:
                return
            running.agent = agent
            await agent.start()
        except Problem as problem:
            running.error = problem.message
            log.warning("a tunnel cannot be opened", tunnel=share.name, code=problem.code)
        except Exception:
            running.error = "It could not be opened; the portal's log says why."
            log.exception("a tunnel cannot be opened", tunnel=share.name)
        if running.ending and running.agent is not None:
            await running.agent.stop()

    async def _stop(self, running: Running) -> None:
        running.ending = True
        self._grants.forget(running.id)
        self._doors.shut(running.door)
        if running.agent is not None:
            await running.agent.stop()


def policy_key(share: ShareRow) -> str:
    """What the relay files it under."""
    return TunnelIdentity(share.name, share.address).key
