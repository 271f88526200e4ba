"""What is known of the routed containers, and who is told when it changes without having been asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from homeport.kit.clock import Clock
from homeport.services.docker import labels
from homeport.services.drivers import InstanceState, Observation
from homeport.services.drivers.compose import state
from homeport.services.drivers.compose.objects import Objects
from homeport.services.drivers.compose.state import Inspected
from homeport.services.drivers.compose.watch import Watch


class Sight:
    """The engine is the truth; what it does not keep (the exit code of the run before, what is gone) is kept here."""

    def __init__(self, objects: Objects, clock: Clock) -> None:
        self._objects = objects
        self._clock = clock
        self._watch = Watch(objects.engine, objects.portal_id, clock, self._connected, self._event)
        self._on_change: Callable[[Observation], None] | None = None
        self._known: dict[str, Observation] = {}
        self._container: dict[str, str] = {}  # release -> its container
        self._wanted: set[str] = set()  # releases that nobody asked to stop
        self._lost: dict[str, Observation] = {}
        self._exits: dict[str, int] = {}  # release -> how its last run ended
        self._over_memory: set[str] = set()  # releases whose run is about to end for that
        self._busy: Counter[str] = Counter()  # releases that something is being done to

    async def open(self, on_change: Callable[[Observation], None]) -> None:
        self._on_change = on_change
        await self._watch.open()

    async def close(self) -> None:
        await self._watch.close()
        self._on_change = None

    @asynccontextmanager
    async def busy(self, release_id: str) -> AsyncIterator[None]:
        """While this lasts, what happens to the release was asked for."""
        self._busy[release_id] += 1
        try:
            yield
        finally:
            self._busy[release_id] -= 1
            if not self._busy[release_id]:
                del self._busy[release_id]

    def state_of(self, release_id: str) -> InstanceState | None:
        """As last known."""
        known = self._known.get(release_id)
        return known.state if known else None

    def unwanted(self, release_id: str) -> None:
        """It was asked to stop."""
        self._wanted.discard(release_id)

    def forget(self, release_id: str) -> None:
        self._wanted.discard(release_id)
        self._over_memory.discard(release_id)
        for kept in (self._known, self._container, self._lost, self._exits):
            kept.pop(release_id, None)

    def remember(self, told: Inspected, *, wanted: bool = False) -> Observation:
        """What was just seen, as asked for. `wanted`: it is to run from now on."""
        release_id = str(told["Config"]["Labels"][labels.RELEASE])
        if wanted:
            self._wanted.add(release_id)
        seen = self._observation(release_id, told)
        self._container[release_id] = told["Id"]
        self._lost.pop(release_id, None)
        self._known[release_id] = seen
        return seen

    async def look(self) -> dict[str, Observation]:
        """Everything that is there, and what was lost."""
        found = {}
        for told in await self._objects.containers(labels.RELEASE):
            release_id = str(told["Config"]["Labels"][labels.RELEASE])
            found[release_id] = self._observation(release_id, told)
        return {**self._lost, **found}

    def _observation(self, release_id: str, told: Inspected) -> Observation:
        return state.observation(told, wanted=release_id in self._wanted, last_exit=self._exits.get(release_id))

    async def _connected(self) -> None:
        """What runs is to run; and what happened while nobody listened is told."""
        containers = await self._objects.containers(labels.RELEASE)
        there = set()
        for told in containers:
            release_id = str(told["Config"]["Labels"][labels.RELEASE])
            there.add(release_id)
            if release_id in self._busy:
                continue
            if told["State"]["Running"] or told["State"]["Restarting"]:
                self._wanted.add(release_id)
            self._container[release_id] = told["Id"]
            self._tell(self._observation(release_id, told), first=release_id not in self._known)
        for release_id in self._known.keys() - there - self._busy.keys():
            self._gone(release_id)

    async def _event(self, action: str, container_id: str, attributes: Mapping[str, str]) -> None:
        release_id = attributes.get(labels.RELEASE, "")
        if release_id in self._busy or self._container.get(release_id) != container_id:
            return
        if action == "oom":
            self._over_memory.add(release_id)
            return
        if action == "destroy":
            self._gone(release_id)
            return
        told = await self._objects.inspect(container_id)
        if told is None or release_id in self._busy or self._container.get(release_id) != container_id:
            return
        seen = self._observation(release_id, told)
        if action == "die" and release_id in self._wanted:
            known = self._known.get(release_id)
            code = state.exit_code(int(attributes.get("exitCode", "0")))
            over = release_id in self._over_memory
            self._over_memory.discard(release_id)
            why = state.why(code, over_memory=over, memory=int(told["HostConfig"]["Memory"]))
            if seen.state is InstanceState.RUNNING:
                if known is not None and known.restarts >= seen.restarts:
                    return  # an old one: that run is not this one
                seen = replace(seen, state=InstanceState.BACKOFF, pid=None, retry_at=self._clock.now())  # up again
            if seen.state is InstanceState.BACKOFF:
                seen = replace(seen, exit_code=code, reason=why)
            self._exits[release_id] = code
        self._tell(seen)

    def _gone(self, release_id: str) -> None:
        """Its container was removed, and not by us."""
        known = self._known.get(release_id)
        if known is None:
            return
        if release_id not in self._wanted:
            self.forget(release_id)
            return
        lost = replace(
            known, state=InstanceState.LOST, pid=None, retry_at=None, reason="lost: its container was removed"
        )
        self._lost[release_id] = lost
        if known.state is not InstanceState.LOST:  # its end was told already
            self._tell(lost)

    def _tell(self, seen: Observation, *, first: bool = False) -> None:
        """Say it, where it is new and was not asked for."""
        known = self._known.get(seen.id)
        self._known[seen.id] = seen
        same = known is not None and (known.state, known.restarts, known.pid) == (seen.state, seen.restarts, seen.pid)
        if not first and not same and self._on_change is not None:
            self._on_change(seen)
