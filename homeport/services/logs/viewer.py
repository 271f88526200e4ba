"""One viewer of a log: its own bounded queue, and an honest word where it was too slow."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Entry = TypeVar("Entry")
CAPACITY = 1000  # entries waiting for one viewer


class Viewer(Generic[Entry]):
    """An async iterator over a feed. `batch()` takes all that waits, for those who send several at once.

    Only `CAPACITY` new entries wait; what comes while the queue is full is counted, and told by `gap` in its
    place once the viewer has read half of it. The tail it began with does not count.
    """

    def __init__(self, gap: Callable[[int], Entry], capacity: int = CAPACITY) -> None:
        self._gap = gap  # makes the entry that tells of so many skipped ones
        self._capacity = capacity
        self._history: deque[Entry] = deque()
        self._queue: deque[Entry] = deque()
        self._skipped = 0
        self._ended = False
        self._waiting: asyncio.Future[None] | None = None

    def begin(self, history: Sequence[Entry]) -> None:
        """What stands before the first pushed entry."""
        self._history.extend(history)

    def push(self, entries: Sequence[Entry]) -> None:
        """Never waits, never grows beyond its capacity."""
        if self._skipped:
            if len(self._queue) > self._capacity // 2:
                self._skipped += len(entries)
                return
            self._queue.append(self._gap(self._skipped))
            self._skipped = 0
        room = self._capacity - len(self._queue)
        self._queue.extend(entries if len(entries) <= room else entries[:room])
        self._skipped += max(0, len(entries) - room)
        self._wake()

    def end(self) -> None:
        """Nothing more will come: the iteration ends after what waits."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def __aiter__(self) -> Viewer[Entry]:
        return self

    async def __anext__(self) -> Entry:
        while True:
            if self._history:
                return self._history.popleft()
            if self._queue:
                return self._queue.popleft()
            if self._skipped:
                gap, self._skipped = self._gap(self._skipped), 0
                return gap
            if self._ended:
                raise StopAsyncIteration
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting

    async def batch(self) -> list[Entry]:
        """At least one entry, and all that wait; empty when the log has ended."""
        try:
            found = [await anext(self)]
        except StopAsyncIteration:
            return []
        found += self._history
        found += self._queue
        self._history.clear()
        self._queue.clear()
        return found
