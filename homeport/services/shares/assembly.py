"""The parts of this package, put together."""

from __future__ import annotations

from collections.abc import Callable

from homeport.identity import Identity
from homeport.kit.bus import Bus
from homeport.kit.clock import Clock
from homeport.kit.guard import OutboundGuard
from homeport.kit.sealing import Sealer
from homeport.relay.lease import Lease
from homeport.relay.parts import Relay
from homeport.services.exposure import Routes
from homeport.services.proxy import Limits
from homeport.services.shares.agents import Agents
from homeport.services.shares.doors import Door, Doors, ShareTarget, proxy_for
from homeport.services.shares.gate import Gate
from homeport.services.shares.grants import Grants
from homeport.services.shares.keeper import Keeper
from homeport.services.shares.shares import Place, Shares
from homeport.settings import Settings
from homeport.storage import Database


class RelayHere:
    """This portal's relay, as shares see it."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def leases(self) -> list[Lease]:
        return self._relay.leases.all()

    async def end(self, lease: Lease) -> None:
        await self._relay.leases.end(lease)
        for bridge in list(lease.bridges):
            bridge.cut()

    async def approve(self, key: str) -> None:
        decision = self._relay.policy.decision(key)
        if not decision.denied and not decision.approved:
            await self._relay.policy.approve(key)

    async def unapprove(self, key: str) -> None:
        if self._relay.policy.decision(key).approved:
            await self._relay.policy.unapprove(key)


def assembled(
    database: Database, settings: Callable[[], Settings], sealer: Sealer, clock: Clock, bus: Bus,
    guard: OutboundGuard, identity: Identity, relay: Relay, apps: Routes,
) -> Shares:  # fmt: skip
    """Touches nothing yet. `apps` are the proxy's names, which a tunnel's may not be one of."""
    given = settings()
    doors = Doors(apps)
    grants = Grants(clock, identity.sockets)
    limits = Limits(connect=given.proxy_connect_timeout, response=given.proxy_response_timeout)
    proxy = proxy_for(doors, Gate(grants, doors.door_at, lambda: settings().base_url), guard, limits)
    agents = Agents(settings, given.data_dir / "relay" / "certificates", clock, guard)
    place = Place(given.domain, lambda: settings().base_url, lambda name: settings().app_url(name))

    def target_for(door: Door) -> ShareTarget:
        return ShareTarget(door, doors, proxy, guard)

    here = RelayHere(relay) if relay.enabled else None
    keeper = Keeper(database, sealer, clock, doors, grants, target_for, agents.make, here)
    return Shares(
        database, sealer, clock, bus, keeper, grants, place, here,
        has_app=lambda name: apps.find(name) is not None, revoked=identity.users.absent, proxy=proxy,
    )  # fmt: skip
