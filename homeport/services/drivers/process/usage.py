"""What instances use, read from /proc."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from homeport.services.drivers import Usage
from homeport.services.drivers.process.supervisor import tree

TICKS = os.sysconf("SC_CLK_TCK")


class Meter:
    """Remembers the CPU time of each instance between two readings. Blocks: call it in a thread, one at a time."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[int, float, float]] = {}  # supervisor's pid, CPU seconds, when

    def read(self, supervisors: Mapping[str, int]) -> dict[str, Usage]:
        """Usage by instance, of those that run. CPU also counts children that came and went in between."""
        found: dict[str, Usage] = {}
        for instance_id, supervisor in supervisors.items():
            pids = tree.descendants(supervisor)
            own = tree.stat(supervisor)
            if not pids or not own:
                continue
            ticks = int(own[13]) + int(own[14])  # of the dead that it has reaped
            for pid in pids:
                if fields := tree.stat(pid):
                    ticks += sum(map(int, fields[11:15]))
            now, seconds = time.monotonic(), ticks / TICKS
            before = self._before.get(instance_id)
            self._before[instance_id] = (supervisor, seconds, now)
            cpu = 0.0
            if before and before[0] == supervisor and now > before[2]:
                cpu = max(0.0, (seconds - before[1]) / (now - before[2]))
            found[instance_id] = Usage(cpu, tree.memory(pids, shared_once=len(pids) > 1))
        return found

    def forget(self, instance_id: str) -> None:
        self._before.pop(instance_id, None)
