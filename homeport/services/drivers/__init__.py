"""The seam between what should run and what runs it.

`ServiceDriver` is the contract; `tests/services/drivers/test_contract.py` judges every implementation, the fake too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from homeport.kit.confinement import Confinement
from homeport.services.compose.model import Stack


@dataclass(frozen=True)
class Limits:
    """What one instance may use: memory in MiB, CPU in cores, number of processes and threads."""

    memory_mb: int = 512
    cpu: float = 1.0
    pids: int = 512


@dataclass(frozen=True)
class InstanceSpec:
    """One release of a service, ready to run. `id` is the release's id: the same id is the same thing for ever."""

    id: str
    service_id: str
    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    port: int
    log_dir: Path
    secrets: tuple[str, ...] = ()  # values masked in the log before they are stored
    limits: Limits = field(default_factory=Limits)
    restart_delay: timedelta = timedelta(
        seconds=1
    )  # first back-off; doubles to a minute, and starts over after a minute of health
    log_limit_mb: int = 10
    confinement: Confinement | None = None  # which files it may reach; None: all that its user may
    uid: int | None = None  # run as this user (and group) where the portal may; None keeps the portal's
    driver: str = "process"  # which of several drivers runs it
    stack: Stack | None = None  # containers, with pinned images; `argv` and `cwd` mean nothing then
    service_name: str = ""  # for people who look with the engine's own tools
    revision: str = ""


class InstanceState(StrEnum):
    RUNNING = "running"
    BACKOFF = "backoff"  # exited; will be started again at `retry_at`
    STOPPED = "stopped"  # stopped on request
    LOST = "lost"  # its supervisor died without a word; nothing of it runs


@dataclass(frozen=True)
class Observation:
    """What a driver sees of one instance. `restarts` counts unasked exits since start(); `exit_code` is the last one's
    (negative: killed by that signal); `reason` is a word for people, e.g. "killed: over its memory limit of 64 MB"."""

    id: str
    service_id: str
    state: InstanceState
    pid: int | None = None
    port: int | None = None
    started_at: datetime | None = None
    restarts: int = 0
    exit_code: int | None = None
    reason: str | None = None
    retry_at: datetime | None = None
    host: str = "127.0.0.1"  # where `port` is reached; another machine's address in a swarm


@dataclass(frozen=True)
class Part:
    """One process or container of a service, for people. `image`, `health` and `node` are None where they mean nothing;
    memory in bytes, CPU in cores, both None while nothing runs."""

    name: str
    part: str
    state: str
    image: str | None = None
    health: str | None = None
    started_at: datetime | None = None
    restarts: int = 0
    exit_code: int | None = None
    cpu: float | None = None
    memory_bytes: int | None = None
    node: str | None = None
    ports: tuple[int, ...] = ()
    release_id: str | None = None  # of the routed one; None for those that releases share


@dataclass(frozen=True)
class Usage:
    """CPU in cores since the previous call (0.0 on the first), memory in bytes; both over the whole process tree."""

    cpu: float
    memory_bytes: int


class ServiceDriver(Protocol):
    """Runs instances. Every method is idempotent, and none remembers: `observe()` is the truth.

    - Before `start` an id is unknown: it is not in `observe()`, and `stop` and `remove` do nothing.
    - `start` returns once the process exists; it says nothing of health. Started twice: nothing happens. A stopped,
      lost or backed-off instance starts anew with the spec given.
    - An instance that exits by itself is started again after its back-off, also while the portal is down.
    - `stop` sends SIGTERM to the whole group, waits `grace`, sends SIGKILL, and returns when no process of it is left.
    - After the portal was killed and started, `observe()` lists what runs, and every other method works on it.
    - `on_change` (given to `open`) is called on the event loop, within two seconds of a change of state that
      nobody asked for.
    """

    name: str

    async def open(self, on_change: Callable[[Observation], None]) -> None:
        """Adopt what runs and begin watching."""
        ...

    async def close(self) -> None:
        """Stop watching. What runs goes on running."""
        ...

    async def start(self, spec: InstanceSpec) -> Observation:
        """Raises StartFailed where the process cannot be made (no such program, no permission)."""
        ...

    async def stop(self, instance_id: str, grace: timedelta) -> None: ...

    async def remove(self, instance_id: str) -> None:
        """Stop at once, and forget."""
        ...

    async def observe(self) -> Mapping[str, Observation]: ...

    async def usage(self, instance_ids: Iterable[str]) -> Mapping[str, Usage]:
        """Of those that run; the others are left out."""
        ...

    async def parts(self, service_id: str) -> Sequence[Part]:
        """Everything that runs or ran for this service, the routed one first."""
        ...

    async def purge(self, service_id: str) -> None:
        """Stop and remove everything of this service: instances, and what they shared (volumes, networks, images)."""
        ...
