"""What containers on the manager's own node use; a manager is not told of other nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from homeport.kit.clock import Clock
from homeport.services.drivers import Part, Usage
from homeport.services.drivers.swarm import reading
from homeport.services.drivers.swarm.cluster import Cluster, View

NANOSECONDS = 1e9
REMEMBERED = 4096  # containers


class Meter:
    """Remembers the CPU time of each container between two readings."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._before: dict[str, tuple[str, float, float]] = {}  # by key: container, CPU seconds, when

    async def read(self, view: View, services: Mapping[str, Mapping[str, Any]]) -> dict[str, Usage]:
        """By the keys given, of those whose container runs on the manager's node."""
        own = await self._cluster.own_node()
        containers = {}
        for key, service in services.items():
            task = reading.current(view.history(service))
            if task is not None and reading.is_up(task) and task.get("NodeID") == own:
                containers[key] = str(task["Status"].get("ContainerStatus", {}).get("ContainerID", ""))
        keys = [key for key, container in containers.items() if container]
        told = await asyncio.gather(*(self._cluster.stats(containers[key]) for key in keys))
        return {key: self._usage(key, containers[key], one) for key, one in zip(keys, told, strict=True) if one}

    async def measure(self, view: View, services: Mapping[str, Mapping[str, Any]]) -> Sequence[Part]:
        """The parts of a stack with what they use, in the order given."""
        usage = await self.read(view, services)
        found = []
        for key, service in services.items():
            part = reading.parts(service, view.tasks, view.nodes)
            used = usage.get(key)
            found.append(replace(part, cpu=used.cpu, memory_bytes=used.memory_bytes) if used else part)
        return found

    def forget(self, key: str) -> None:
        self._before.pop(key, None)

    def _usage(self, key: str, container: str, told: Mapping[str, Any]) -> Usage:
        memory = told.get("memory_stats") or {}
        details = memory.get("stats") or {}
        # Pages of files that could be dropped are no use of memory; the two kinds of control groups name them apart.
        cache = details.get("total_inactive_file", details.get("inactive_file", 0))
        seconds = float(((told.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage", 0)) / NANOSECONDS
        now = self._clock.monotonic()
        before = self._before.get(key)
        self._before.pop(key, None)
        self._before[key] = (container, seconds, now)
        if len(self._before) > REMEMBERED:
            del self._before[next(iter(self._before))]  # the one that was asked for longest ago
        cpu = 0.0
        if before and before[0] == container and now > before[2]:
            cpu = max(0.0, (seconds - before[1]) / (now - before[2]))
        return Usage(cpu, max(0, int(memory.get("usage", 0)) - int(cache)))
