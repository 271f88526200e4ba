"""Deploys, redeploys and rollbacks: one durable workflow of eight steps.

fetch · detect · plan · build · start · gate · switch · retire. Each step may run again after a crash: it begins by
undoing or accepting what its last try left. The rows of service, release and job are written in one transaction
before anything is acknowledged.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from homeport.identity import Actor
from homeport.kit.bus import Bus
from homeport.kit.changes import Change
from homeport.kit.clock import Clock, rfc3339_ms
from homeport.kit.masking import Masker
from homeport.kit.problems import Problem
from homeport.kit.sealing import Sealer
from homeport.services import store
from homeport.services.catalogue import Catalogue
from homeport.services.drivers import InstanceState, ServiceDriver
from homeport.services.exposure import Routes
from homeport.services.health import HealthMonitor, Probe, check
from homeport.services.jobs import FINISHED, STEPS, JobStreams, publish_job
from homeport.services.launch import Folders, Launcher
from homeport.services.lifecycle import Lifecycle
from homeport.services.live import Live
from homeport.services.logs import Logs
from homeport.services.metrics import Metrics
from homeport.services.models import JobRow, ReleaseRow, ServiceRow
from homeport.services.origin import Origins
from homeport.services.ports import Ports
from homeport.services.problems import GateFailed, JobFinished, JobNotFound, ReleaseNotFound
from homeport.services.sources import Plan
from homeport.services.timeline import Timeline
from homeport.services.variables import environment, secret_values, unseal
from homeport.settings import Settings
from homeport.storage import Database, Durable, Step, Workflow

log = structlog.get_logger()

WORKFLOW = "deploy"
STEP_LIMIT = 60.0  # seconds, of a step that has no setting of its own
GATE_POLL = 0.2
RESTARTS_AT_GATE = 3
JOBS_KEPT = 100
VERBS = {"deploy": "Deployed", "redeploy": "Redeployed", "rollback": "Rolled back"}


class JobCancelled(Problem):
    code = "cancelled"
    status = 409


class StepTimedOut(Problem):
    code = "step_timed_out"
    status = 504


@dataclass(frozen=True)
class Work:
    """The rows that a step works on, as they were when it began."""

    job: JobRow
    service: ServiceRow
    release: ReleaseRow


class Deployments:
    def __init__(
        self, database: Database, durable: Durable, settings: Settings, sealer: Sealer, clock: Clock, bus: Bus,
        driver: ServiceDriver, routes: Routes, live: Live, launcher: Launcher, folders: Folders, origins: Origins,
        ports: Ports, streams: JobStreams, catalogue: Catalogue, lifecycle: Lifecycle, timeline: Timeline,
        health: HealthMonitor, metrics: Metrics, logs: Logs,
    ) -> None:  # fmt: skip
        self._database = database
        self._durable = durable
        self._settings = settings
        self._sealer = sealer
        self._clock = clock
        self._bus = bus
        self._driver = driver
        self._routes = routes
        self._live = live
        self._launcher = launcher
        self._folders = folders
        self._origins = origins
        self._ports = ports
        self._streams = streams
        self._catalogue = catalogue
        self._lifecycle = lifecycle
        self._timeline = timeline
        self._health = health
        self._metrics = metrics
        self._logs = logs
        self._builds = asyncio.Semaphore(settings.build_parallel)
        self._under_way: dict[str, asyncio.Future[str | None]] = {}
        self._cancelled: set[str] = set()
        self._ended: dict[str, asyncio.Event] = {}
        lifecycle.cancel_job = self.cancel_and_wait

    def workflow(self) -> Workflow:
        limits: dict[str, float] = {
            "fetch": settings_limit(self._settings.fetch_timeout),
            "build": settings_limit(self._settings.build_timeout),
            "gate": settings_limit(self._settings.gate_timeout),
            "retire": settings_limit(self._settings.drain_timeout + self._settings.stop_grace) * 2,
        }
        actions: dict[str, Callable[[Work], Awaitable[str | None]]] = {
            "fetch": self._fetch,
            "detect": self._detect,
            "plan": self._plan,
            "build": self._build,
            "start": self._start,
            "gate": self._gate,
            "switch": self._switch,
            "retire": self._retire,
        }
        steps = [Step(name, self._step(name, actions[name], limits.get(name, STEP_LIMIT))) for name in STEPS]
        return Workflow(WORKFLOW, steps, self._succeeded, self._failed)

    async def resume(self) -> None:
        """Hand every unfinished job to the engine; those it knows already are not begun twice."""
        async with self._database.read() as session:
            unfinished = await store.unfinished_jobs(session)
        for job_id in unfinished:
            await self._durable.start(WORKFLOW, job_id)

    async def begin(self, job_id: str) -> None:
        """Called once the job's rows are committed. A crash before it is mended by `resume`."""
        await self._durable.start(WORKFLOW, job_id)

    # Cancel

    async def cancel(self, actor: Actor, job_id: str) -> JobRow:
        async with self._database.write() as session:
            job = await store.get_job(session, actor, job_id)
            if job.status in FINISHED:
                raise JobFinished(f"The job has ended already: {job.status}.")
            if job.step == "retire":
                raise JobFinished("The new release serves already; roll back instead.")
            job.cancel_requested_at = self._clock.now()
        self._cancelled.add(job_id)
        if running := self._under_way.get(job_id):
            running.cancel()
        return job

    async def cancel_and_wait(self, job_id: str) -> None:
        """Before a delete: returns when the job has ended, by cancel or otherwise."""
        ended = self._ended.setdefault(job_id, asyncio.Event())
        async with self._database.write() as session:
            job = await store.find_job(session, job_id)
            if job is None or job.status in FINISHED:
                return
            job.cancel_requested_at = self._clock.now()
        self._cancelled.add(job_id)
        if running := self._under_way.get(job_id):
            running.cancel()
        try:
            async with asyncio.timeout(self._settings.stop_grace + self._settings.drain_timeout + STEP_LIMIT):
                await ended.wait()
        finally:
            self._ended.pop(job_id, None)

    # The steps' frame

    def _step(
        self, name: str, action: Callable[[Work], Awaitable[str | None]], limit: float
    ) -> Callable[[str], Awaitable[None]]:
        async def run(job_id: str) -> None:
            work = await self._load(job_id)
            if (work.job.cancel_requested_at is not None or work.service.deleting) and name != "retire":
                raise JobCancelled("The job was cancelled.")
            await self._mark(job_id, name, "running")
            task: asyncio.Future[str | None] = asyncio.ensure_future(self._limited(name, action, work, limit))
            self._under_way[job_id] = task
            try:
                detail = await task
            except asyncio.CancelledError:
                if job_id in self._cancelled:
                    raise JobCancelled("The job was cancelled.") from None
                raise
            finally:
                del self._under_way[job_id]
            await self._mark(job_id, name, "success", detail)

        return run

    async def _limited(
        self, name: str, action: Callable[[Work], Awaitable[str | None]], work: Work, limit: float
    ) -> str | None:
        if name == "build":
            async with self._builds:  # waiting for one's turn is not building
                return await self._timed(name, action, work, limit)
        return await self._timed(name, action, work, limit)

    @staticmethod
    async def _timed(
        name: str, action: Callable[[Work], Awaitable[str | None]], work: Work, limit: float
    ) -> str | None:
        try:
            async with asyncio.timeout(limit):
                return await action(work)
        except TimeoutError:
            raise StepTimedOut(f"The step {name} took longer than {limit:g} s and was ended.") from None

    async def _load(self, job_id: str) -> Work:
        async with self._database.read() as session:
            job = await store.find_job(session, job_id)
            service = await store.find_service(session, job.service_id) if job else None
            if job is None or service is None:
                raise JobNotFound("The service was deleted.")
            return Work(job, service, await store.get_release(session, job.release_id))

    async def _mark(self, job_id: str, step: str, status: str, detail: str | None = None) -> None:
        now = self._clock.now()
        async with self._database.write() as session:
            job = await store.find_job(session, job_id)
            if job is None:
                raise JobNotFound("The service was deleted.")
            before = job.steps.get(step, {})
            mark = {
                "status": status,
                "started_at": rfc3339_ms(now) if status == "running" else before.get("started_at"),
                "finished_at": None if status == "running" else rfc3339_ms(now),
                "detail": detail,
            }
            job.steps = {**job.steps, step: mark}
            job.step = step
            if job.status == "queued":
                job.status = "running"
                job.started_at = now
        self._streams.say(job_id, detail or step, type="step", step=step, stream=None, status=status)
        publish_job(self._bus, job)

    def _teller(self, work: Work, step: str) -> Callable[[str], None]:
        """Lines for the job's stream, secrets masked."""
        masker = Masker(secret_values(unseal(self._sealer, work.service.id, work.release.variables)))
        return lambda line: self._streams.say(work.job.id, masker.mask(line), step=step)

    def _variables(self, work: Work) -> dict[str, str]:
        return environment(unseal(self._sealer, work.service.id, work.release.variables))

    # The steps

    async def _fetch(self, work: Work) -> str | None:
        directory = self._folders.build(work.service.id, work.release.build_id)
        if work.release.build_id != work.release.id:
            if not await asyncio.to_thread(directory.is_dir):
                raise ReleaseNotFound("The build of this release is no longer on disk.")
            return "kept from its first deploy"
        revision = await self._origins.fetch(work.release.source, directory, self._teller(work, "fetch"))
        async with self._database.write() as session:
            await store.change_release(session, work.release.id, revision=revision.id, summary=revision.summary)
        return revision.summary or revision.id

    async def _detect(self, work: Work) -> str | None:
        if work.release.build_id != work.release.id and work.release.plan:
            return str(work.release.plan["reason"])
        directory = self._folders.build(work.service.id, work.release.build_id)
        return await self._origins.detect(directory, self._variables(work))

    async def _plan(self, work: Work) -> str | None:
        """The commands that build and start it, where it will listen, and how it is probed."""
        if work.release.build_id != work.release.id and work.release.plan:
            plan = Plan.from_dict(work.release.plan)
        else:
            directory = self._folders.build(work.service.id, work.release.build_id)
            plan = await self._origins.plan(directory, self._variables(work))
        probe = work.release.probe or self._origins.probe(work.release.source, plan)
        port = work.release.port
        async with self._database.write() as session:
            if port is None:
                port = self._ports.pick(await store.ports_in_use(session))
            await store.change_release(
                session, work.release.id, plan=plan.to_dict(), port=port, probe=Probe.from_dict(probe).to_dict(),
                routes=[f"{work.service.name}.{self._settings.domain}"],
            )  # fmt: skip
        return plan.reason

    async def _build(self, work: Work) -> str | None:
        if work.release.build_id != work.release.id:
            return "kept from its first deploy"
        plan = Plan.from_dict(work.release.plan or {})
        directory = self._folders.build(work.service.id, work.release.build_id)
        built = await self._origins.build(
            plan, work.service.id, directory, self._variables(work), self._teller(work, "build")
        )
        async with self._database.write() as session:
            await store.change_release(session, work.release.id, size_mb=built.size_mb)
        return f"{built.size_mb} MB" if plan.build else "nothing to build"

    async def _start(self, work: Work) -> str | None:
        for folder in (self._folders.data(work.service.id), self._folders.scratch(work.service.id)):
            await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        spec = self._launcher.spec(work.service, work.release)
        await self._driver.remove(spec.id)  # an earlier try of this step, cut off by a crash
        self._live.unsee(spec.id)
        self._live.saw(await self._driver.start(spec))
        return f"listening on port {spec.port}"

    async def _gate(self, work: Work) -> str | None:
        """Passes when the new instance is well; fails when it keeps ending or the time is up."""
        spec = self._launcher.spec(work.service, work.release)
        subject = self._live.subject(work.service.name, spec, self._launcher.probe(work.release))
        if self._live.observation(spec.id) is None:  # the portal was killed meanwhile
            seen = (await self._driver.observe()).get(spec.id)
            self._live.saw(seen or await self._driver.start(spec))
        deadline = self._clock.monotonic() + self._settings.gate_timeout - 1
        problem: str | None = "it was not probed"
        while self._clock.monotonic() < deadline:
            seen = self._live.observation(spec.id)
            if seen and (seen.state is InstanceState.LOST or seen.restarts >= RESTARTS_AT_GATE):
                await self._quote_log(work)
                raise GateFailed(f"The new release keeps ending: {seen.reason or f'exit code {seen.exit_code}'}.")
            problem = await check(subject)
            if problem is None:
                return "healthy"
            await self._clock.sleep(GATE_POLL)
        await self._quote_log(work)
        raise GateFailed(
            f"The new release did not become healthy within {self._settings.gate_timeout} s: {problem}. "
            f"It must listen on 127.0.0.1 and the port in the variable PORT."
        )

    async def _quote_log(self, work: Work) -> None:
        """The last that the new release said, into the job's stream: it usually holds the reason."""
        tell = self._teller(work, "gate")
        for entry in await self._logs.tail(work.service.id, lines=200):
            if entry.instance == work.release.id:
                tell(f"{entry.stream}: {entry.message}")

    async def _switch(self, work: Work) -> str | None:
        """The new release is the live one, on disk first; then the route moves."""
        now = self._clock.now()
        spec = self._launcher.spec(work.service, work.release)
        storage_mb = await self._metrics.measure(work.service.id)
        async with self._database.write() as session:
            service = await store.find_service(session, work.service.id)
            if service is None or service.deleting:
                raise JobCancelled("The service is being deleted.")
            if service.live_release_id not in (None, work.release.id):
                await store.change_release(session, service.live_release_id, status="retired")
            await store.change_release(session, work.release.id, status="live", live_at=now)
            service.live_release_id = work.release.id
            service.live_release = work.release.number
            service.deployed_at = now
            service.desired = "running"
            service.storage_mb = storage_mb
            if work.job.type == "rollback":  # what is shown is what runs
                service.variables = work.release.variables
                service.cpu_limit = work.release.cpu_limit
                service.memory_limit_mb = work.release.memory_limit_mb
                service.changed = False
        self._live.point(work.service.name, spec, self._launcher.probe(work.release))
        self._health.passed(work.service.id, work.release.id)
        return self._settings.app_url(work.service.name)

    async def _retire(self, work: Work) -> str | None:
        ended = await self._lifecycle.remove_instances(
            work.service.id, keep=work.release.id, drain=self._settings.drain_timeout
        )
        async with self._database.read() as session:
            releases = await store.releases_of(session, work.service.id)
        finished = [one for one in releases if one.id != work.release.id and one.status != "building"]
        usable = [one for one in finished if one.status == "retired"]
        kept = usable[: self._settings.keep_releases - 1]
        broken = [one for one in finished if one.status == "failed"][: self._settings.keep_releases]
        gone = [one for one in finished if one not in kept and one not in broken]
        needed = {one.build_id for one in [*kept, work.release]}
        for build_id in {one.build_id for one in finished} - needed:
            await asyncio.to_thread(_remove_tree, self._folders.build(work.service.id, build_id))
        for one in gone:
            await asyncio.to_thread(_remove_logs, self._folders.logs(work.service.id), one.id)
        async with self._database.write() as session:
            await store.delete_rows(session, ReleaseRow, [one.id for one in gone])
            await store.trim_jobs(session, work.service.id, JOBS_KEPT)
        return "the old release has ended" if ended else "nothing to retire"

    # The end

    async def _succeeded(self, job_id: str) -> None:
        work = await self._load(job_id)
        source = work.release.source
        told = {
            "template": f"from template {source.get('template')}",
            "git": f"from {source.get('git_url')} at {(work.release.revision or '')[:12]}",
            "upload": "from an upload",
        }[source["deploy_method"]]
        if work.job.type == "rollback":
            told = f"to {(work.release.summary or '').removesuffix(' again')}"
        await self._finish(work, "success", None, f"{VERBS[work.job.type]} {told}")

    async def _failed(self, job_id: str, step: str, problem: BaseException) -> None:
        try:
            work = await self._load(job_id)
        except JobNotFound:
            return  # deleted meanwhile, with everything that it had
        switched = work.service.live_release_id == work.release.id
        cancelled = getattr(problem, "code", "") == JobCancelled.code
        if not switched:
            await self._driver.remove(work.release.id)
            self._live.unsee(work.release.id)
            if work.release.build_id == work.release.id:
                directory = self._folders.build(work.service.id, work.release.id)
                await asyncio.to_thread(_remove_tree, directory)
        message = str(problem)
        masker = Masker(secret_values(unseal(self._sealer, work.service.id, work.release.variables)))
        message = masker.mask(message)
        self._streams.say(job_id, message, step=step, stream="stderr")
        await self._mark(job_id, step, "failed", message)
        await self._finish(work, "cancelled" if cancelled else "failed", message, message)

    async def _finish(self, work: Work, status: str, error: str | None, told: str) -> None:
        now = self._clock.now()
        change: Change | None = None
        async with self._database.write() as session:
            job = await store.find_job(session, work.job.id)
            service = await store.find_service(session, work.service.id)
            if job is None or service is None:
                return
            if job.status in FINISHED:
                return  # a second run of this step after a crash
            job.status, job.error, job.finished_at = status, error, now
            release = await store.get_release(session, work.release.id)
            if service.live_release_id != release.id:
                release.status = "failed"
            service.active_job_id = None
            service.updated_at = now
            service.error = error if status != "success" else None
            service.status = self._status_after(service)
            outcome = "success" if status == "success" else "failed"
            change = await self._timeline.add(session, service, job.type, outcome, told)
        if service.live_release_id is None or service.desired == "stopped":
            pause: Any = "stopped" if service.desired == "stopped" else "failed"
            self._live.pause(service.id, service.name, pause)
        self._cancelled.discard(job.id)
        self._streams.say(job.id, told, type="status", stream=None, status=status)
        await self._streams.flush()
        self._bus.publish(change)
        self._catalogue.publish(service)
        publish_job(self._bus, job)
        if ended := self._ended.get(job.id):
            ended.set()

    def _status_after(self, service: ServiceRow) -> str:
        if service.live_release_id is None:
            return "failed"
        if service.desired == "stopped":
            return "stopped"
        seen = self._live.observation(service.live_release_id)
        return "running" if seen and seen.state is InstanceState.RUNNING else "failed"


def settings_limit(seconds: float) -> float:
    """A little more than the setting, so that the step's own, better worded limit comes first."""
    return seconds + 5.0


def _remove_tree(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _remove_logs(folder: Path, instance_id: str) -> None:
    for file in folder.glob(f"{instance_id}.log*"):
        file.unlink(missing_ok=True)
