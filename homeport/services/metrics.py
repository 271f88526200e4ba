"""CPU, memory and storage of each service: sampled for all at once, the last hour kept in memory."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from homeport.kit.clock import Clock
from homeport.services.drivers import ServiceDriver, Usage

log = structlog.get_logger()

SAMPLE_SECONDS = 5.0
STORAGE_EVERY = 60  # samples
STALE = timedelta(seconds=3 * SAMPLE_SECONDS)
KEPT = 720  # samples: one hour
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    at: datetime
    cpu: float  # cores
    memory_mb: int


class Metrics:
    """Samples what `live()` lists: service id -> instance id. `sampled(service ids)` is called after each round."""

    def __init__(
        self,
        driver: ServiceDriver,
        clock: Clock,
        services_dir: Path,
        *,
        live: Callable[[], Mapping[str, str]],
        sampled: Callable[[Mapping[str, Sample]], None],
        measured: Callable[[Mapping[str, int]], None],
    ) -> None:
        self._driver = driver
        self._clock = clock
        self._services_dir = services_dir
        self._live = live
        self._sampled = sampled
        self._measured = measured
        self._history: dict[str, deque[Sample]] = {}
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._task = asyncio.create_task(self._run(), name="metrics")

    async def close(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def latest(self, service_id: str) -> Sample | None:
        """The newest sample, while the service runs."""
        history = self._history.get(service_id)
        if not history or self._clock.now() - history[-1].at > STALE:
            return None
        return history[-1]

    def history(self, service_id: str, minutes: int) -> list[Sample]:
        """Oldest first."""
        oldest = self._clock.now() - timedelta(minutes=minutes)
        return [sample for sample in self._history.get(service_id, ()) if sample.at >= oldest]

    def forget(self, service_id: str) -> None:
        self._history.pop(service_id, None)

    async def sample(self) -> None:
        """One round over everything that runs."""
        live = self._live()
        usage: Mapping[str, Usage] = await self._driver.usage(live.values()) if live else {}
        now = self._clock.now()
        fresh: dict[str, Sample] = {}
        for service_id, instance_id in live.items():
            if used := usage.get(instance_id):
                fresh[service_id] = Sample(now, round(used.cpu, 3), round(used.memory_bytes / MIB))
                self._history.setdefault(service_id, deque(maxlen=KEPT)).append(fresh[service_id])
        if fresh:
            self._sampled(fresh)

    async def measure(self, service_id: str) -> int:
        """MiB on disk of everything that the service keeps."""
        return await asyncio.to_thread(_size_mb, self._services_dir / service_id)

    async def _run(self) -> None:
        rounds = 0
        while True:
            try:
                await self.sample()
                if rounds % STORAGE_EVERY == 0:
                    self._measured({service_id: await self.measure(service_id) for service_id in list(self._live())})
            except Exception:
                log.exception("sampling failed")
            rounds += 1
            await self._clock.sleep(SAMPLE_SECONDS)


def _size_mb(folder: Path) -> int:
    total = 0
    pending = [os.fspath(folder)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except FileNotFoundError:
            continue  # removed while we looked
    return -(-total // MIB)
