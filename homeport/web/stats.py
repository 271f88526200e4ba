"""The portal in numbers: /health for whoever watches it, /api/stats for its administrators (portal B1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from fastapi import APIRouter
from pydantic import BaseModel

from homeport.identity import Identity, Verb
from homeport.identity.guard import require
from homeport.kit.clock import Clock, rfc3339
from homeport.kit.routes import Router
from homeport.storage import Database
from homeport.web.system import Machine

Totals = Callable[[], Awaitable[Mapping[str, int]]]


class Alive(BaseModel):
    """`connections` counts open WebSockets."""

    status: str
    timestamp: str
    connections: int


class Stats(BaseModel):
    """Seed 002's statistics; what no part has yet is 0. `uptime_check` is the portal's own uptime in seconds."""

    active_connections: int
    peak_connections: int
    rate_limit_entries: int
    uptime_check: int
    metrics: dict[str, float]
    db_size_bytes: int
    total_services: int = 0
    total_users: int = 0
    total_api_keys: int = 0
    total_invite_codes: int = 0
    total_channels: int = 0
    total_messages: int = 0
    total_streams: int = 0
    live_streams: int = 0


def routes(
    identity: Identity, database: Database, machine: Machine, clock: Clock, totals: Sequence[Totals]
) -> APIRouter:
    """`totals` are the parts' own counts, by the names of `Stats`."""
    router = Router(tags=["system"])
    started = clock.monotonic()

    @router.get("/health", dependencies=[require(Verb.PUBLIC, rate="none")])
    async def get_alive() -> Alive:
        """The portal answers; for monitoring."""
        return Alive(status="ok", timestamp=rfc3339(clock.now()), connections=len(identity.sockets))

    @router.get("/api/stats", dependencies=[require(Verb.SETTINGS_READ)])
    async def get_portal_stats() -> Stats:
        """How much there is of everything."""
        counts: dict[str, int] = {}
        for one in totals:
            counts |= await one()
        seen = await machine.health()
        return Stats(
            active_connections=len(identity.sockets),
            peak_connections=identity.sockets.peak,
            rate_limit_entries=identity.rate_limits.remembered,
            uptime_check=int(clock.monotonic() - started),
            metrics={
                "cpu_percent": seen.cpu.percent,
                "memory_percent": seen.memory.percent,
                "disk_percent": seen.disk.percent,
            },
            db_size_bytes=await database.size(),
            **counts,
        )

    return router
