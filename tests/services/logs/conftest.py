"""A service's log directory, written as supervisors write it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from homeport.services.drivers.process.supervisor.lines import LogFile
from homeport.services.logs.files import FileLogs
from homeport.wire.log_line import format_line

START = datetime(2026, 3, 29, 10, 0, 0, tzinfo=UTC)


class Writer:
    """Writes lines of any instance at any instant; `supervisor()` gives the real writer, with its rotation."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.start = START

    def write(self, instance: str, message: str, *, second: float = 0, age: str = "") -> None:
        at = int((START + timedelta(seconds=second)).timestamp()) * 1_000_000_000
        self.raw(instance, format_line(at, "stdout", message), age=age)

    def raw(self, instance: str, data: bytes, *, age: str = "") -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / f"{instance}.log{age}").open("ab") as file:
            file.write(data)

    def supervisor(self, instance: str, limit: int) -> LogFile:
        self.directory.mkdir(parents=True, exist_ok=True)
        return LogFile(str(self.directory / f"{instance}.log"), limit)


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "svc_1" / "logs")


@pytest.fixture
async def logs(tmp_path: Path) -> AsyncIterator[FileLogs]:
    logs = FileLogs(tmp_path, capacity=100)
    yield logs
    await logs.close()
