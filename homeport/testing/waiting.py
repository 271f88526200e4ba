"""For tests that wait for the world: until something is true, for how long, and whether a process runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

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
    """How long something takes that several processes do, a browser and a portal, without the time for which anything
    on this machine was ready to run and had no core."""

    def __init__(self) -> None:
        self._began = self._now()

    def seconds(self) -> float:
        return self._now() - self._began

    @staticmethod
    def _now() -> float:
        """By what the kernel says of pressure; one that does not say it is taken for quiet."""
        try:
            some = Path("/proc/pressure/cpu").read_text().splitlines()[0]
        except OSError:
            return time.monotonic()
        return time.monotonic() - int(some.rpartition("total=")[2]) / 1_000_000


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
