"""Is it well? HTTP, TCP and command probes: for the gate of a deploy, and for ever after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from homeport.kit.clock import Clock
from homeport.kit.commands import CommandFailed, CommandTimedOut, run

log = structlog.get_logger()

MAX_HEAD = 16_384
AT_ONCE = 32
TICK_SECONDS = 1.0


@dataclass(frozen=True)
class Probe:
    """`type` is http, tcp or command. Without a path of its own, any answer below 500 counts: the app is up."""

    type: str = "http"
    path: str | None = None
    command: tuple[str, ...] = ()
    interval: float = 30.0
    timeout: float = 5.0
    failures: int = 3
    start_period: float = 0.0  # what a gate should wait at least

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "command": list(self.command)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any] | None) -> Probe:
        if not stored:
            return cls()
        known = {name: stored[name] for name in cls.__dataclass_fields__ if stored.get(name) is not None}
        return cls(**{**known, "command": tuple(known.get("command", ()))})


@dataclass(frozen=True)
class Subject:
    """What is probed: an instance behind a local port, with what a command probe needs to run."""

    service_id: str
    instance_id: str
    host_name: str
    port: int
    cwd: Path
    env: Mapping[str, str]
    probe: Probe
    uid: int | None = None
    host: str = "127.0.0.1"


@dataclass(frozen=True)
class Health:
    """`status` is healthy, unhealthy, starting or unknown."""

    status: str = "unknown"
    last_check: datetime | None = None
    consecutive_failures: int = 0
    message: str | None = None


async def check(subject: Subject) -> str | None:
    """None when it is well, else one sentence that says what is wrong."""
    probe = subject.probe
    try:
        async with asyncio.timeout(probe.timeout):
            if probe.type == "command":
                return await _command(subject)
            if probe.type == "tcp":
                _, writer = await asyncio.open_connection(subject.host, subject.port)
                writer.close()
                return None
            return await _http(subject)
    except TimeoutError:
        return f"no answer within {probe.timeout:g} s on port {subject.port}"
    except ConnectionRefusedError:
        return f"nothing listens on port {subject.port}"
    except OSError as problem:
        return f"port {subject.port}: {problem.strerror or problem}"


async def _http(subject: Subject) -> str | None:
    path = subject.probe.path
    reader, writer = await asyncio.open_connection(subject.host, subject.port, limit=MAX_HEAD)
    try:
        writer.write(
            f"GET {path or '/'} HTTP/1.1\r\nHost: {subject.host_name}\r\nUser-Agent: homeport-probe\r\n"
            "X-Forwarded-Proto: https\r\nAccept: */*\r\nConnection: close\r\n\r\n".encode()
        )
        line = await reader.readline()
    except ValueError:
        return "the answer is not HTTP"
    finally:
        writer.transport.abort()
    parts = line.split(None, 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/") or not parts[1].isdigit():
        return "the connection was closed without an answer" if not line else "the answer is not HTTP"
    status = int(parts[1])
    if status < (400 if path else 500):
        return None
    return f"GET {path or '/'} answered {status}"


async def _command(subject: Subject) -> str | None:
    probe = subject.probe
    try:
        await run(
            list(probe.command), cwd=subject.cwd, env=dict(subject.env), timeout=probe.timeout, max_output=65_536,
            uid=subject.uid,
        )  # fmt: skip
    except CommandTimedOut:
        return f"the command did not end within {probe.timeout:g} s"
    except CommandFailed as problem:
        return f"the command failed: {problem}"
    return None


class HealthMonitor:
    """Probes every live service at its interval. `changed(service_id, health)` is called when the status changes."""

    def __init__(
        self, clock: Clock, *, subjects: Callable[[], Sequence[Subject]], changed: Callable[[str, Health], None]
    ) -> None:
        self._clock = clock
        self._subjects = subjects
        self._changed = changed
        self._health: dict[str, Health] = {}
        self._instance: dict[str, str] = {}
        self._due: dict[str, float] = {}
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._task = asyncio.create_task(self._run(), name="health monitor")

    async def close(self) -> None:
        tasks = [*self._under_way.values(), *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def of(self, service_id: str) -> Health:
        return self._health.get(service_id, Health())

    def passed(self, service_id: str, instance_id: str) -> None:
        """A deploy's gate found this instance well: that counts as a check."""
        self._instance[service_id] = instance_id
        self._due[service_id] = self._clock.monotonic() + TICK_SECONDS
        self._set(service_id, Health("healthy", self._clock.now(), 0, None))

    def forget(self, service_id: str) -> None:
        for table in (self._health, self._instance, self._due):
            table.pop(service_id, None)

    def tick(self) -> None:
        """Start the probes that are due; forget what no longer runs."""
        now = self._clock.monotonic()
        subjects = {subject.service_id: subject for subject in self._subjects()}
        for service_id in [known for known in self._health if known not in subjects]:
            self.forget(service_id)
        for service_id, subject in subjects.items():
            if self._instance.get(service_id) != subject.instance_id:
                self._instance[service_id] = subject.instance_id
                self._due[service_id] = now
                self._health[service_id] = Health("starting")
            if self._due[service_id] <= now and service_id not in self._under_way:
                self._due[service_id] = now + subject.probe.interval
                task = asyncio.create_task(self._probe(subject), name=f"probe {service_id}")
                self._under_way[service_id] = task
                task.add_done_callback(partial(self._ended, service_id))

    def _ended(self, service_id: str, _task: asyncio.Task[None]) -> None:
        self._under_way.pop(service_id, None)

    async def _probe(self, subject: Subject) -> None:
        async with self._slots:
            problem = await check(subject)
        if self._instance.get(subject.service_id) != subject.instance_id:
            return
        before = self.of(subject.service_id)
        if problem is None:
            health = Health("healthy", self._clock.now(), 0, None)
        else:
            failures = before.consecutive_failures + 1
            status = "unhealthy" if failures >= subject.probe.failures else before.status
            health = replace(
                before, status=status, last_check=self._clock.now(), consecutive_failures=failures, message=problem
            )
            # While it is failing, look again sooner than a long interval says.
            self._due[subject.service_id] = self._clock.monotonic() + min(subject.probe.interval, 5.0)
        self._set(subject.service_id, health)

    def _set(self, service_id: str, health: Health) -> None:
        before = self.of(service_id)
        self._health[service_id] = health
        if before.status != health.status:
            self._changed(service_id, health)

    async def _run(self) -> None:
        while True:
            try:
                self.tick()
            except Exception:
                log.exception("health monitor failed")
            await self._clock.sleep(TICK_SECONDS)
