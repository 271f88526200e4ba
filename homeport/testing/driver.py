"""A driver without processes: it keeps the contract of ServiceDriver in memory, and does what a test tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from homeport.kit.clock import Clock, SystemClock
from homeport.services.drivers import InstanceSpec, InstanceState, Observation, Part, Usage
from homeport.services.problems import StartFailed

LONGEST_DELAY = timedelta(minutes=1)


@dataclass
class FakeMachine:
    """What outlives a driver: hand the same machine to a second FakeDriver, and it finds what the first one started."""

    specs: dict[str, InstanceSpec] = field(default_factory=dict)
    seen: dict[str, Observation] = field(default_factory=dict)
    usage: dict[str, Usage] = field(default_factory=dict)
    next_pid: int = 4_000_001  # beyond every real one
    timers: dict[str, asyncio.TimerHandle] = field(default_factory=dict)
    watchers: list[Callable[[Observation], None]] = field(default_factory=list)


class FakeDriver:
    """`calls` lists what was asked of it, e.g. `("start", "rel_1")`. `refuse` makes the next starts fail."""

    name = "fake"

    def __init__(self, machine: FakeMachine | None = None, *, clock: Clock | None = None) -> None:
        self.machine = machine or FakeMachine()
        self.calls: list[tuple[str, str]] = []
        self.graces: dict[str, timedelta] = {}  # of the last stop of each instance
        self.refuse: str | None = None  # a sentence: start raises StartFailed with it
        self._clock = clock or SystemClock()
        self._on_change: Callable[[Observation], None] | None = None

    async def open(self, on_change: Callable[[Observation], None]) -> None:
        self._on_change = on_change
        self.machine.watchers.append(on_change)

    async def close(self) -> None:
        if self._on_change in self.machine.watchers:
            self.machine.watchers.remove(self._on_change)

    async def start(self, spec: InstanceSpec) -> Observation:
        self.calls.append(("start", spec.id))
        before = self.machine.seen.get(spec.id)
        if before is not None and before.state is InstanceState.RUNNING:
            return before
        if self.refuse is not None:
            raise StartFailed(self.refuse)
        self._cancel_timer(spec.id)
        self.machine.specs[spec.id] = spec
        return self._set(Observation(spec.id, spec.service_id, InstanceState.RUNNING, port=spec.port), run=True)

    async def stop(self, instance_id: str, grace: timedelta) -> None:
        self.calls.append(("stop", instance_id))
        self.graces[instance_id] = grace
        self._cancel_timer(instance_id)
        if (seen := self.machine.seen.get(instance_id)) and seen.state is not InstanceState.STOPPED:
            code = -15 if seen.state is InstanceState.RUNNING else seen.exit_code
            self._set(replace(seen, state=InstanceState.STOPPED, exit_code=code, reason="stopped"))

    async def remove(self, instance_id: str) -> None:
        self.calls.append(("remove", instance_id))
        self._cancel_timer(instance_id)
        self.machine.seen.pop(instance_id, None)
        self.machine.specs.pop(instance_id, None)

    async def observe(self) -> Mapping[str, Observation]:
        return dict(self.machine.seen)

    async def usage(self, instance_ids: Iterable[str]) -> Mapping[str, Usage]:
        return {
            instance_id: self.machine.usage.get(instance_id, Usage(0.0, 1 << 20))
            for instance_id in instance_ids
            if (seen := self.machine.seen.get(instance_id)) and seen.state is InstanceState.RUNNING
        }

    async def parts(self, service_id: str) -> Sequence[Part]:
        """Its processes, each one of a release."""
        seen = [one for one in (await self.observe()).values() if one.service_id == service_id]
        usage = await self.usage([one.id for one in seen])
        return [
            Part(
                one.id, "app", one.state.value, started_at=one.started_at, restarts=one.restarts,
                exit_code=one.exit_code, ports=(one.port,) if one.port else (), release_id=one.id,
                cpu=usage[one.id].cpu if one.id in usage else None,
                memory_bytes=usage[one.id].memory_bytes if one.id in usage else None,
            )
            for one in seen
        ]  # fmt: skip

    async def purge(self, service_id: str) -> None:
        """Every instance of it."""
        for one in (await self.observe()).values():
            if one.service_id == service_id:
                await self.remove(one.id)

    def exit(self, instance_id: str, code: int = 1, reason: str | None = None) -> None:
        """The app ends by itself; it is started again after its back-off (real seconds, on the running loop)."""
        seen, spec = self.machine.seen[instance_id], self.machine.specs[instance_id]
        delay = min(spec.restart_delay * 2**seen.restarts, LONGEST_DELAY)
        told = replace(
            seen,
            state=InstanceState.BACKOFF,
            restarts=seen.restarts + 1,
            exit_code=code,
            reason=reason or (f"exited with code {code}" if code >= 0 else f"killed by signal {-code}"),
            retry_at=self._clock.now() + delay,
        )
        self._tell(self._set(told))
        loop = asyncio.get_running_loop()
        self.machine.timers[instance_id] = loop.call_later(delay.total_seconds(), self._start_again, instance_id)

    def lose(self, instance_id: str) -> None:
        """Its supervisor is killed."""
        self._cancel_timer(instance_id)
        seen = self.machine.seen[instance_id]
        self._tell(self._set(replace(seen, state=InstanceState.LOST, reason="lost: its supervisor was killed")))

    def _start_again(self, instance_id: str) -> None:
        self._tell(self._set(replace(self.machine.seen[instance_id], state=InstanceState.RUNNING), run=True))

    def _set(self, observation: Observation, *, run: bool = False) -> Observation:
        pid = None
        if run:
            pid, self.machine.next_pid = self.machine.next_pid, self.machine.next_pid + 1
            observation = replace(observation, started_at=self._clock.now())
        if observation.state is not InstanceState.BACKOFF:
            observation = replace(observation, retry_at=None)
        observation = replace(observation, pid=pid)
        self.machine.seen[observation.id] = observation
        return observation

    def _tell(self, observation: Observation) -> None:
        for watcher in list(self.machine.watchers):
            watcher(observation)

    def _cancel_timer(self, instance_id: str) -> None:
        if timer := self.machine.timers.pop(instance_id, None):
            timer.cancel()
