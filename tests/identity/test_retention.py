"""The audit log loses its oldest days, in steps, and stays verifiable after each."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from homeport.identity.audit import PORTAL, Act, AuditLog
from homeport.identity.retention import OldRecords
from homeport.storage import Database
from homeport.testing.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def audit(database: Database, clock: ManualClock, tmp_path: Path) -> AuditLog:
    """One record a day for ten days; it is the evening of the tenth."""
    log = AuditLog(database, clock, tmp_path / "keys")
    await log.open()
    for _ in range(10):
        await log.append(Act("login", PORTAL))
        clock.advance(timedelta(days=1).total_seconds())
    clock.advance(-timedelta(hours=6).total_seconds())
    return log


@pytest.mark.parametrize("step", [1, 3, 100])
async def test_however_it_is_cut_the_same_records_go(
    database: Database, clock: ManualClock, audit: AuditLog, step: int
) -> None:
    keeper = OldRecords(database, clock, audit, step=step)
    assert await keeper.preview(4) == 6  # portal B5
    assert await keeper.purge(4) == 6
    verdict = await audit.verify()
    assert (verdict.intact, verdict.records) == (True, 4)
    assert await keeper.purge(4) == 0


async def test_a_log_that_lost_its_beginning_goes_on(database: Database, clock: ManualClock, audit: AuditLog) -> None:
    keeper = OldRecords(database, clock, audit)
    clock.advance(timedelta(days=20).total_seconds())
    assert await keeper.purge(1) == 10
    assert await keeper.purge(1) == 0
    await audit.append(Act("login", PORTAL))
    verdict = await audit.verify()
    assert (verdict.intact, verdict.records) == (True, 1)
