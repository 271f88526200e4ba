"""Logs on disk beyond the life of a process: one reader a source however many viewers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line. `stream` is stdout, stderr or system (what the supervisor has to say)."""

    timestamp: datetime
    stream: str
    message: str
    instance: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Told to a viewer that was too slow: `lines` entries were not sent to it."""

    lines: int


class Logs(Protocol):
    """Reads the logs of one service, named by its log directory's owner (`service_id`)."""

    async def tail(self, service_id: str, *, lines: int, since: datetime | None = None) -> list[LogEntry]:
        """The last `lines` entries not older than `since`, oldest first."""
        ...

    def follow(
        self, service_id: str, *, lines: int, since: datetime | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[LogEntry | Skipped]]:
        """The tail, then every new entry as it comes; no gap and no repeat between the two."""
        ...
