"""The parts of this package, built once, bottom up, and opened and closed in the right order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import structlog

from homeport.identity import Actor
from homeport.kit import confinement
from homeport.kit.bus import Bus
from homeport.kit.changes import Change
from homeport.kit.clock import Clock, rfc3339
from homeport.kit.guard import OutboundGuard
from homeport.kit.sealing import Sealer
from homeport.services import store
from homeport.services.catalogue import Catalogue, Page
from homeport.services.deploy_steps import DeploySteps
from homeport.services.deployments import Deployments
from homeport.services.domain_proofs import Proofs, txt_resolver
from homeport.services.domains import Domains
from homeport.services.drivers import ServiceDriver
from homeport.services.endpoints import Endpoints
from homeport.services.exposure import Routes
from homeport.services.health import Health, HealthMonitor
from homeport.services.jobs import JobStreams, job_body
from homeport.services.launch import Confines, Folders, Launcher
from homeport.services.lifecycle import Lifecycle
from homeport.services.live import Live
from homeport.services.logs import Logs
from homeport.services.metrics import Metrics, Sample
from homeport.services.models import JobRow
from homeport.services.origin import Origins
from homeport.services.ports import Ports
from homeport.services.reactions import Reactions
from homeport.services.requests import KEYS_KEPT, DeployRequests
from homeport.services.retention import EVENTS_RULE, OldEvents
from homeport.services.sources.templates import Templates
from homeport.services.stacks import Stacks
from homeport.services.timeline import Timeline
from homeport.services.unit_door import UnitDoor
from homeport.services.units import Units
from homeport.services.uploads import Uploads
from homeport.settings import Settings
from homeport.storage import Database, Durable

log = structlog.get_logger()
Outcome = TypeVar("Outcome")
HOUSEKEEPING_SECONDS = 600.0
JOURNALS_KEPT = timedelta(days=1)


class Services:
    """What runs. `routes` is what the proxy reads; everything else is reached through the routers."""

    def __init__(
        self,
        database: Database,
        durable: Durable,
        settings: Settings,
        sealer: Sealer,
        clock: Clock,
        bus: Bus,
        driver: ServiceDriver,
        logs: Logs,
        stacks: Stacks,
        guard: OutboundGuard,
        *,
        chance: random.Random,
        events_kept: Callable[[], int] = lambda: EVENTS_RULE.default,
    ) -> None:
        self._database = database
        self._durable = durable
        self._clock = clock
        self._bus = bus
        self._confine = settings.confine_apps
        self.logs = logs
        self.routes = Routes()
        self.folders = Folders(settings.data_dir)
        self.templates = Templates.load()
        self.job_streams = JobStreams(database, clock)
        self.uploads = Uploads(database, clock, self.folders.uploads, settings.upload_limit_mb)
        self._live = Live(self.routes, settings.domain)
        self._timeline = Timeline(database, clock, bus, events_kept)
        self._health = HealthMonitor(clock, subjects=self._live.subjects, changed=self._health_changed)
        self._metrics = Metrics(
            driver,
            clock,
            self.folders.services,
            live=self._live.instances,
            sampled=self._sampled,
            measured=self._measured,
        )
        self.stacks = stacks
        confines = Confines(settings)
        launcher = Launcher(settings, sealer, self.folders, confines, stacks)
        origins = Origins(settings, self.templates, self.folders, confines, stacks, guard)
        self.catalogue = Catalogue(
            database, settings, sealer, clock, bus, self._live, self._timeline, self._health, self._metrics,
            origins, driver,
        )  # fmt: skip
        self.lifecycle = Lifecycle(
            database, settings, clock, bus, driver, self.routes, self._live, launcher, self.folders,
            self.catalogue, self._health, self._metrics, stacks,
        )  # fmt: skip
        self._reactions = Reactions(database, clock, self._live, self.catalogue, self.lifecycle)
        ports = Ports(settings.app_port_first, settings.app_port_last, chance)
        steps = DeploySteps(
            database, settings, sealer, clock, driver, self._live, launcher, self.folders, origins, ports,
            self.job_streams, self.lifecycle, self._health, self._metrics, logs, stacks,
        )  # fmt: skip
        self.deployments = Deployments(
            database, durable, settings, clock, bus, self._live, self.job_streams, self.catalogue, self._timeline,
            steps,
        )  # fmt: skip
        self.lifecycle.cancel_job = self.deployments.cancel_and_wait
        self.requests = DeployRequests(
            database, settings, sealer, clock, bus, origins, self.catalogue, self.deployments, self._timeline,
            self.routes,
        )  # fmt: skip
        known = Units(settings.units, own=settings.own_unit, clock=clock, timeout=settings.unit_timeout)
        self.units = UnitDoor(known, clock, bus)
        proofs = Proofs(txt_resolver(settings.dns_servers), guard)
        self.domains = Domains(database, clock, settings.domain, self.routes, self.catalogue, proofs)
        self.endpoints = Endpoints(database, sealer, clock, bus, guard)
        self.keepers = (OldEvents(database),)
        self._tasks: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Adopt what runs and resume unfinished jobs."""
        for folder in (self.folders.services, self.folders.uploads):
            await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        if self._confine and not confinement.supported():
            log.warning("apps are not confined to their files: this kernel has no Landlock (Linux 5.13 and later have)")
        await self.job_streams.open()
        await self.lifecycle.open(self._reactions.observed)
        await self._reactions.open()
        await self.domains.open()
        await self._durable.open([self.deployments.workflow()], unfinished=await self.deployments.unfinished())
        self._keep(self.deployments.resume(), "resume jobs")
        await self._health.open()
        await self._metrics.open()
        self._keep(self._housekeeping(), "housekeeping")
        self._keep(self.units.watch(), "watch units")

    async def close(self) -> None:
        """What runs goes on running; jobs under way go on at the next start."""
        await self._durable.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.units.close()
        await self._metrics.close()
        await self._health.close()
        await self._reactions.close()
        await self.lifecycle.close()
        await self.job_streams.close()

    async def finish(self, work: Coroutine[Any, Any, Outcome], name: str) -> Outcome:
        """Await `work`, and let it end also when the caller hangs up."""
        return await asyncio.shield(self._keep(work, name))

    async def totals(self) -> Mapping[str, int]:
        """How many there are, in the words of seed 002's statistics."""
        async with self._database.read() as session:
            return {"total_services": await store.count_services(session)}

    async def job(self, actor: Actor, job_id: str) -> JobRow:
        async with self._database.read() as session:
            return await store.get_job(session, actor, job_id)

    async def jobs_page(
        self, actor: Actor, service: str | None, status: str | None, page: int, per_page: int
    ) -> dict[str, Any]:
        async with self._database.read() as session:
            service_id = (await store.get_service(session, actor, service)).id if service else None
            rows, total = await store.list_jobs(
                session, actor, service_id=service_id, status=status, page=page, per_page=per_page
            )
        return Page([job_body(row) for row in rows], total, page, per_page).body()

    def _keep(self, work: Coroutine[Any, Any, Outcome], name: str) -> asyncio.Task[Outcome]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) and not hasattr(problem, "code"):
            log.error("a task failed", task=task.get_name(), exc_info=problem)

    def _health_changed(self, service_id: str, health: Health) -> None:
        self._reactions.health_changed(service_id, health)

    def _sampled(self, samples: Mapping[str, Sample]) -> None:
        data = {
            service_id: {"at": rfc3339(sample.at), "cpu_usage": sample.cpu, "memory_usage_mb": sample.memory_mb}
            for service_id, sample in samples.items()
        }
        self._bus.publish(Change("metrics", "changed", "all", data))

    def _measured(self, sizes: Mapping[str, int]) -> None:
        self._keep(self._store_sizes(dict(sizes)), "store sizes")

    async def _store_sizes(self, sizes: Mapping[str, int]) -> None:
        async with self._database.write() as session:
            for service_id, size in sizes.items():
                await store.change_service(session, service_id, storage_mb=size)

    async def _housekeeping(self) -> None:
        while True:
            try:
                await self._tidy()
            except Exception:
                log.exception("tidying up failed; it is tried again")
            await self._clock.sleep(HOUSEKEEPING_SECONDS)

    async def _tidy(self) -> None:
        """What nobody needs any more: uploads, answers to repeated requests, journals of ended work. Then the jobs that
        could not begin, perhaps for want of room."""
        now = self._clock.now()
        await self.uploads.clean()
        async with self._database.write() as session:
            await store.forget_idempotency(session, now - KEYS_KEPT)
        await self._durable.forget_finished(now - JOURNALS_KEPT)
        await self.deployments.begin_again()
