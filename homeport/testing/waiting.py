"""For tests that wait for the world: until something is true, for how long, and whether a process runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import psutil

T = TypeVar("T")


async def eventually(true: Callable[[], object], seconds: float = 10) -> None:
    """Returns as soon as `true()` is; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


class Stopwatch:
    """How long something takes, without the time for which this thread was ready and other processes had the cores."""

    def __init__(self) -> None:
        self._began = self._now()

    def seconds(self) -> float:
        return self._now() - self._began

    @staticmethod
    def _now() -> float:
        _ran, stood_in_line, _turns = Path("/proc/thread-self/schedstat").read_text().split()
        return time.monotonic() - int(stood_in_line) / 1_000_000_000


class SharedStopwatch:
    """How long something takes that this process and its children do, say a portal and a browser, without the time for
    which one thread of theirs, the one that waited longest, was ready and had no core: not the sum of all threads, as
    they wait at the same time and would excuse more than has passed."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._stood_in_line = self._look()

    def seconds(self) -> float:
        grown = [waited - self._stood_in_line.get(thread, 0) for thread, waited in self._look().items()]
        return time.monotonic() - self._began - max(grown) / 1_000_000_000

    @staticmethod
    def _look() -> dict[tuple[int, str], int]:
        """The nanoseconds that each thread has stood in line so far."""
        me = psutil.Process()
        found: dict[tuple[int, str], int] = {}
        for process in (me, *me.children(recursive=True)):
            for thread in Path(f"/proc/{process.pid}/task").glob("*"):
                try:
                    _ran, stood_in_line, _turns = (thread / "schedstat").read_text().split()
                except (FileNotFoundError, ProcessLookupError):
                    continue  # it has ended, and excuses nothing
                found[process.pid, thread.name] = int(stood_in_line)
        return found


async def within(seconds: float, coming: Awaitable[T]) -> T:
    """What `coming` gives; fails when it took longer, and other processes are not to blame."""
    watch = Stopwatch()
    async with asyncio.timeout(seconds + 30):
        given = await coming
    assert watch.seconds() < seconds, f"it took {watch.seconds():.2f} seconds instead of {seconds}"
    return given


def runs(pid: int) -> bool:
    """Whether there is such a process, other than as a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"
