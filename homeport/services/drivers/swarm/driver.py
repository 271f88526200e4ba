"""SwarmDriver: stacks as services of a Docker Swarm. It remembers nothing that the cluster does not."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog

from homeport.kit.clock import Clock, SystemClock, rfc3339
from homeport.kit.problems import Problem
from homeport.services.docker.problems import EngineRefused, EngineUnavailable
from homeport.services.drivers import InstanceSpec, InstanceState, Observation, Part, Usage
from homeport.services.drivers.swarm import definition, names, reading
from homeport.services.drivers.swarm.cluster import NETWORK_SECONDS, Cluster, View
from homeport.services.drivers.swarm.logs import ServiceLogs
from homeport.services.drivers.swarm.usage import Meter
from homeport.services.drivers.swarm.waiting import await_backing, await_gone, await_start, await_update
from homeport.services.problems import StartFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from homeport.services.compose.model import StackService
    from homeport.services.docker import Engine

log = structlog.get_logger()
POLL = 1.0  # seconds between two looks at the tasks
SEARCH = 15  # polls between two questions whether the engine manages a swarm by now
REFRESH = 15.0  # seconds after which services and nodes are read anew, events or not


class SwarmDriver:
    """Implements ServiceDriver for specs with a stack. The engine is that of a manager; others refuse.

    Where an instance runs is the swarm's choice: `Observation.host` is the address of the node, and `pid` a number on
    that node. Usage is known of containers on the manager's own node only.
    """

    name = "swarm"

    def __init__(
        self, engine: Engine, portal_id: str, log_limit_mb: int = 10, clock: Clock | None = None, *, poll: float = POLL
    ) -> None:
        self._clock = clock or SystemClock()
        self._portal = portal_id
        self._cluster = Cluster(engine, portal_id)
        self._logs = ServiceLogs(self._cluster, log_limit_mb, self._clock)
        self._meter = Meter(self._cluster, self._clock)
        self._poll = poll
        self._on_change: Callable[[Observation], None] = lambda _: None
        self._seen: dict[str, Observation] = {}
        self._busy: Counter[str] = Counter()  # orders under way, by instance: what they do is no news
        self._orders: dict[str, int] = {}  # the number of its last order: a look from before that is stale
        self._turn = 0
        self._locks: dict[str, asyncio.Lock] = {}  # by service id: releases share its backing services
        self._task: asyncio.Task[None] | None = None

    async def open(self, on_change: Callable[[Observation], None]) -> None:
        """A cluster that cannot be asked now is asked again each second."""
        try:
            self._seen = dict(await self.observe())
        except Problem as problem:
            log.debug("no swarm to manage", reason=problem.message)
        self._on_change = on_change
        self._task = asyncio.create_task(self._watch(), name="swarm driver: watch")

    async def close(self) -> None:
        self._on_change = lambda _: None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._logs.close()

    async def start(self, spec: InstanceSpec) -> Observation:
        """Raises StartFailed, too, where a backing service does not come up or goes back to what it was."""
        if spec.stack is None:
            raise StartFailed("the swarm driver runs stacks only")
        async with self._order(spec.id, spec.service_id):
            try:
                return self._remember(await self._begin(spec))
            except (EngineRefused, EngineUnavailable) as problem:
                raise StartFailed(problem.message) from None

    async def stop(self, instance_id: str, grace: timedelta) -> None:
        service = (await self._cluster.view()).release(instance_id)
        if service is None:
            return
        service_id = service["Spec"]["Labels"][names.SERVICE]
        async with self._order(instance_id, service_id):
            view = await self._cluster.view()
            service = view.release(instance_id)
            if service is None or names.STOPPED in service["Spec"]["Labels"]:
                return
            before = view.observe(service)
            await self._scale_down(service, grace, before.exit_code)
            view = await self._cluster.view()
            if not any(reading.replicas(one) for one in view.releases(service_id)):
                for one in view.backing(service_id):
                    if reading.replicas(one):
                        await self._scale_down(one, grace, None)
            if (stopped := view.release(instance_id)) is not None:
                self._remember(view.observe(stopped))

    async def remove(self, instance_id: str) -> None:
        service = (await self._cluster.view()).release(instance_id)
        if service is not None:
            service_id = str(service["Spec"]["Labels"][names.SERVICE])
        elif (seen := self._seen.get(instance_id)) is not None:
            service_id = seen.service_id  # somebody else removed it; what it shared may still be there
        else:
            return
        async with self._order(instance_id, service_id):
            await self._remove(instance_id, service_id)

    async def observe(self) -> Mapping[str, Observation]:
        view = await self._cluster.view()
        found = {seen.id: seen for service in view.releases() if (seen := view.observe(service))}
        for instance_id, seen in self._seen.items():
            if seen.state is InstanceState.LOST and instance_id not in found:
                found[instance_id] = seen  # its swarm service was removed by somebody else
        return found

    async def usage(self, instance_ids: Iterable[str]) -> Mapping[str, Usage]:
        view = await self._cluster.view()
        asked = {id_: service for id_ in instance_ids if (service := view.release(id_)) is not None}
        return await self._meter.read(view, asked)

    async def parts(self, service_id: str) -> Sequence[Part]:
        view = await self._cluster.view()
        services = [*view.releases(service_id), *view.backing(service_id)]
        return await self._meter.measure(view, {one["ID"]: one for one in services})

    async def purge(self, service_id: str) -> None:
        """Volumes on other nodes than the manager's own stay: no manager can reach them. Their node is logged."""
        there = (await self._cluster.view()).releases(service_id)
        known = [one.id for one in self._seen.values() if one.service_id == service_id]
        async with AsyncExitStack() as orders:
            for instance_id in {*known, *(str(one["Spec"]["Labels"][names.RELEASE]) for one in there)}:
                orders.enter_context(self._quietly(instance_id))
                orders.callback(self._seen.pop, instance_id, None)
            await orders.enter_async_context(self._lock(service_id))
            view = await self._cluster.view()
            await self._discard([*view.releases(service_id), *view.backing(service_id)])
            await self._cluster.remove_network(service_id)
            home = await self._cluster.home(service_id)
            await self._cluster.remove_volumes(service_id)
            await self._cluster.forget_home(service_id)
            if home is not None and home != await self._cluster.own_node():
                at = view.nodes.get(home)
                log.warning(
                    "volumes stay on another node", service=service_id, node=at.name if at else home,
                    remedy=f"docker volume rm $(docker volume ls -qf label={names.SERVICE}={service_id})",
                )  # fmt: skip
        self._locks.pop(service_id, None)

    # Orders

    async def _begin(self, spec: InstanceSpec) -> Observation:
        view = await self._cluster.view()
        service = view.release(spec.id)
        if service is not None and (seen := view.observe(service)).state is InstanceState.RUNNING:
            self._logs.follow(spec, view)
            return seen
        try:
            seen = await self._start_patiently(spec, service)
        except (Problem, asyncio.CancelledError):
            await self._undo(spec, service)
            raise
        self._logs.follow(spec, await self._cluster.view())
        return seen

    async def _start_patiently(self, spec: InstanceSpec, service: Mapping[str, Any] | None) -> Observation:
        """A network that was just removed may look as if it were there; it takes the swarm a moment."""
        deadline = self._clock.monotonic() + NETWORK_SECONDS
        while True:
            try:
                return await self._start(spec, service)
            except EngineRefused as problem:
                is_passing = problem.message.startswith("network ") and self._clock.monotonic() < deadline
                if not is_passing:
                    raise
            await self._clock.sleep(0.3)

    async def _start(self, spec: InstanceSpec, service: Mapping[str, Any] | None) -> Observation:
        assert spec.stack is not None
        network = await self._cluster.network(spec)
        stack = spec.stack.with_images(
            {one.name: await self._cluster.pin(one.image) for one in spec.stack.services if one.image}
        )
        spec = replace(spec, stack=stack)
        home = await self._cluster.home(spec.service_id)
        for part in stack.backing:
            home = await self._start_backing(spec, part, network, home)
        node = home if definition.keeps_data(stack.web) else None
        made = definition.routed(
            spec, portal_id=self._portal, network=network, run=secrets.token_hex(8), node=node
        )  # fmt: skip
        if service is None:
            await self._cluster.create(made)
        else:
            await self._cluster.replace(service["ID"], made)
        seen = await await_start(self._cluster, self._clock, spec.id)
        if node is None and definition.keeps_data(stack.web):
            await self._settle_home(spec.service_id, names.routed(spec.id))
        return seen

    async def _start_backing(
        self, spec: InstanceSpec, part: StackService, network: str, home: str | None
    ) -> str | None:
        """Returns the node where the stack's volumes are, once there is one."""
        node = home if definition.keeps_data(part) else None
        made = definition.backing(spec, part, portal_id=self._portal, network=network, node=node)
        there = (await self._cluster.view()).named(made["Name"])
        if there is None:
            await self._cluster.create(made)
        elif there["Spec"]["Labels"].get(names.CONFIG) != made["Labels"][names.CONFIG] or not reading.replicas(there):
            await self._cluster.replace(there["ID"], made)
            if reading.replicas(there):
                await await_update(self._cluster, self._clock, made["Name"], part.name)
        await await_backing(self._cluster, self._clock, made["Name"], part, spec.stack)
        if node is None and definition.keeps_data(part):
            return await self._settle_home(spec.service_id, made["Name"])
        return home

    async def _settle_home(self, service_id: str, name: str) -> str | None:
        """Volumes were made where this first ran: from now on it, and all with volumes, stay there."""
        view = await self._cluster.view()
        service = view.named(name)
        task = reading.current(reading.history(service, view.tasks)) if service else None
        if service is None or task is None or not task.get("NodeID"):
            return None
        home = str(task["NodeID"])
        await self._cluster.settle_home(service_id, home)
        # The swarm does not move a task that already is where it is now said to belong.
        await self._cluster.change(service["ID"], lambda spec: definition.place(spec, home))
        return home

    async def _scale_down(self, service: Mapping[str, Any], grace: timedelta, code: int | None) -> None:
        def scale(spec: dict[str, Any]) -> None:
            spec["Mode"] = {"Replicated": {"Replicas": 0}}
            spec["Labels"][names.STOPPED] = rfc3339(self._clock.now())

        await self._cluster.change(service["ID"], scale)
        ended = await await_gone(self._cluster, self._clock, [service["ID"]], grace)
        last = ended.get(service["ID"], code)
        if last is not None:
            await self._cluster.change(service["ID"], lambda spec: spec["Labels"].update({names.EXIT: str(last)}))

    async def _undo(self, spec: InstanceSpec, service: Mapping[str, Any] | None) -> None:
        """After a start that failed: a service that was there before stays, stopped; a new one leaves nothing."""
        try:
            if service is None:
                await self._remove(spec.id, spec.service_id)
            elif (there := (await self._cluster.view()).release(spec.id)) is not None:
                await self._scale_down(there, timedelta(0), None)
        except Problem as problem:
            log.warning("what a failed start left could not be removed", instance=spec.id, reason=problem.message)

    async def _remove(self, instance_id: str, service_id: str) -> None:
        view = await self._cluster.view()
        mine = view.release(instance_id)
        others = [one for one in view.releases(service_id) if one is not mine]
        doomed = [] if mine is None else [mine]
        if not others:
            doomed += view.backing(service_id)
        await self._discard(doomed)
        if not others:
            await self._cluster.remove_network(service_id)
        self._seen.pop(instance_id, None)
        self._meter.forget(instance_id)

    async def _discard(self, services: Sequence[Mapping[str, Any]]) -> None:
        for one in services:
            self._logs.leave(one["Spec"]["Name"])
            await self._cluster.remove(one["ID"])
        await await_gone(self._cluster, self._clock, [one["ID"] for one in services], timedelta(0))

    # News

    async def _watch(self) -> None:
        """Asks now and then for a swarm until there is one; then looks at it each second."""
        while not self._cluster.is_known:
            for _ in range(SEARCH):
                await self._clock.sleep(self._poll)
                if self._cluster.is_known:  # an order found it
                    break
            else:
                try:
                    await self._cluster.introduce()
                except (EngineUnavailable, EngineRefused):
                    continue  # said at the start, and to everyone who asks for it
        async with self._cluster.events() as events:
            view: View | None = None
            read_at = 0.0
            silent = False
            while True:
                await self._clock.sleep(self._poll)
                turn = self._turn
                try:
                    now = self._clock.monotonic()
                    if view is None or events.take() or now - read_at > REFRESH or view.is_outdated():
                        view, read_at = await self._cluster.view(), now
                    elif view.services:
                        view = await self._cluster.look_again(view)
                except (EngineUnavailable, EngineRefused) as problem:
                    view = None
                    if not silent:
                        log.warning("the swarm cannot be asked", reason=problem.message)
                    silent = True
                    continue
                silent = False
                self._compare(view, turn)
                self._logs.keep_up(view)

    def _compare(self, view: View, turn: int) -> None:
        found = {service["Spec"]["Labels"][names.RELEASE]: service for service in view.releases()}
        for service in found.values():
            self._judge(view.observe(service), turn)
        for instance_id in [id_ for id_ in self._seen if id_ not in found]:
            before = self._seen[instance_id]
            lost = Observation(
                before.id, before.service_id, InstanceState.LOST, port=before.port,
                reason="lost: somebody else removed its swarm service",
            )  # fmt: skip
            self._judge(lost, turn)

        for instance_id in [id_ for id_, at in self._orders.items() if at <= turn]:
            del self._orders[instance_id]

    def _judge(self, seen: Observation, turn: int) -> None:
        """Tell what is news. What an order does, or did since the look, is none."""
        if self._busy[seen.id] or self._orders.get(seen.id, 0) > turn:
            return
        before = self._seen.get(seen.id)
        self._seen[seen.id] = seen
        if before is not None and _essence(before) == _essence(seen):
            return
        try:
            self._on_change(seen)
        except Exception:
            log.exception("a listener to the driver failed", instance=seen.id)

    def _remember(self, seen: Observation) -> Observation:
        self._seen[seen.id] = seen
        return seen

    def _lock(self, service_id: str) -> asyncio.Lock:
        return self._locks.setdefault(service_id, asyncio.Lock())

    @asynccontextmanager
    async def _order(self, instance_id: str, service_id: str) -> AsyncIterator[None]:
        with self._quietly(instance_id):
            async with self._lock(service_id):
                yield

    @contextmanager
    def _quietly(self, instance_id: str) -> Iterator[None]:
        """What happens to it meanwhile is no news."""
        self._busy[instance_id] += 1
        try:
            yield
        finally:
            self._turn += 1
            self._orders[instance_id] = self._turn
            self._busy[instance_id] -= 1
            if not self._busy[instance_id]:
                del self._busy[instance_id]


def _essence(seen: Observation) -> tuple[object, ...]:
    return (seen.state, seen.host, seen.restarts)
