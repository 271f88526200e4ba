"""Job streams: on disk before they are shown, numbered without gaps, replayed from any number."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from homeport.kit.clock import SystemClock
from homeport.services import jobs
from homeport.services.jobs import JobStreams
from homeport.services.models import JobRow, ServiceRow
from homeport.storage import Database

NOW = datetime(2026, 3, 29, 10, tzinfo=UTC)


@pytest.fixture
async def streams(database: Database) -> AsyncIterator[JobStreams]:
    async with database.write() as session:
        session.add(
            ServiceRow(
                id="svc_1",
                name="blog",
                deploy_method="git",
                variables="",
                cpu_limit=1,
                memory_limit_mb=64,
                status="deploying",
                created_at=NOW,
                updated_at=NOW,
            )
        )
        await session.flush()
        session.add(
            JobRow(
                id="job_1",
                service_id="svc_1",
                service_name="blog",
                type="deploy",
                status="running",
                steps={},
                release_id="rel_1",
                actor="usr_1",
                created_at=NOW,
            )
        )
    streams = JobStreams(database, SystemClock())
    await streams.open()
    yield streams
    await streams.close()


async def everything(streams: JobStreams, since: int = 0) -> list[dict[str, Any]]:
    async with asyncio.timeout(10):
        return [message async for message in streams.follow("job_1", since)]


def end(streams: JobStreams) -> None:
    streams.say("job_1", "done", type="status", stream=None, status="success")


async def test_a_viewer_sees_what_was_said_before_and_what_is_said_after_it_came(streams: JobStreams) -> None:
    streams.say("job_1", "one")
    await streams.flush()
    viewer = asyncio.create_task(everything(streams))
    await asyncio.sleep(0.05)
    streams.say("job_1", "two")
    await asyncio.sleep(0.2)
    end(streams)
    assert [(one["seq"], one["message"]) for one in await viewer] == [(1, "one"), (2, "two"), (3, "done")]


async def test_a_viewer_that_comes_back_gets_exactly_what_it_has_not_seen(streams: JobStreams) -> None:
    for number in range(1200):
        streams.say("job_1", str(number))
    end(streams)
    await streams.flush()
    assert [one["seq"] for one in await everything(streams, since=700)] == list(range(701, 1202))


async def test_after_the_last_message_a_stream_ends_even_for_one_who_comes_later(streams: JobStreams) -> None:
    end(streams)
    await streams.flush()
    assert [one["status"] for one in await everything(streams)] == ["success"]


async def test_numbers_go_on_after_a_restart(streams: JobStreams, database: Database) -> None:
    streams.say("job_1", "before")
    await streams.close()
    again = JobStreams(database, SystemClock())
    again.say("job_1", "after")
    end(again)
    await again.flush()
    assert [(one["seq"], one["message"]) for one in await everything(again)] == [
        (1, "before"), (2, "after"), (3, "done"),
    ]  # fmt: skip


async def test_a_log_without_end_is_cut_and_says_so(streams: JobStreams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MAX_LINES", 20)
    for number in range(100):
        streams.say("job_1", str(number))
    end(streams)
    await streams.flush()
    told = await everything(streams)
    assert len(told) == 22
    assert "cut here" in told[20]["message"]
    assert told[-1]["status"] == "success"


async def test_lines_that_come_faster_than_the_disk_are_counted_where_they_are_missing(
    streams: JobStreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MAX_PENDING", 10)
    for number in range(25):
        streams.say("job_1", str(number))
    await streams.flush()
    streams.say("job_1", "later")
    end(streams)
    await streams.flush()
    told = [one["message"] for one in await everything(streams)]
    assert told[:10] == [str(number) for number in range(10)]
    assert told[10].startswith("15 lines are left out")
    assert told[11:] == ["later", "done"]


async def test_messages_of_a_deleted_job_go_nowhere_and_its_viewers_leave(
    streams: JobStreams, database: Database
) -> None:
    viewer = asyncio.create_task(everything(streams))
    await asyncio.sleep(0.05)
    async with database.write() as session:
        await session.delete(await session.get_one(ServiceRow, "svc_1"))
    streams.say("job_1", "into the void")
    await streams.flush()
    assert await viewer == []
