"""What containers use: CPU since the previous look, and memory without the page cache."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from homeport.kit.clock import Clock
from homeport.services.docker import Engine
from homeport.services.docker.problems import EngineRefused
from homeport.services.drivers import Usage

AT_ONCE = 8


class Meter:
    """Each who looks has one of its own, for CPU is counted from look to look."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._before: dict[str, tuple[float, int]] = {}  # container -> (monotonic seconds, CPU nanoseconds)
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def look(self, container_ids: Collection[str]) -> Mapping[str, Usage]:
        """Of those that run; the others are left out."""
        found = await asyncio.gather(*(self._one(one) for one in container_ids))
        self._before = {one: seen for one, seen in self._before.items() if one in set(container_ids)}
        return {one: usage for one, usage in zip(container_ids, found, strict=True) if usage is not None}

    async def _one(self, container_id: str) -> Usage | None:
        async with self._at_once:
            try:
                told = await self._engine.ask(
                    "GET", f"/containers/{container_id}/stats", query={"stream": False, "one-shot": True}
                )
            except EngineRefused as refusal:
                if refusal.engine_status in {404, 409}:
                    return None
                raise
        used = _memory(told.get("memory_stats") or {})
        if used is None:
            return None
        now, spent = self._clock.monotonic(), int(told["cpu_stats"]["cpu_usage"]["total_usage"])
        then, before = self._before.get(container_id, (now, spent))
        self._before[container_id] = (now, spent)
        return Usage(cpu=max(0, spent - before) / 1e9 / (now - then) if now > then else 0.0, memory_bytes=used)


def _memory(told: Mapping[str, Any]) -> int | None:
    """None where nothing runs."""
    if not told.get("usage"):
        return None
    stats = told.get("stats") or {}
    cache = stats.get("total_inactive_file", stats.get("inactive_file", 0))  # cgroup 1, cgroup 2
    return max(0, int(told["usage"]) - int(cache))
