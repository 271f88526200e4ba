"""Logs on disk beyond the life of a process: one reader a source however many viewers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import orjson

from homeport.kit.clock import rfc3339_ms


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line. `stream` is stdout, stderr or system (what the supervisor has to say)."""

    timestamp: datetime
    stream: str
    message: str
    instance: str = ""
    _text: str | None = field(default=None, init=False, repr=False, compare=False)

    def json(self) -> bytes:
        """The entry as the API shows it."""
        return orjson.dumps(
            {
                "timestamp": rfc3339_ms(self.timestamp),
                "stream": self.stream,
                "message": self.message,
                "container": self.instance,
            }
        )

    def text(self) -> str:
        """The same, made once however many viewers there are."""
        if self._text is None:
            object.__setattr__(self, "_text", self.json().decode())  # a cache, not a change
            assert self._text is not None
        return self._text


@dataclass(frozen=True, slots=True)
class Skipped:
    """Told to a viewer that was too slow: `lines` entries were not sent to it at this place."""

    lines: int

    def json(self) -> bytes:
        """The gap as the API shows it: an entry of the system, and the number."""
        return orjson.dumps(
            {
                "timestamp": rfc3339_ms(datetime.now(UTC)),
                "stream": "system",
                "message": f"… {self.lines} lines skipped",
                "container": "",
                "skipped": self.lines,
            }
        )

    def text(self) -> str:
        """The same as text."""
        return self.json().decode()


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
