"""FileLogs: the logs of all services, read from the files that supervisors write."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from homeport.kit.clock import Clock, SystemClock
from homeport.services.logs import LogEntry, Skipped
from homeport.services.logs.feed import Feed
from homeport.services.logs.generations import SUFFIXES
from homeport.services.logs.tail import tail
from homeport.services.logs.viewer import CAPACITY, Viewer
from homeport.wire.log_line import LONGEST_MESSAGE, format_line

PORTAL = "portal"  # the instance whose log holds what the portal itself has to say of a service
PORTAL_LOG_SIZE = 1024 * 1024  # bytes, three times
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FileLogs:
    """Implements Logs. The log of instance I of service S is `root/S/logs/I.log`, and `.1`, `.2` when rotated."""

    def __init__(self, root: Path, *, clock: Clock | None = None, capacity: int = CAPACITY) -> None:
        self._root = root
        self._clock = clock or SystemClock()
        self._capacity = capacity
        self._feeds: dict[str, Feed] = {}
        self._appending = asyncio.Lock()

    def directory(self, service_id: str) -> Path:
        """Where the logs of a service are. ValueError for what cannot be an id."""
        if not _ID.fullmatch(service_id):
            raise ValueError(f"not a service id: {service_id!r}")
        return self._root / service_id / "logs"

    async def tail(self, service_id: str, *, lines: int, since: datetime | None = None) -> list[LogEntry]:
        if lines < 1:
            return []
        return await asyncio.to_thread(tail, self.directory(service_id), lines, since)

    @asynccontextmanager
    async def follow(
        self, service_id: str, *, lines: int, since: datetime | None = None
    ) -> AsyncIterator[Viewer[LogEntry | Skipped]]:
        """Ends when the service's log directory is removed. The reader is shared, and lives while it has viewers."""
        feed = self._feeds.get(service_id)
        if feed is None:
            feed = self._feeds[service_id] = Feed(self.directory(service_id))
        feed.users += 1
        viewer = Viewer[LogEntry | Skipped](Skipped, self._capacity)
        try:
            await feed.ready()
            await feed.join(viewer, max(0, lines), since)
            yield viewer
        finally:
            feed.leave(viewer)
            feed.users -= 1
            if feed.users == 0:
                if self._feeds.get(service_id) is feed:
                    del self._feeds[service_id]
                await feed.close()

    async def append(self, service_id: str, message: str) -> None:
        """A line of the portal's own in a service's log (stream `system`); a text of several lines becomes several."""
        since = self._clock.now() - _EPOCH
        nanoseconds = since // timedelta(microseconds=1) * 1000
        lines = [line.encode()[:LONGEST_MESSAGE].decode("utf-8", "ignore") for line in message.splitlines() or [""]]
        data = b"".join(format_line(nanoseconds + step, "system", line) for step, line in enumerate(lines))
        async with self._appending:
            await asyncio.to_thread(self._append, self.directory(service_id) / f"{PORTAL}.log", data)

    async def forget(self, service_id: str, instance_id: str) -> None:
        """Remove the log files of one instance."""
        if not _ID.fullmatch(instance_id):
            raise ValueError(f"not an instance id: {instance_id!r}")
        for suffix in SUFFIXES:
            path = self.directory(service_id) / f"{instance_id}.log{suffix}"
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def close(self) -> None:
        """End every feed; viewers see the end of their log."""
        feeds = list(self._feeds.values())
        self._feeds.clear()
        await asyncio.gather(*(feed.close() for feed in feeds))

    @staticmethod
    def _append(path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size + len(data) > PORTAL_LOG_SIZE:
            for older, newer in ((".2", ".1"), (".1", "")):
                if (young := path.with_name(path.name + newer)).exists():
                    young.replace(path.with_name(path.name + older))
        with path.open("ab") as file:
            file.write(data)
