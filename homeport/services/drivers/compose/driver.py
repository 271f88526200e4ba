"""ComposeDriver: stacks on one Docker Engine. A release is its routed container; the rest is shared by the releases."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TypeGuard

from homeport.kit.clock import Clock
from homeport.services.docker import Engine, Images, labels
from homeport.services.docker.problems import EngineRefused, EngineUnavailable
from homeport.services.drivers import InstanceSpec, InstanceState, Observation, Part, Usage
from homeport.services.drivers.compose import definition, state
from homeport.services.drivers.compose.backing import Backing
from homeport.services.drivers.compose.logs import SHORTEST_SECRET, Collector
from homeport.services.drivers.compose.objects import Objects
from homeport.services.drivers.compose.sight import Sight
from homeport.services.drivers.compose.state import Inspected
from homeport.services.drivers.compose.usage import Meter
from homeport.services.problems import StartFailed

DRAIN_SECONDS = 2.0  # for the last words of a container before it is removed
MASK = "••••••••"


class ComposeDriver:
    """Implements ServiceDriver for specs with a stack. `portal_id` marks what is ours in the engine."""

    name = "compose"

    def __init__(self, engine: Engine, portal_id: str, log_limit_mb: int, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._log_limit_mb = log_limit_mb
        self._objects = Objects(engine, portal_id)
        self._images = Images(engine, portal_id, clock)
        self._backing = Backing(self._objects, clock, self._follow)
        self._sight = Sight(self._objects, clock)
        self._used = Meter(engine, clock)
        self._shown = Meter(engine, clock)
        self._collectors: dict[tuple[str, str], Collector] = {}  # by service and name of the log
        self._secrets: dict[str, set[str]] = defaultdict(set)  # by service
        self._specs: dict[str, InstanceSpec] = {}  # as started by this portal
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)  # by service

    async def open(self, on_change: Callable[[Observation], None]) -> None:
        await self._sight.open(on_change)

    async def close(self) -> None:
        await self._sight.close()
        collectors = list(self._collectors.values())
        self._collectors.clear()
        await asyncio.gather(*(one.close() for one in collectors))

    async def start(self, spec: InstanceSpec) -> Observation:
        """Raises StartFailed, EngineUnavailable. What runs already is left as it is; its log is taken up."""
        if spec.stack is None:
            raise StartFailed("There is no stack to start.")
        async with self._locks[spec.service_id], self._sight.busy(spec.id):
            self._secrets[spec.service_id] |= set(spec.secrets)
            try:
                return await self._start(spec)
            except StartFailed as failure:
                raise StartFailed(_masked(failure.message, spec.secrets)) from None
            except EngineRefused as refusal:
                raise StartFailed(_masked(refusal.message, spec.secrets)) from None

    async def stop(self, instance_id: str, grace: timedelta) -> None:
        told = await self._routed(instance_id)
        if told is None:
            return
        service_id = told["Config"]["Labels"][labels.SERVICE]
        async with self._locks[service_id], self._sight.busy(instance_id):
            self._sight.unwanted(instance_id)
            if told["State"]["Running"] or told["State"]["Restarting"]:
                await self._objects.stop(told["Id"], grace.total_seconds())
            if not await self._others(service_id, instance_id, running=True):
                await self._backing.stop(service_id)
            if (now := await self._objects.inspect(told["Id"])) is not None:
                self._sight.remember(now)

    async def remove(self, instance_id: str) -> None:
        self._specs.pop(instance_id, None)
        told = await self._routed(instance_id)
        if told is None:
            self._sight.forget(instance_id)
            return
        service_id = told["Config"]["Labels"][labels.SERVICE]
        async with self._locks[service_id], self._sight.busy(instance_id):
            self._sight.unwanted(instance_id)
            await self._take_away(service_id, told)
            if (collector := self._collectors.pop((service_id, instance_id), None)) is not None:
                await collector.close()
            others = await self._others(service_id, instance_id)
            if not others:
                await self._backing.remove(service_id)
                await self._objects.remove_networks(service_id)
            self._sight.forget(instance_id)
        if not others:
            await self._end_logs(service_id)
            self._secrets.pop(service_id, None)

    async def observe(self) -> Mapping[str, Observation]:
        """Raises EngineUnavailable."""
        return await self._sight.look()

    async def usage(self, instance_ids: Iterable[str]) -> Mapping[str, Usage]:
        """What releases share is counted to one of those that run."""
        asked = set(instance_ids)
        running = [one for one in await self._objects.containers(labels.SERVICE) if one["State"]["Running"]]
        owner: dict[str, str] = {}  # service -> the release that answers for what is shared
        for one in running:
            found = one["Config"]["Labels"]
            if found.get(labels.RELEASE) in asked:
                owner[found[labels.SERVICE]] = found[labels.RELEASE]
        belongs = {}
        for one in running:
            found = one["Config"]["Labels"]
            release = found[labels.RELEASE] if labels.RELEASE in found else owner.get(found[labels.SERVICE])
            if release in asked and found[labels.SERVICE] in owner:
                belongs[str(one["Id"])] = release
        total: dict[str, Usage] = {}
        for container_id, used in (await self._used.look(list(belongs))).items():
            before = total.get(belongs[container_id], Usage(0.0, 0))
            total[belongs[container_id]] = Usage(before.cpu + used.cpu, before.memory_bytes + used.memory_bytes)
        return total

    async def parts(self, service_id: str) -> Sequence[Part]:
        containers = await self._objects.containers(f"{labels.SERVICE}={service_id}")
        running = [str(one["Id"]) for one in containers if one["State"]["Running"]]
        used = await self._shown.look(running)
        found = [
            state.part(
                one,
                cpu=used[one["Id"]].cpu if one["Id"] in used else None,
                memory_bytes=used[one["Id"]].memory_bytes if one["Id"] in used else None,
            )
            for one in containers
        ]
        return sorted(found, key=lambda one: (one.release_id is None, one.state != "running", one.name))

    async def purge(self, service_id: str) -> None:
        """Containers, network, volumes, and the images that nobody else uses."""
        async with self._locks[service_id]:
            for told in await self._objects.containers(f"{labels.SERVICE}={service_id}", labels.RELEASE):
                release_id = told["Config"]["Labels"][labels.RELEASE]
                async with self._sight.busy(release_id):
                    self._sight.unwanted(release_id)
                    await self._take_away(service_id, told)
                    self._sight.forget(release_id)
                self._specs.pop(release_id, None)
            await self._backing.remove(service_id)
            await self._objects.remove_networks(service_id)
            await self._objects.remove_volumes(service_id)
            await self._images.keep_only(service_id, [])
            await self._objects.remove_images(service_id)
        await self._end_logs(service_id)
        self._secrets.pop(service_id, None)
        self._locks.pop(service_id, None)

    async def _start(self, spec: InstanceSpec) -> Observation:
        stack = spec.stack
        assert stack is not None
        here = await self._routed(spec.id)
        if _is_up(here) and self._sight.state_of(spec.id) is not InstanceState.BACKOFF:
            await self._take_up(spec, here)
            here = await self._routed(spec.id)  # what became of it meanwhile nobody was told
            if _is_up(here):
                return self._sight.remember(here, wanted=True)
        await self._objects.image(stack.web.image or "")
        network_id = await self._objects.network(spec.service_id)
        try:
            await self._objects.make_volumes(spec.service_id, stack.volumes)
            running = await self._backing.provide(spec, network_id, replace=True)
            await self._backing.wait(stack.web, running)
            if here is not None:
                await self._take_away(spec.service_id, here)
            body = definition.routed(
                spec, stack.web, portal_id=self._objects.portal_id, network_id=network_id, port=stack.port
            )
            self._sight.forget(spec.id)
            told = await self._objects.run(definition.routed_name(spec.id), body)
        except BaseException:
            await asyncio.shield(self._give_back(spec))
            raise
        self._specs[spec.id] = spec
        self._follow(spec, spec.id, told["Id"])
        return self._sight.remember(told, wanted=True)

    async def _take_up(self, spec: InstanceSpec, routed: Inspected) -> None:
        """What runs goes on; what it needs and does not run is started."""
        self._specs[spec.id] = spec
        network_id = next(iter(routed["NetworkSettings"]["Networks"].values()))["NetworkID"]
        await self._backing.provide(spec, network_id, replace=False)
        self._follow(spec, spec.id, routed["Id"])

    async def _give_back(self, spec: InstanceSpec) -> None:
        """After a start that failed: what the other releases share is theirs again, or goes where there are none."""
        try:
            others = await self._others(spec.service_id, spec.id)
            if not others:
                await self._backing.remove(spec.service_id)
                await self._objects.remove_networks(spec.service_id)
                return
            for told in await self._others(spec.service_id, spec.id, running=True):
                before = self._specs.get(told["Config"]["Labels"][labels.RELEASE])
                if before is not None:
                    await self._backing.provide(before, await self._objects.network(spec.service_id), replace=True)
                    return
        except (EngineRefused, EngineUnavailable, StartFailed):
            return  # the first failure is the one to tell; the next start puts it right

    async def _take_away(self, service_id: str, routed: Inspected) -> None:
        """A routed container, its last words read."""
        if routed["State"]["Running"] or routed["State"]["Restarting"]:
            await self._objects.stop(routed["Id"], 0)
        collector = self._collectors.get((service_id, routed["Config"]["Labels"][labels.RELEASE]))
        if collector is not None and collector.container_id == routed["Id"]:
            await collector.drain(DRAIN_SECONDS)
        await self._objects.remove(routed["Id"])

    async def _routed(self, instance_id: str) -> Inspected | None:
        found = await self._objects.containers(f"{labels.RELEASE}={instance_id}")
        return found[0] if found else None

    async def _others(self, service_id: str, instance_id: str, *, running: bool = False) -> list[Inspected]:
        """The routed containers of the service's other releases."""
        found = await self._objects.containers(f"{labels.SERVICE}={service_id}", labels.RELEASE)
        return [
            one
            for one in found
            if one["Config"]["Labels"][labels.RELEASE] != instance_id
            and (not running or one["State"]["Running"] or one["State"]["Restarting"])
        ]

    def _follow(self, spec: InstanceSpec, name: str, container_id: str) -> None:
        key = (spec.service_id, name)
        if key not in self._collectors:
            limit = spec.log_limit_mb or self._log_limit_mb
            self._collectors[key] = Collector(self._engine, self._clock, spec.log_dir / f"{name}.log", limit)
        self._collectors[key].follow(container_id, self._secrets[spec.service_id])

    async def _end_logs(self, service_id: str) -> None:
        for key in [key for key in self._collectors if key[0] == service_id]:
            await self._collectors.pop(key).close()


def _is_up(routed: Inspected | None) -> TypeGuard[Inspected]:
    return routed is not None and routed["State"]["Running"] and not routed["State"]["Restarting"]


def _masked(text: str, secrets: Iterable[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, MASK)
    return text
