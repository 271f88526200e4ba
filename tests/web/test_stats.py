"""The portal in numbers: /health for everybody, /api/stats and System Health for administrators."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from homeport.identity import Role
from homeport.identity.totals import totals
from homeport.storage import Database
from homeport.testing.clock import ManualClock
from homeport.testing.door import Door, open_door
from homeport.web import stats, system
from homeport.web.system import Machine


@pytest.fixture
async def measured(database: Database, tmp_path: Path) -> AsyncIterator[Door]:
    machine = Machine(ManualClock(), tmp_path)

    async def counts() -> Mapping[str, int]:
        return await totals(database)

    async with open_door(
        database,
        tmp_path,
        lambda identity: [
            stats.routes(identity, database, machine, identity.clock, [counts]),
            system.routes(machine),
        ],
    ) as door:
        yield door


async def test_anybody_may_ask_whether_it_is_alive(measured: Door) -> None:
    async with measured.client() as client:
        answer = await client.get("/health")  # portal B1
    assert answer.json() == {"status": "ok", "timestamp": "2026-03-29T10:00:00Z", "connections": 0}


async def test_the_statistics_have_every_number_of_the_seed(measured: Door) -> None:
    async with measured.client(await measured.admin_token()) as admin:
        await admin.post("/api/auth/api-keys", json={"name": "one"})
        body = (await admin.get("/api/stats")).json()  # portal B1
    names = "active_connections total_services rate_limit_entries uptime_check metrics total_users total_channels"
    names += " total_messages total_streams live_streams db_size_bytes peak_connections total_api_keys"
    assert set(body) == {*names.split(), "total_invite_codes"}
    assert (body["total_users"], body["total_api_keys"], body["total_channels"]) == (1, 1, 0)
    assert body["db_size_bytes"] > 10_000


async def test_the_statistics_are_for_administrators(measured: Door) -> None:
    async with measured.client(await measured.add_user("mo", Role.MODERATOR)) as mo:
        assert (await mo.get("/api/stats")).status_code == 403


async def test_system_health_has_every_number_of_the_seed(measured: Door) -> None:
    async with measured.client(await measured.admin_token()) as admin:
        body = (await admin.get("/api/system/health")).json()  # portal B1
    assert set(body["cpu"]) == {"percent", "count", "load_avg"}
    assert set(body["memory"]) == {"total", "used", "available", "percent"}
    assert set(body["disk"]) == {"total", "used", "free", "percent"}
    assert set(body["process"]) == {"rss", "vms", "threads", "pid"}
    assert set(body["swap"]) == {"total", "used", "percent"}
    assert set(body["net_io"]) == {"bytes_sent", "bytes_recv"}
    assert set(body["disk_io"]) == {"read_bytes", "write_bytes"}
    assert len(body["cpu"]["load_avg"]) == 3
    assert {"uptime_seconds", "open_files", "connections_count"} < set(body)
