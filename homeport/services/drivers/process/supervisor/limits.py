"""Holds an app to its limits: by control groups where the driver gave us some, else by looking and killing."""

from __future__ import annotations

import os
import time

from . import tree

TYPE_CHECKING = False  # `typing` itself would cost every supervisor a megabyte
if TYPE_CHECKING:
    from .spec import Spec

CALM, ALERT = 1.0, 0.2  # seconds between two looks: while memory is far from its limit, and near it


class Watch:
    """`verdict` is a sentence once the app must be killed. `due` is when the next look is (0: never)."""

    def __init__(self, spec: Spec) -> None:
        self.groups = spec["groups"]
        self.memory_mb = spec["memory_mb"]
        self.pids = spec["pids"]
        self.watch_memory = spec["watch_memory"]
        self.watch_pids = spec["watch_pids"]
        self.verdict = ""
        self.due = 0.0
        self._oom_kills = 0

    @property
    def over_memory(self) -> str:
        return f"killed: over its memory limit of {self.memory_mb} MB"

    def prepare(self) -> None:
        """Before each run: the groups exist and hold the limits. Raises OSError where they cannot be made."""
        for directory, values in self.groups:
            if not os.path.isdir(directory):
                os.mkdir(directory)
            for name, value in values:
                with open(f"{directory}/{name}", "wb", 0) as file:
                    file.write(value.encode())
        self._oom_kills = self._count_oom_kills()
        self.verdict = ""
        self.due = time.monotonic() + ALERT if self.watch_memory or self.watch_pids else 0.0

    def tick(self, now: float, root: int) -> None:
        """Look, if it is time."""
        if not self.due or now < self.due:
            return
        pids = tree.descendants(root)
        limit = self.memory_mb << 20
        used = tree.memory(pids, shared_once=False) if self.watch_memory else 0
        if used > limit and len(pids) > 1:  # forked workers share most of what was counted for each
            used = tree.memory(pids, shared_once=True)
        if used > limit:
            self.verdict = self.over_memory
        elif self.watch_pids and tree.threads(pids) > self.pids:
            self.verdict = f"killed: over its limit of {self.pids} processes and threads"
        self.due = now + (ALERT if used > limit // 2 else CALM)

    def killed_by_group(self) -> str:
        """The sentence for an app that the kernel killed for its memory; empty when it did not."""
        return self.over_memory if self._count_oom_kills() > self._oom_kills else ""

    def clean(self) -> None:
        """Remove the groups. Nothing runs in them any more; the kernel may need a moment to see it."""
        for directory, _ in self.groups:
            for _attempt in range(50):
                try:
                    os.rmdir(directory)
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.01)
                else:
                    break

    def _count_oom_kills(self) -> int:
        for directory, _ in self.groups:
            for name in ("memory.events", "memory.oom_control"):
                for line in tree.read(f"{directory}/{name}").splitlines():
                    word, _, count = line.partition(b" ")
                    if word == b"oom_kill":
                        return int(count)
        return 0
