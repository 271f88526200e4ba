"""The end of a job comes once, however often a crash makes the engine ask for it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from homeport.services.deployments import Deployments
from homeport.services.models import JobRow, ReleaseRow, ServiceRow
from homeport.services.problems import JobFinished
from homeport.settings import Settings
from homeport.storage import Database
from homeport.testing.clock import ManualClock

NOW = datetime(2026, 3, 29, 10, tzinfo=UTC)


class Untouched:
    """A part that nobody may call."""

    def __getattr__(self, name: str) -> Any:
        def called(*_: object) -> None:
            raise AssertionError(f"{name} was called")

        return called


class Engine:
    """Starts workflows, except while it `fails`."""

    def __init__(self) -> None:
        self.fails = True
        self.started: list[str] = []

    async def start(self, _name: str, id_: str) -> None:
        if self.fails:
            raise OSError("no space left on device")
        self.started.append(id_)


def deployments_on(database: Database, folder: Path, durable: object) -> Deployments:
    part = cast(Any, Untouched())
    settings = Settings(data_dir=folder)
    return Deployments(database, cast(Any, durable), settings, ManualClock(), part, part, part, part, part, part)


async def add_job(database: Database, status: str) -> None:
    async with database.write() as session:
        service = ServiceRow(
            id="svc_1",
            name="blog",
            deploy_method="git",
            variables="",
            cpu_limit=1,
            memory_limit_mb=64,
            status="running",
            live_release_id="rel_2",
            created_at=NOW,
            updated_at=NOW,
        )
        session.add(service)
        await session.flush()
        session.add(
            ReleaseRow(
                id="rel_1",
                service_id="svc_1",
                number=1,
                status="failed",
                job_id="job_1",
                build_id="rel_1",
                source={"deploy_method": "upload"},
                routes=[],
                variables="",
                cpu_limit=1,
                memory_limit_mb=64,
                created_at=NOW,
            )
        )
        session.add(
            JobRow(
                id="job_1",
                service_id="svc_1",
                service_name="blog",
                type="deploy",
                status=status,
                steps={},
                release_id="rel_1",
                actor="usr_1",
                created_at=NOW,
                finished_at=NOW,
            )
        )


@pytest.mark.parametrize("status", ["success", "failed", "cancelled"])
async def test_a_job_that_has_ended_is_not_ended_again(database: Database, tmp_path: Path, status: str) -> None:
    await add_job(database, status)
    deployments = deployments_on(database, tmp_path, Untouched())
    workflow = deployments.workflow()
    await workflow.failed("job_1", "gate", JobFinished("It never answered."))
    await workflow.succeeded("job_1")
    async with database.read() as session:
        job = await session.get_one(JobRow, "job_1")
    assert (job.status, job.steps, job.finished_at) == (status, {}, NOW)


async def test_a_job_that_could_not_begin_is_begun_later(database: Database, tmp_path: Path) -> None:
    await add_job(database, "queued")
    engine = Engine()
    deployments = deployments_on(database, tmp_path, engine)
    await deployments.begin("job_1")
    assert engine.started == []
    with pytest.raises(OSError, match="no space left"):
        await deployments.begin_again()
    engine.fails = False
    await deployments.begin_again()
    await deployments.begin_again()  # what has begun is left alone
    assert engine.started == ["job_1"]
