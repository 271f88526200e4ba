"""GET /api/stats/public: how much is going on, for everybody who is signed in (spec/portal.md A1: 9)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter

from homeport.identity import Actor, Identity, Verb, allowed
from homeport.identity.accounts.schemas import PublicStats
from homeport.identity.guard import CurrentActor, require
from homeport.kit.routes import Router

CountServices = Callable[[Actor], Awaitable[int]]


def routes(identity: Identity, count_services: CountServices) -> APIRouter:
    """`count_services` says how many services somebody may see."""
    router = Router(tags=["system"])
    started = identity.clock.monotonic()

    @router.get("/api/stats/public", dependencies=[require(Verb.ACCOUNT_SELF)])
    async def get_public_stats(actor: CurrentActor) -> PublicStats:
        """People, services and sessions that you may know of; a customer's people see their customer's."""
        people = await identity.accounts.counts(actor)
        return PublicStats(
            live_streams=0,
            online_users=people.online,
            total_services=await count_services(actor) if allowed(actor, Verb.SERVICES_READ) else 0,
            total_users=people.users,
            active_sessions=people.sessions,
            uptime=int(identity.clock.monotonic() - started),
        )

    return router
