"""Each service's timeline: deploys, restarts, health changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from homeport.kit.bus import Bus
from homeport.kit.changes import Change
from homeport.kit.clock import Clock, rfc3339
from homeport.services import store
from homeport.services.models import EventRow, ServiceRow
from homeport.storage import Database

TRIM_EVERY = 50


class Timeline:
    """Writes events and tells the tabs. `kept` says how many of one service stay."""

    def __init__(self, database: Database, clock: Clock, bus: Bus, kept: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock
        self._bus = bus
        self._kept = kept

    async def add(self, session: AsyncSession, service: ServiceRow, type_: str, status: str, message: str) -> Change:
        """Within the caller's transaction; the caller publishes the change once that is committed."""
        row = EventRow(service_id=service.id, type=type_, status=status, message=message, at=self._clock.now())
        session.add(row)
        await session.flush()
        if row.id % TRIM_EVERY == 0:
            await store.trim_events(session, service.id, self._kept())
        body = {**event_body(row), "service_id": service.id, "service_name": service.name}
        return Change("event", "created", str(row.id), body, service.customer_id)

    async def record(self, service_id: str, type_: str, status: str, message: str) -> None:
        """In a transaction of its own. Nothing happens when the service is gone."""
        async with self._database.write() as session:
            service = await store.find_service(session, service_id)
            change = await self.add(session, service, type_, status, message) if service else None
        if change:
            self._bus.publish(change)


def event_body(row: EventRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "type": row.type,
        "status": row.status,
        "message": row.message,
        "timestamp": rfc3339(row.at),
    }
