"""Time is handed in, so that tests never sleep."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A source of instants (aware, UTC) and of monotonic seconds."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def rfc3339(instant: datetime) -> str:
    """UTC, whole seconds, with Z: `2026-03-29T10:00:00Z`, as every seed writes it."""
    if instant.tzinfo is not UTC:
        instant = instant.astimezone(UTC)
    return instant.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def rfc3339_ms(instant: datetime) -> str:
    """With milliseconds, for what is timed rather than dated: `2026-03-29T10:00:00.123Z`."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03}Z"


def parse_rfc3339(text: str) -> datetime:
    """An aware instant in UTC; ValueError for anything else, a missing zone included."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("the time zone is missing: write it as 2026-03-29T10:00:00Z")
    return instant.astimezone(UTC)
