"""ProcessDriver: the portal's side of the supervisors. It remembers nothing that is not on disk or in the kernel."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import structlog

from homeport.kit import confinement
from homeport.services.drivers import InstanceSpec, InstanceState, Observation, Part, Usage
from homeport.services.drivers.process.groups import ControlGroups, find_groups
from homeport.services.drivers.process.instance import Instance
from homeport.services.drivers.process.launch import launch
from homeport.services.drivers.process.usage import Meter
from homeport.services.problems import StartFailed

log = structlog.get_logger()
POLL = 0.5  # seconds between two looks at the state files
OVERTIME = 15.0  # seconds beyond the grace after which a supervisor that does not end is killed
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_ALIVE = {InstanceState.RUNNING, InstanceState.BACKOFF}


@dataclass
class _Watched:
    """A living supervisor: its pidfd becomes readable when it dies."""

    pidfd: int
    supervisor: int
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    stamp: tuple[int, int] = (0, 0)  # of state.json when last read


class ProcessDriver:
    """Implements ServiceDriver below `root` (data_dir/instances). `groups` defaults to those found at open()."""

    name = "process"

    def __init__(self, root: Path, *, groups: ControlGroups | None = None, python: str = sys.executable) -> None:
        self._root = root
        self._groups_given = groups
        self._groups = groups or ControlGroups()
        self._python = python
        self._watched: dict[str, _Watched] = {}
        self._seen: dict[str, Observation] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._stopping: dict[str, int] = {}  # how many callers are stopping it: then its end is no news
        self._tasks: set[asyncio.Task[None]] = set()
        self._meter = Meter()
        self._metering = asyncio.Lock()
        self._on_change: Callable[[Observation], None] = lambda _: None

    def mechanisms(self) -> dict[str, str]:
        """How each limit is held here: `memory`, `pids`, `cpu`, `files` -> a phrase for people."""
        held = self._groups.controllers
        return {
            "memory": "control group" if "memory" in held else "watched: looked at each second, killed when over",
            "pids": "control group" if "pids" in held else "watched: looked at each second, killed when over",
            "cpu": "control group" if "cpu" in held else "CPU affinity: whole cores",
            "files": "Landlock" if confinement.supported() else "not confined: this kernel has no Landlock",
        }

    async def open(self, on_change: Callable[[Observation], None]) -> None:
        await asyncio.to_thread(self._root.mkdir, mode=0o700, parents=True, exist_ok=True)
        if self._groups_given is None:
            label = "homeport-" + hashlib.sha256(os.fsencode(self._root.absolute())).hexdigest()[:12]
            self._groups = await asyncio.to_thread(find_groups, label)
        self._seen = dict(await self.observe())
        self._on_change = on_change
        self._keep(self._poll(), "process driver: poll")

    async def close(self) -> None:
        self._on_change = lambda _: None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for instance_id in list(self._watched):
            self._unwatch(instance_id)
        if self._groups_given is None:
            await asyncio.to_thread(self._groups.close)

    async def start(self, spec: InstanceSpec) -> Observation:
        if not spec.argv or not _ID.fullmatch(spec.id):
            raise StartFailed("an instance needs a plain id and a command")
        instance = self._instance(spec.id)
        async with self._lock(spec.id):
            alive, state = await asyncio.to_thread(instance.look)
            if alive and state.get("state") == InstanceState.RUNNING:
                await self._watch(instance)
                return self._remember(instance.observation(state))
            await self._end(instance, 0.0)
            await asyncio.to_thread(self._launch, instance, spec)
            await self._watch(instance)
            return self._remember(instance.observation(await asyncio.to_thread(instance.read)))

    async def stop(self, instance_id: str, grace: timedelta) -> None:
        if not _ID.fullmatch(instance_id):
            return
        instance = self._instance(instance_id)
        self._stopping[instance_id] = self._stopping.get(instance_id, 0) + 1
        try:
            if instance_id in self._watched:  # perhaps a stop with a longer grace is under way
                await asyncio.to_thread(instance.ask_to_stop, grace.total_seconds())
            async with self._lock(instance_id):
                await self._end(instance, grace.total_seconds())
        finally:
            self._stopping[instance_id] -= 1
            if not self._stopping[instance_id]:
                del self._stopping[instance_id]

    async def remove(self, instance_id: str) -> None:
        await self.stop(instance_id, timedelta(0))
        if not _ID.fullmatch(instance_id):
            return
        async with self._lock(instance_id):
            await self._end(self._instance(instance_id), 0.0)
            await asyncio.to_thread(shutil.rmtree, self._root / instance_id, ignore_errors=True)
            self._seen.pop(instance_id, None)
            self._meter.forget(instance_id)
        self._locks.pop(instance_id, None)

    async def observe(self) -> Mapping[str, Observation]:
        found: dict[str, Observation] = {}
        for instance, alive, observation in await asyncio.to_thread(self._look_at_all):
            if alive and instance.id not in self._watched:
                await self._watch(instance)
            if not alive and observation.state in _ALIVE:
                settled = await self._settle(instance)
                if settled is None:
                    continue
                observation = settled
            found[instance.id] = observation
        return found

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
        """Processes share nothing but folders, which are not the driver's."""
        for one in (await self.observe()).values():
            if one.service_id == service_id:
                await self.remove(one.id)

    async def usage(self, instance_ids: Iterable[str]) -> Mapping[str, Usage]:
        supervisors = {id_: self._watched[id_].supervisor for id_ in instance_ids if id_ in self._watched}
        async with self._metering:
            return await asyncio.to_thread(self._meter.read, supervisors)

    def _instance(self, instance_id: str) -> Instance:
        return Instance(instance_id, self._root / instance_id)

    def _lock(self, instance_id: str) -> asyncio.Lock:
        return self._locks.setdefault(instance_id, asyncio.Lock())

    def _remember(self, observation: Observation) -> Observation:
        self._seen[observation.id] = observation
        return observation

    def _look_at_all(self) -> list[tuple[Instance, bool, Observation]]:
        found = []
        for entry in self._root.iterdir():
            instance = self._instance(entry.name)
            alive, state = instance.look()
            if state or instance.exists():  # an empty state that exists was torn: LOST
                found.append((instance, alive, instance.observation(state)))
        return found

    def _launch(self, instance: Instance, spec: InstanceSpec) -> None:
        instance.directory.mkdir(mode=0o700, exist_ok=True)
        try:
            launch(spec, instance.directory, self._python, self._groups, secrets.token_hex(8))
        except StartFailed:
            self._groups.remove(spec.id)
            if not instance.exists():
                shutil.rmtree(instance.directory, ignore_errors=True)
            raise

    async def _end(self, instance: Instance, grace: float) -> None:
        """Nothing of it runs when this returns, and its state says stopped. Under the instance's lock."""
        if not await asyncio.to_thread(instance.exists):
            return
        watched = await self._watch(instance)
        if watched is not None:
            await asyncio.to_thread(instance.ask_to_stop, grace)
            with suppress(TimeoutError):
                await asyncio.wait_for(watched.gone.wait(), grace + OVERTIME)
            if not watched.gone.is_set():
                log.warning("supervisor did not stop; killing it", instance=instance.id)
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(watched.pidfd, signal.SIGKILL)
                await watched.gone.wait()
        state = await asyncio.to_thread(instance.read)
        if state.get("state") != InstanceState.STOPPED:
            state = await asyncio.to_thread(self._bury, instance, InstanceState.STOPPED, "stopped")
        self._remember(instance.observation(state))

    async def _settle(self, instance: Instance) -> Observation | None:
        """After a supervisor's death: end what it left and say LOST, unless it had said goodbye. None when removed."""
        async with self._lock(instance.id):
            alive, state = await asyncio.to_thread(instance.look)
            if not state and not await asyncio.to_thread(instance.exists):
                return None
            if not alive and state.get("state", "running") in _ALIVE:
                reason = "lost: its supervisor was killed"
                state = await asyncio.to_thread(self._bury, instance, InstanceState.LOST, reason)
            observation = instance.observation(state)
            if self._differs(observation):
                self._tell(observation)
            return observation

    def _bury(self, instance: Instance, state: InstanceState, reason: str) -> dict[str, object]:
        """Kill what a dead supervisor left, and write down what became of the instance."""
        said = instance.read()
        killed = instance.kill_leftovers(str(said.get("nonce", "")), self._groups.directories(instance.id))
        if killed:
            log.warning("killed what a dead supervisor left", instance=instance.id, processes=killed)
        self._groups.remove(instance.id)
        told = {**said, "state": str(state), "pid": None, "retry_at": None, "reason": reason}
        instance.write(told)
        return told

    async def _watch(self, instance: Instance) -> _Watched | None:
        """Begin to watch the supervisor, if it lives."""
        if watched := self._watched.get(instance.id):
            return watched
        found = await asyncio.to_thread(instance.supervisor)
        if found is None:
            return None
        if watched := self._watched.get(instance.id):  # somebody else was faster
            os.close(found[0])
            return watched
        watched = self._watched[instance.id] = _Watched(*found)
        asyncio.get_running_loop().add_reader(watched.pidfd, self._died, instance)
        return watched

    def _died(self, instance: Instance) -> None:
        watched = self._watched[instance.id]
        with suppress(ChildProcessError):  # ours only where we are the reaper of orphans: pid 1 of a container
            os.waitid(os.P_PIDFD, watched.pidfd, os.WEXITED | os.WNOHANG)
        self._unwatch(instance.id)
        watched.gone.set()
        if not self._lock(instance.id).locked():
            self._keep(self._settle_alone(instance), f"process driver: settle {instance.id}")

    async def _settle_alone(self, instance: Instance) -> None:
        await self._settle(instance)

    def _unwatch(self, instance_id: str) -> None:
        watched = self._watched.pop(instance_id)
        asyncio.get_running_loop().remove_reader(watched.pidfd)
        os.close(watched.pidfd)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            stamps = {id_: watched.stamp for id_, watched in self._watched.items()}
            for id_, (stamp, observation) in (await asyncio.to_thread(self._changes, stamps)).items():
                watched = self._watched.get(id_)
                if watched is None or self._lock(id_).locked():
                    continue  # who holds the lock tells; what remains is seen at the next look
                watched.stamp = stamp
                if self._differs(observation):
                    self._tell(observation)

    def _changes(self, stamps: Mapping[str, tuple[int, int]]) -> dict[str, tuple[tuple[int, int], Observation]]:
        changed = {}
        for instance_id, before in stamps.items():
            instance = self._instance(instance_id)
            with suppress(FileNotFoundError):
                stat = (instance.directory / "state.json").stat()
                stamp = (stat.st_mtime_ns, stat.st_ino)
                if stamp != before and (state := instance.read()):
                    changed[instance_id] = (stamp, instance.observation(state))
        return changed

    def _differs(self, observation: Observation) -> bool:
        seen = self._seen.get(observation.id)
        return seen is None or (seen.state, seen.pid, seen.restarts) != (
            observation.state,
            observation.pid,
            observation.restarts,
        )

    def _tell(self, observation: Observation) -> None:
        self._remember(observation)
        if observation.id in self._stopping:
            return
        try:
            self._on_change(observation)
        except Exception:
            log.exception("a listener to the driver failed", instance=observation.id)

    def _keep(self, work: object, name: str) -> None:
        assert asyncio.iscoroutine(work)
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()):
            log.error("a task of the process driver failed", task=task.get_name(), exc_info=problem)
