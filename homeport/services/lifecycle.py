"""Start, stop, restart, delete; what to do when an instance ends by itself; and the reckoning at the portal's start."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import structlog

from homeport.identity import Actor
from homeport.kit.bus import Bus
from homeport.kit.changes import Change
from homeport.kit.clock import Clock
from homeport.services import store
from homeport.services.catalogue import Catalogue
from homeport.services.drivers import InstanceState, Observation, ServiceDriver
from homeport.services.exposure import Routes
from homeport.services.health import Health, HealthMonitor, check
from homeport.services.launch import Folders, Launcher
from homeport.services.live import Live
from homeport.services.metrics import Metrics
from homeport.services.models import ReleaseRow, ServiceRow
from homeport.services.problems import DeployInProgress, NothingToRun, StartFailed
from homeport.services.timeline import Timeline
from homeport.settings import Settings
from homeport.storage import Database

log = structlog.get_logger()

START_WAIT = 10.0  # seconds that start and restart wait for the app to answer before they reply
STOP_DRAIN = 5.0  # seconds that requests in flight get when a person says stop
LOOPING = timedelta(seconds=4)  # a back-off this long means that it keeps failing
WORDS = {"start": "started", "stop": "stopped", "restart": "restarted"}


class Lifecycle:
    def __init__(
        self, database: Database, settings: Settings, clock: Clock, bus: Bus, driver: ServiceDriver, routes: Routes,
        live: Live, launcher: Launcher, folders: Folders, catalogue: Catalogue, timeline: Timeline,
        health: HealthMonitor, metrics: Metrics,
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
        self._timeline = timeline
        self._health = health
        self._metrics = metrics
        self._grace = timedelta(seconds=settings.stop_grace)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._news: dict[str, Observation] = {}
        self._health_news: dict[str, Health] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.cancel_job: Callable[[str], Awaitable[None]] | None = None  # deployments' part of a delete

    # The portal's start and end

    async def open(self) -> None:
        """Adopt what runs, set the routes, start what should run and does not, and finish deletions."""
        await self._driver.open(self.observed)
        observed = await self._driver.observe()
        for observation in observed.values():
            self._live.saw(observation)
        async with self._database.read() as session:
            services = await store.every_service(session)
            releases = await store.live_releases(session)
        restarts: list[Awaitable[None]] = []
        for service in services:
            release = releases.get(service.id)
            if service.deleting:
                restarts.append(self._finish_delete(service))
            elif service.desired == "running" and release is not None:
                self._live.point(service.name, self._launcher.spec(service, release), self._launcher.probe(release))
                if not self._exists(release.id):
                    restarts.append(self._revive(service, release, "The portal started it again."))
            else:
                self._live.pause(service.id, service.name, _pause(service))
                if release is not None and self._exists(release.id):
                    restarts.append(self._driver.stop(release.id, self._grace))
        self._task = asyncio.create_task(self._watch(restarts), name="lifecycle")

    async def close(self) -> None:
        """What runs goes on running."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._driver.close()

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
                release = (await store.live_releases(session)).get(service.id) if service.live_release_id else None
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
        await self._change(service.id, desired="running")
        if action == "restart" and self._exists(release.id):
            self._live.pause(service.id, service.name, "deploying")
            await self._routes.drain(release.id, STOP_DRAIN)
            await self._driver.stop(release.id, self._grace)
        try:
            self._live.saw(await self._driver.start(spec))
        except StartFailed as problem:
            self._live.pause(service.id, service.name, "failed")
            await self._change(
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
            await self._change(service.id, status="failed", error=message, event=(action, "failed", message))
            raise StartFailed(message)
        return await self._change(
            service.id, status="running", error=None, event=(action, "success", f"Service {WORDS[action]}")
        )

    async def _stop(self, service: ServiceRow, release: ReleaseRow | None) -> ServiceRow:
        if service.desired == "stopped" and service.status == "stopped":
            return service
        await self._change(service.id, desired="stopped")
        self._live.pause(service.id, service.name, "stopped")
        if release is not None:
            await self._routes.drain(release.id, STOP_DRAIN)
            await self._driver.stop(release.id, self._grace)
        status = "stopped" if release is not None else "failed"
        return await self._change(service.id, status=status, event=("stop", "success", "Service stopped"))

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
        await self.remove_instances(service.id, keep=None)
        await asyncio.to_thread(_remove_tree, self._folders.service(service.id))
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

    # What happens by itself

    def observed(self, observation: Observation) -> None:
        """The driver's news. Only the newest of each instance waits."""
        self._live.saw(observation)
        self._news[observation.id] = observation
        self._wake.set()

    def health_changed(self, service_id: str, health: Health) -> None:
        """The monitor's news."""
        self._health_news[service_id] = health
        self._wake.set()

    async def _watch(self, restarts: list[Awaitable[None]]) -> None:
        for outcome in await asyncio.gather(*restarts, return_exceptions=True):
            if isinstance(outcome, Exception):
                log.error("a service could not be brought to its state", exc_info=outcome)
        while True:
            await self._wake.wait()
            self._wake.clear()
            news, self._news = self._news, {}
            health_news, self._health_news = self._health_news, {}
            for observation in news.values():
                await self._survive(self._react(observation))
            for service_id, health in health_news.items():
                await self._survive(self._react_to_health(service_id, health))

    @staticmethod
    async def _survive(reaction: Awaitable[None]) -> None:
        try:
            await reaction
        except Exception:
            log.exception("a reaction to an instance's news failed")

    async def _react(self, observation: Observation) -> None:
        service_id = self._live.service_of(observation.id)
        if service_id is None:
            return  # a deploy's own business, or no longer ours
        async with self._database.read() as session:
            service = await store.find_service(session, service_id)
            release = (await store.live_releases(session)).get(service_id)
        if service is None or release is None or release.id != observation.id or service.desired != "running":
            return
        if observation.state is InstanceState.LOST:
            await self._revive(service, release, "Its supervisor had ended; it was started again.")
        elif observation.state is InstanceState.BACKOFF:
            delay = (observation.retry_at - self._clock.now()) if observation.retry_at else timedelta()
            message = f"{observation.reason or f'ended with exit code {observation.exit_code}'}; starting again"
            looping = delay >= LOOPING
            status = "failed" if looping and not service.active_job_id else service.status
            told = _worth_telling(observation.restarts)
            await self._change(
                service_id, status=status, error=message if status == "failed" else service.error,
                event=("restart", "failed", message) if told else None,
            )  # fmt: skip
        elif observation.state is InstanceState.RUNNING:
            event = ("restart", "success", "Started again after it had ended by itself")
            await self._change(service_id, event=event if _worth_telling(observation.restarts) else None)

    async def _react_to_health(self, service_id: str, health: Health) -> None:
        messages = {"healthy": "Health check passed", "unhealthy": f"Health check failed: {health.message}"}
        async with self._database.read() as session:
            service = await store.find_service(session, service_id)
        if service is None or health.status not in messages:
            return
        changes: dict[str, Any] = {}
        if health.status != service.health_status:
            changes = {"health_status": health.status, "event": ("health", health.status, messages[health.status])}
        if health.status == "healthy" and service.status == "failed" and not service.active_job_id:
            changes |= {"status": "running", "error": None}
        if changes:
            await self._change(service_id, **changes)

    async def _revive(self, service: ServiceRow, release: ReleaseRow, why: str) -> None:
        try:
            self._live.saw(await self._driver.start(self._launcher.spec(service, release)))
        except StartFailed as problem:
            await self._change(
                service.id, status="failed", error=problem.message, event=("start", "failed", problem.message)
            )
            return
        await self._change(service.id, event=("start", "success", why))

    async def _change(self, service_id: str, *, event: tuple[str, str, str] | None = None, **values: Any) -> ServiceRow:
        """Write, then tell: the row's new values and, where there is one, the event."""
        change = None
        async with self._database.write() as session:
            service = await store.find_service(session, service_id)
            if service is None:
                raise NothingToRun("The service is gone.")
            before = service.status
            for name, value in values.items():
                setattr(service, name, value)
            if service.status != before:
                service.updated_at = self._clock.now()
            if event:
                change = await self._timeline.add(session, service, *event)
        if change:
            self._bus.publish(change)
        self._catalogue.publish(service)
        return service

    def _lock(self, service_id: str) -> asyncio.Lock:
        return self._locks.setdefault(service_id, asyncio.Lock())


def _pause(service: ServiceRow) -> Any:
    if service.active_job_id:
        return "deploying"
    return "stopped" if service.desired == "stopped" else "failed"


def _worth_telling(restarts: int) -> bool:
    """The first three, then ever fewer: a crash loop does not fill the timeline."""
    return restarts <= 3 or restarts in (5, 10, 20, 50) or restarts % 100 == 0


def _remove_tree(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
