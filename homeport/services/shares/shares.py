"""Tunnels for services: asked for, kept open, ended."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from homeport.identity import Actor
from homeport.identity.problems import Forbidden
from homeport.kit.bus import Bus
from homeport.kit.changes import Change
from homeport.kit.clock import Clock
from homeport.kit.ids import new_id
from homeport.kit.problems import Conflict
from homeport.kit.sealing import Sealer
from homeport.relay.lease import Lease, TunnelIdentity
from homeport.services import store as services_store
from homeport.services.models import ServiceRow, ShareRow
from homeport.services.problems import NameTaken, ServiceNotFound
from homeport.services.proxy import Proxy
from homeport.services.shares import store
from homeport.services.shares.doors import is_web
from homeport.services.shares.gate import safe_path
from homeport.services.shares.grants import Grants
from homeport.services.shares.keeper import Keeper, OwnRelay, policy_key
from homeport.services.shares.problems import NotShareable, RelayOff, TunnelNotFound
from homeport.services.shares.rows import lease_row, may_end, share_row, with_qr
from homeport.services.shares.schemas import EnterIn, ShareIn
from homeport.storage import Database

log = structlog.get_logger()

MOST_OF_SERVICE = 20
MOST_OF_PERSON = 50
UPKEEP_SECONDS = 2.0
PEOPLE_SECONDS = 20.0  # between two looks for owners who are gone
SWEEP_SECONDS = 600.0  # between two looks for what expired long ago
SHOWN_EXPIRED = timedelta(days=1)
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


@dataclass(frozen=True)
class Place:
    """Where the portal is: its domain, its address, and the address of what has a name below its own."""

    domain: str
    base_url: Callable[[], str]
    url_of: Callable[[str], str]


class Shares:
    """Owns the table `shares` and the agents within this portal. `open()` once the relay answers, `run()` in a task."""

    def __init__(
        self, database: Database, sealer: Sealer, clock: Clock, bus: Bus, keeper: Keeper, grants: Grants,
        place: Place, relay: OwnRelay | None,
        *, has_app: Callable[[str], bool], revoked: Callable[[set[str]], Awaitable[set[str]]], proxy: Proxy,
    ) -> None:  # fmt: skip
        """`relay` is None where this portal has none; `revoked` says which of these people are gone or banned. The
        `proxy` of the doors is closed with the shares."""
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._bus = bus
        self._keeper = keeper
        self.grants = grants
        self._place = place
        self._relay = relay
        self._has_app = has_app
        self._revoked = revoked
        self._proxy = proxy
        self._stale: set[str] = set()  # services that changed
        self._swept = clock.monotonic()
        bus.subscribe(Change, self._heard)

    async def open(self) -> None:
        """Start what was shared before."""
        now = self._clock.now()
        async with self._database.read() as session:
            rows = await store.every_share(session)
        for share, service in rows:
            if share.expires_at is None or share.expires_at > now:
                self._keeper.start(share, service)

    async def close(self) -> None:
        """Stop the agents; they come back with the portal."""
        await self._keeper.close()
        await self._proxy.close(1.0)

    async def run(self) -> None:
        """Upkeep until cancelled: what expires, what is deleted, who may no more."""
        looked = self._clock.monotonic()
        while True:
            await self._clock.sleep(UPKEEP_SECONDS)
            try:
                await self.tidy()
                if self._clock.monotonic() - looked >= PEOPLE_SECONDS:
                    looked = self._clock.monotonic()
                    await self.tidy_people()
            except (SQLAlchemyError, OSError) as problem:
                log.warning("upkeep of tunnels waits for the database", problem=type(problem).__name__)

    async def tidy(self) -> None:
        """One round of upkeep."""
        now = self._clock.now()
        self.grants.sweep()
        for one in self._keeper.expired(now):
            await self._keeper.forget(one.id)
            self._tell("changed", one.id, one.door.service_id)
        await self._keeper.try_again()
        for service_id in list(self._stale):
            for one in await self._keeper.follow(service_id):
                self._tell("deleted", one.id, service_id)
            self._stale.discard(service_id)
        if self._clock.monotonic() - self._swept >= SWEEP_SECONDS:
            self._swept = self._clock.monotonic()
            async with self._database.write() as session:
                await store.delete_expired(session, now - SHOWN_EXPIRED)

    async def tidy_people(self) -> None:
        """End what people share who are gone or banned."""
        if not self._keeper.runs_any:
            return
        async with self._database.read() as session:
            rows = await store.every_share(session)
        people = {share.owner_id for share, _ in rows if share.owner_id.startswith("usr_")}
        gone = await self._revoked(people) if people else set()
        for share, service in rows:
            if share.owner_id in gone:
                log.info("a tunnel ended with its owner's account", tunnel=share.name, owner=share.owner_name)
                await self._end(share, service)

    # What people ask for

    async def create(self, actor: Actor, ref: str, wanted: ShareIn) -> dict[str, Any]:
        """A tunnel that is being opened. Raises ServiceNotFound, NotShareable, RelayOff, NameTaken, Conflict."""
        if not wanted.relays and self._relay is None:
            raise RelayOff("This portal serves no tunnels: name a relay, or switch its own on.")
        from homeport.relay.agent.identity import new_identity

        now = self._clock.now()
        async with self._database.write() as session:
            service = await services_store.get_service(session, actor, ref)
            self._check(actor, service, wanted)
            name = wanted.name or f"{service.name[:56]}-{''.join(secrets.choice(_LETTERS) for _ in range(5))}"
            await self._claim(session, actor, service, name, own_relay=self._uses_own(wanted.relays))
            identity = await asyncio.to_thread(new_identity, name)
            share_id = new_id("shr")
            share = ShareRow(
                id=share_id, service_id=service.id, name=name, owner_id=actor.id, owner_name=actor.name[:64],
                customer_id=service.customer_id, relays=wanted.relays, access=wanted.access,
                description=wanted.description, hide=wanted.hide, address=identity.address,
                key=self._sealer.seal(identity.key, f"share {share_id}"), created_at=now,
                expires_at=now + timedelta(seconds=wanted.expires_in) if wanted.expires_in else None,
            )  # fmt: skip
            session.add(share)
            try:
                await session.flush()
            except IntegrityError:
                raise _taken(name) from None
        if self._relay is not None and self._uses_own(wanted.relays):
            await self._relay.approve(policy_key(share))
        self._keeper.start(share, service)
        self._tell("created", share.id, service.id)
        return self._row(share, service, actor)

    async def of_service(self, actor: Actor, ref: str) -> list[dict[str, Any]]:
        """Newest first. Raises ServiceNotFound."""
        async with self._database.read() as session:
            service = await services_store.get_service(session, actor, ref)
            rows = await store.shares_of(session, service.id)
        return [self._row(share, service, actor) for share in rows]

    async def list(self, actor: Actor, *, everybodys: bool) -> list[dict[str, Any]]:
        """The actor's own, of agents elsewhere too, newest first; with `everybodys` all that the actor may end."""
        leases = [
            lease
            for lease in (self._relay.leases() if self._relay else ())
            if (lease.owner_id is not None and lease.owner_id == actor.id)
            or (everybodys and may_end(actor, lease.owner_id, None))
        ]
        async with self._database.read() as session:
            shared = await store.list_shares(session, actor, everybodys=everybodys)
            # Those of shares are in the relay too. Asked after the leases: each of them has its row by now.
            ours = {TunnelIdentity(*one).key for one in await store.identities(session)} if leases else set()
        rows = [self._row(share, service, actor) for share, service in shared]
        rows += [self._lease_row(lease, actor) for lease in leases if lease.key not in ours]
        return sorted(rows, key=lambda row: str(row["created_at"]), reverse=True)

    async def get(self, actor: Actor, tunnel_id: str) -> dict[str, Any]:
        """One with its QR code; also for whoever may see its service. Raises TunnelNotFound."""
        if lease := self._lease(actor, tunnel_id):
            return with_qr(self._lease_row(lease, actor))
        share, service = await self._visible(actor, tunnel_id)
        return with_qr(self._row(share, service, actor))

    async def end(self, actor: Actor, tunnel_id: str) -> dict[str, Any]:
        """It leads nowhere any more; as it was. Raises TunnelNotFound, Forbidden."""
        if (lease := self._lease(actor, tunnel_id)) and self._relay is not None:
            row = self._lease_row(lease, actor)
            await self._relay.end(lease)
            return row
        share, service = await self._visible(actor, tunnel_id)
        if not may_end(actor, share.owner_id, share.customer_id):
            raise Forbidden("Only whoever shared it, and administrators, may end this tunnel.")
        row = self._row(share, service, actor)
        await self._end(share, service)
        return row

    async def enter(self, actor: Actor, share_id: str, asked: EnterIn) -> str:
        """Where a browser goes that may enter: the tunnel's own gate, with a ticket for it. Raises TunnelNotFound."""
        share, service = await self._visible(actor, share_id)
        await self._require_sight(actor, service)
        health = self._keeper.health(share.id)
        if not health.url or share.access != "signed_in":
            raise TunnelNotFound("This tunnel is not open at the moment.")
        ticket = self.grants.ticket(share.id, actor, asked.state, safe_path(asked.next))
        return f"{health.url.rstrip('/')}/.homeport/enter?ticket={ticket}"

    # Its own

    def _check(self, actor: Actor, service: ServiceRow, wanted: ShareIn) -> None:
        if service.kind == "endpoint" and not actor.administers:
            raise Forbidden("Only administrators of the portal share endpoints, which are devices of its network.")
        if service.kind == "endpoint" and not is_web(service.endpoint) and wanted.access == "signed_in":
            raise NotShareable(
                f"{service.name} is not reached by HTTP: only web pages can ask their visitors to sign in.",
                details={"fields": {"access": "choose everyone"}},
            )

    async def _claim(self, session: Any, actor: Actor, service: ServiceRow, name: str, *, own_relay: bool) -> None:
        """That the name is free, and that there are not too many."""
        now = self._clock.now()
        if own_relay and self._has_app(name):
            raise _taken(name)
        if before := await store.find_by_name(session, name):
            if before.expires_at is None or before.expires_at > now:
                raise _taken(name)
            await store.delete_share(session, before.id)
        if len(await store.shares_of(session, service.id)) >= MOST_OF_SERVICE:
            raise Conflict(f"{service.name} has {MOST_OF_SERVICE} tunnels already: end one first.")
        if await store.count_of(session, actor.id, now) >= MOST_OF_PERSON:
            raise Conflict(f"You have {MOST_OF_PERSON} tunnels already: end one first.")

    def _uses_own(self, relays: Sequence[str]) -> bool:
        return not relays or self._place.base_url() in relays

    async def _require_sight(self, actor: Actor, service: ServiceRow) -> None:
        """An owner who may not see the service any more ends the tunnel, and does not go through it."""
        async with self._database.read() as session:
            try:
                await services_store.get_service(session, actor, service.id)
            except ServiceNotFound:
                raise TunnelNotFound("There is no such tunnel.") from None

    async def _visible(self, actor: Actor, share_id: str) -> store.Shared:
        """One whose service the actor may see. Raises TunnelNotFound."""
        async with self._database.read() as session:
            if found := await store.find_share(session, share_id):
                try:
                    await services_store.get_service(session, actor, found[1].id)
                except ServiceNotFound:
                    found = await store.find_manageable(session, actor, share_id)
        if found is None:
            raise TunnelNotFound("There is no such tunnel.")
        return found

    async def _end(self, share: ShareRow, service: ServiceRow) -> None:
        async with self._database.write() as session:
            await store.delete_share(session, share.id)
        await self._keeper.forget(share.id)
        self._tell("deleted", share.id, service.id)

    def _heard(self, change: Change) -> None:
        """A service was changed or deleted."""
        if change.topic in ("service", "endpoint") and self._keeper.serves(change.id):
            self._stale.add(change.id)

    def _lease(self, actor: Actor, lease_id: str) -> Lease | None:
        if self._relay is None or not lease_id.startswith("lse_"):
            return None
        return next(
            (one for one in self._relay.leases() if one.id == lease_id and may_end(actor, one.owner_id, None)), None
        )

    def _lease_row(self, lease: Lease, actor: Actor) -> dict[str, Any]:
        return lease_row(lease, self._place.url_of(lease.identity.name), self._place.domain, actor)

    def _row(self, share: ShareRow, service: ServiceRow, actor: Actor) -> dict[str, Any]:
        return share_row(share, service, self._keeper.health(share.id), actor)

    def _tell(self, action: Any, share_id: str, service_id: str) -> None:
        """Tabs ask again: the news says that there is some, and nothing of it."""
        self._bus.publish(Change("tunnel", action, share_id, {"id": share_id, "service_id": service_id}))


def _taken(name: str) -> NameTaken:
    return NameTaken(
        f"The name {name!r} is taken: choose another one.", details={"fields": {"name": "this name is taken"}}
    )
