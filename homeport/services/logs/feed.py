"""One service's log as it grows: read once, handed to every viewer."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import structlog

from homeport.services.logs import LogEntry, Skipped
from homeport.services.logs.reader import DirectoryReader
from homeport.services.logs.tail import Position, tail
from homeport.services.logs.viewer import Viewer

log = structlog.get_logger()
POLL = 0.02  # seconds between two looks
PIECE = 100  # entries between two turns of the viewers
RECENT = 1000  # entries kept for viewers that join
RECENT_SIZE = 4 * 1024 * 1024  # characters of their messages


class Feed:
    """Starts with `open()`, ends with `close()`, or by itself when the service's logs are removed.

    `recent` reaches to exactly the place where the readers stand, so a viewer that joins gets its tail from there, or
    from the files up to `positions`, and everything after it from the readers.
    """

    def __init__(self, directory: Path) -> None:
        self.users = 0  # viewers that have it, or are about to; counted by FileLogs
        self._directory = directory
        self._reader = DirectoryReader(directory)
        self._reading = threading.Lock()  # a look that was cancelled goes on in its thread
        self._closed = False
        self._viewers: set[Viewer[LogEntry | Skipped]] = set()
        self._recent: deque[LogEntry] = deque()
        self._recent_size = 0
        self._complete = False  # `recent` goes back to the beginning of the log
        self._positions: Mapping[str, Position] = {}
        self._task: asyncio.Task[None] | None = None
        self._ended = False
        self._opening: asyncio.Task[None] | None = None

    async def ready(self) -> None:
        """Opened by whoever comes first; the others wait for it."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._open(), name=f"log feed: open {self._directory}")
        await asyncio.shield(self._opening)

    async def _open(self) -> None:
        history = await asyncio.to_thread(self._begin)
        self._complete = len(history) < RECENT
        self._remember(history)
        self._task = asyncio.create_task(self._run(), name=f"log feed: follow {self._directory}")

    def _begin(self) -> list[LogEntry]:
        with self._reading:
            if self._closed:
                return []
            self._reader.skip()
            self._positions = self._reader.positions()
            return tail(self._directory, RECENT, until=self._positions)

    async def join(self, viewer: Viewer[LogEntry | Skipped], lines: int, since: datetime | None) -> None:
        """Give `viewer` its tail, and from now on every new entry."""
        positions = self._positions
        if self._ended:
            viewer.end()
        self._viewers.add(viewer)  # no await between these two and the tail: nothing is missed and nothing comes twice
        if self._complete or lines <= len(self._recent):
            kept = list(self._recent)[-lines:] if lines else []
            viewer.begin([entry for entry in kept if since is None or entry.timestamp >= since])
        else:
            viewer.begin(await asyncio.to_thread(tail, self._directory, lines, since, positions))

    def leave(self, viewer: Viewer[LogEntry | Skipped]) -> None:
        self._viewers.discard(viewer)

    async def close(self) -> None:
        for viewer in self._viewers:
            viewer.end()
        tasks = [task for task in (self._opening, self._task) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._end_reading)

    def _end_reading(self) -> None:
        with self._reading:
            self._closed = True
            self._reader.close()

    async def _run(self) -> None:
        try:
            while (found := await asyncio.to_thread(self._look)) is not None:
                entries, positions, more = found
                self._positions = positions
                if entries:
                    self._remember(entries)
                    await self._hand_out(entries)
                await asyncio.sleep(0 if more else POLL)
        except OSError:
            log.exception("a log could not be followed", directory=str(self._directory))
        self._ended = True
        for viewer in self._viewers:
            viewer.end()

    async def _hand_out(self, entries: list[LogEntry]) -> None:
        """Piece by piece: who keeps up misses nothing of a burst that is longer than a viewer's queue."""
        viewers = list(self._viewers)  # who joins meanwhile has all of them in its tail
        for start in range(0, len(entries), PIECE):
            for viewer in viewers:
                viewer.push(entries[start : start + PIECE])
            await asyncio.sleep(0)

    def _look(self) -> tuple[list[LogEntry], dict[str, Position], bool] | None:
        with self._reading:
            found = None if self._closed else self._reader.read()
            return None if found is None else (found[0], self._reader.positions(), found[1])

    def _remember(self, entries: list[LogEntry]) -> None:
        self._recent.extend(entries)
        self._recent_size += sum(len(entry.message) for entry in entries)
        while len(self._recent) > RECENT or self._recent_size > RECENT_SIZE:
            self._recent_size -= len(self._recent.popleft().message)
            self._complete = False
