"""Start, stop, restart and delete, and the reckoning at the portal's start."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any
from weakref import WeakValueDictionary

import structlog

from homeport.identity import Actor
from homeport.kit.bus import Bus
from homeport.kit.changes import Change
from homeport.kit.clock import Clock
from homeport.kit.files import remove_tree
from homeport.kit.problems import Problem
from homeport.services import store
from homeport.services.catalogue import Catalogue
from homeport.services.drivers import InstanceSpec, InstanceState, Observation, ServiceDriver
from homeport.services.exposure import Routes
from homeport.services.health import HealthMonitor, check
from homeport.services.launch import Folders, Launcher
from homeport.services.live import Live
from homeport.services.metrics import Metrics
from homeport.services.models import ReleaseRow, ServiceRow
from homeport.services.problems import DeployInProgress, NothingToRun, StartFailed
from homeport.services.stacks import DRIVERS, Stacks
from homeport.settings import Settings
from homeport.storage import Database

log = structlog.get_logger()

START_WAIT = 10.0  # seconds that start and restart wait for the app to answer before they reply
AT_ONCE = 8  # services that the portal's start brings to their state
STOP_DRAIN = 5.0  # seconds that requests in flight get when a person says stop
WORDS = {"start": "started", "stop": "stopped", "restart": "restarted"}


class Lifecycle:
    def __init__(
        self, database: Database, settings: Settings, clock: Clock, bus: Bus, driver: ServiceDriver, routes: Routes,
        live: Live, launcher: Launcher, folders: Folders, catalogue: Catalogue, health: HealthMonitor, metrics: Metrics,
        stacks: Stacks,
    ) -> None:  # fmt: skip
        self._database = database
        self._settings = settings
        self._clock = clock
        self._bus = bus
        self._driver = driver
        self._routes = routes
        self._live = live
        self._launcher = launcher
        self._folders = folders
        self._catalogue = catalogue
        self._health = health
        self._metrics = metrics
        self._stacks = stacks
        self._grace = timedelta(seconds=settings.stop_grace)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._task: asyncio.Task[None] | None = None
        self.cancel_job: Callable[[str], Awaitable[None]] | None = None  # deployments' part of a delete

    # The portal's start and end

    async def open(self, observed: Callable[[Observation], None]) -> None:
        """Adopt what runs, set the routes, start what should run and does not, and finish deletions.

        The driver's later news go to `observed`.
        """
        await self._driver.open(observed)
        for observation in (await self._driver.observe()).values():
            self._live.saw(observation)
        async with self._database.read() as session:
            services = await store.every_service(session)
            releases = await store.live_releases(session)
        restarts: list[Awaitable[None]] = [self._driver.remove(one) for one in self._strays(services)]
        for service in services:
            if service.kind == "endpoint":
                continue
            release = releases.get(service.id)
            if service.deleting:
                restarts.append(self._finish_delete(service))
            elif service.desired == "running" and release is not None:
                spec = self._launcher.spec(service, release)
                self._live.point(service.name, spec, self._launcher.probe(release))
                if not self._exists(release.id):
                    restarts.append(self.revive(service, release, "The portal started it again."))
                elif spec.stack is not None:
                    restarts.append(self._adopt(spec))
            else:
                self._live.pause(service.id, service.name, _pause(service))
                if release is not None and self._exists(release.id):
                    restarts.append(self._driver.stop(release.id, self._grace))
        self._task = asyncio.create_task(_settle(restarts), name="settle services")

    async def close(self) -> None:
        """What runs goes on running."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._driver.close()

    def _strays(self, services: Sequence[ServiceRow]) -> list[str]:
        """Instances that are no service's live release, and of no deploy under way."""
        kept = {service.live_release_id for service in services}
        busy = {service.id for service in services if service.active_job_id or service.deleting}
        return [one.id for one in self._live.observations() if one.id not in kept and one.service_id not in busy]

    def _exists(self, instance_id: str) -> bool:
        seen = self._live.observation(instance_id)
        return seen is not None and seen.state in (InstanceState.RUNNING, InstanceState.BACKOFF)

    # A person's orders

    async def act(self, actor: Actor, ref: str, action: str) -> dict[str, Any]:
        """start, stop or restart; the reply tells the final status. Doing what is done already is fine."""
        async with self._database.read() as session:
            service_id = (await store.get_service(session, actor, ref)).id
        async with self._lock(service_id):
            async with self._database.read() as session:
                service = await store.get_service(session, actor, service_id)
                release = await store.find_live_release(session, service.id)
            if service.kind == "endpoint":
                raise NothingToRun(f"{service.name} runs elsewhere: it cannot be started or stopped from here.")
            if service.active_job_id:
                raise DeployInProgress(
                    f"{service.name} is being deployed; wait for it or cancel the job.",
                    details={"deploy_job_id": service.active_job_id},
                    extra={"deploy_job_id": service.active_job_id},
                )
            if action == "stop":
                service = await self._stop(service, release)
            elif release is None:
                raise NothingToRun(f"{service.name} has no release that ever ran; deploy it again.")
            elif action == "restart" or not (service.status == "running" and self._exists(release.id)):
                service = await self._start(service, release, action)
        return {
            "ok": True,
            "success": True,
            "id": service.id,
            "name": service.name,
            "action": action,
            "status": service.status,
            "message": f"Service {WORDS[action]}",
        }

    async def _start(self, service: ServiceRow, release: ReleaseRow, action: str) -> ServiceRow:
        spec, probe = self._launcher.spec(service, release), self._launcher.probe(release)
        await self._catalogue.change(service.id, desired="running")
        if action == "restart" and self._exists(release.id):
            self._live.pause(service.id, service.name, "deploying")
            await self._routes.drain(release.id, STOP_DRAIN)
            await self._driver.stop(release.id, self._grace)
        try:
            self._live.saw(await self._driver.start(spec))
        except Problem as problem:
            self._live.pause(service.id, service.name, "failed")
            await self._catalogue.change(
                service.id, status="failed", error=problem.message, event=(action, "failed", problem.message)
            )
            raise
        subject = self._live.subject(service.name, spec, probe)
        deadline = self._clock.monotonic() + START_WAIT
        while (unwell := await check(subject)) and self._clock.monotonic() < deadline:
            seen = self._live.observation(release.id)
            if seen and seen.state is InstanceState.BACKOFF:
                break
            await self._clock.sleep(0.1)
        self._live.point(service.name, spec, probe)
        if unwell is None:
            self._health.passed(service.id, release.id)
        seen = self._live.observation(release.id)
        if seen and seen.state is InstanceState.BACKOFF:
            message = f"{service.name} started and ended at once: {seen.reason or 'see its log'}."
            await self._catalogue.change(service.id, status="failed", error=message, event=(action, "failed", message))
            raise StartFailed(message)
        return await self._catalogue.change(
            service.id, status="running", error=None, event=(action, "success", f"Service {WORDS[action]}")
        )

    async def _stop(self, service: ServiceRow, release: ReleaseRow | None) -> ServiceRow:
        if service.desired == "stopped" and service.status == "stopped":
            return service
        await self._catalogue.change(service.id, desired="stopped")
        self._live.pause(service.id, service.name, "stopped")
        if release is not None:
            await self._routes.drain(release.id, STOP_DRAIN)
            await self._driver.stop(release.id, self._grace)
        status = "stopped" if release is not None else "failed"
        return await self._catalogue.change(service.id, status=status, event=("stop", "success", "Service stopped"))

    async def delete(self, actor: Actor, ref: str) -> None:
        """Cancels a deploy under way first. Once it returns, nothing of the service is left."""
        async with self._database.write() as session:
            service = await store.get_service(session, actor, ref)
            service.deleting = True  # from here on a restart of the portal finishes it
        if service.active_job_id and self.cancel_job:
            await self.cancel_job(service.active_job_id)
        async with self._lock(service.id):
            await self._finish_delete(service)

    async def _finish_delete(self, service: ServiceRow) -> None:
        self._live.drop(service.id, service.name)
        if service.driver in DRIVERS:
            await self._stacks.require()  # else containers and volumes would stay behind
        await self.remove_instances(service.id, keep=None)
        await self._driver.purge(service.id)
        await asyncio.to_thread(remove_tree, self._folders.service(service.id))
        async with self._database.write() as session:
            await store.delete_rows(session, ServiceRow, [service.id])
        self._health.forget(service.id)
        self._metrics.forget(service.id)
        self._bus.publish(
            Change("service", "deleted", service.id, {"id": service.id, "name": service.name}, service.customer_id)
        )

    async def remove_instances(self, service_id: str, *, keep: str | None, drain: float = 0) -> int:
        """Drain, stop and forget every instance of the service but `keep`; how many there were."""
        others = [
            one.id for one in (await self._driver.observe()).values() if one.service_id == service_id and one.id != keep
        ]
        for instance_id in others:
            if drain:
                await self._routes.drain(instance_id, drain)
            await self._driver.stop(
                instance_id, self._grace if drain else timedelta(seconds=min(2, self._grace.seconds))
            )
            await self._driver.remove(instance_id)
            self._live.unsee(instance_id)
        return len(others)

    async def _adopt(self, spec: InstanceSpec) -> None:
        """A stack that runs: its driver learns what to mask, and mends what is missing beside the routed container."""
        self._live.saw(await self._driver.start(spec))

    async def make_way(self, service: ServiceRow) -> None:
        """Before a release that writes to the same volumes starts: the live one answers no more, and ends."""
        async with self._database.read() as session:
            release = await store.find_live_release(session, service.id)
        if release is not None and self._exists(release.id):
            self._live.pause(service.id, service.name, "deploying")
            await self._routes.drain(release.id, self._settings.drain_timeout)
            await self._driver.stop(release.id, self._grace)

    async def restore(self, service: ServiceRow) -> None:
        """After a release that failed: what it shares with the live one is again as the live one has it."""
        async with self._database.read() as session:
            current = await store.find_service(session, service.id)
            release = await store.find_live_release(session, service.id)
        if current is None or current.deleting or current.desired != "running" or release is None:
            return
        spec = self._launcher.spec(current, release)
        self._live.saw(await self._driver.start(spec))
        self._live.point(current.name, spec, self._launcher.probe(release))

    async def revive(self, service: ServiceRow, release: ReleaseRow, why: str) -> None:
        """Start what should run and does not; `why` is told in the timeline."""
        try:
            self._live.saw(await self._driver.start(self._launcher.spec(service, release)))
        except Problem as problem:
            await self._catalogue.change(
                service.id, status="failed", error=problem.message, event=("start", "failed", problem.message)
            )
            return
        await self._catalogue.change(service.id, event=("start", "success", why))

    def _lock(self, service_id: str) -> asyncio.Lock:
        return self._locks.setdefault(service_id, asyncio.Lock())


def _pause(service: ServiceRow) -> Any:
    if service.active_job_id:
        return "deploying"
    return "stopped" if service.desired == "stopped" else "failed"


async def _settle(work: Sequence[Awaitable[None]]) -> None:
    """After a reboot everything starts at once: a few at a time, so that each gets somewhere."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(each: Awaitable[None]) -> None:
        async with slots:
            await each

    for outcome in await asyncio.gather(*map(one, work), return_exceptions=True):
        if isinstance(outcome, Exception):
            log.error("a service could not be brought to its state", exc_info=outcome)
