"""Each service's timeline keeps its newest events."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select

from homeport.kit.bus import Bus
from homeport.services.models import EventRow, ServiceRow
from homeport.services.retention import OldEvents
from homeport.services.timeline import Timeline
from homeport.storage import Database
from homeport.testing.clock import ManualClock

NOON = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)


async def service_with_events(database: Database, name: str, events: int) -> None:
    async with database.write() as session:
        session.add(
            ServiceRow(
                id=name, name=name, deploy_method="template", variables="", cpu_limit=1, memory_limit_mb=64,
                status="running", created_at=NOON, updated_at=NOON,
            )
        )  # fmt: skip
        await session.flush()
        for number in range(events):
            session.add(EventRow(service_id=name, type="deploy", status="success", message=str(number), at=NOON))


async def messages(database: Database, service_id: str) -> list[str]:
    async with database.read() as session:
        query = select(EventRow.message).where(EventRow.service_id == service_id).order_by(EventRow.id)
        return list((await session.scalars(query)).all())


async def test_the_oldest_events_beyond_the_limit_go(database: Database) -> None:
    await service_with_events(database, "blog", 5)
    await service_with_events(database, "shop", 2)
    keeper = OldEvents(database)
    assert await keeper.preview(3) == 2
    assert await keeper.purge(3) == 2
    assert await messages(database, "blog") == ["2", "3", "4"]
    assert await messages(database, "shop") == ["0", "1"]


async def test_zero_keeps_none(database: Database) -> None:
    await service_with_events(database, "blog", 5)
    assert await OldEvents(database).purge(0) == 5
    assert await messages(database, "blog") == []


async def test_a_timeline_that_grows_is_trimmed_to_what_is_set(database: Database) -> None:
    await service_with_events(database, "blog", 0)
    timeline = Timeline(database, ManualClock(), Bus(), lambda: 10)
    for number in range(50):
        await timeline.record("blog", "health", "success", str(number))
    assert await messages(database, "blog") == [str(number) for number in range(40, 50)]
