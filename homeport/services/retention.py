"""What services do not keep for ever: all but the newest events of each."""

from __future__ import annotations

from homeport.kit.retention import Rule
from homeport.services import store
from homeport.storage import Database

EVENTS_RULE = Rule("retention_service_logs_max", "records", 1000, 100_000, "Events in the timeline of each service.")


class OldEvents:
    """Each service's timeline, from the oldest on."""

    name = "service_logs"
    rule: Rule | None = EVENTS_RULE

    def __init__(self, database: Database) -> None:
        self._database = database

    async def preview(self, kept: int) -> int:
        async with self._database.read() as session:
            counts = await store.count_events(session)
        return sum(max(0, count - kept) for count in counts.values())

    async def purge(self, kept: int) -> int:
        async with self._database.read() as session:
            counts = await store.count_events(session)
        too_many = {service_id: count - kept for service_id, count in counts.items() if count > kept}
        for service_id in too_many:  # each in a transaction of its own, between which others write
            async with self._database.write() as session:
                await store.trim_events(session, service_id, kept)
        return sum(too_many.values())
