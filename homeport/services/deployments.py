"""Deploys, redeploys and rollbacks: one durable workflow of eight steps.

The frame of the steps (`deploy_steps.py`): their order, time limits, marks, cancel, and the job's end. The rows of
service, release and job are written in one transaction before anything is acknowledged (`requests.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from homeport.identity import Actor
from homeport.kit.bus import Bus
from homeport.kit.changes import Change
from homeport.kit.clock import Clock, rfc3339_ms
from homeport.kit.problems import Problem
from homeport.services import store
from homeport.services.catalogue import Catalogue
from homeport.services.deploy_steps import DeploySteps, JobCancelled, Work
from homeport.services.drivers import InstanceState
from homeport.services.jobs import FINISHED, STEPS, JobStreams, publish_job
from homeport.services.live import Live
from homeport.services.models import JobRow, ServiceRow
from homeport.services.problems import JobFinished, JobNotFound
from homeport.services.timeline import Timeline
from homeport.settings import Settings
from homeport.storage import Database, Durable, Step, Workflow

log = structlog.get_logger()

WORKFLOW = "deploy"
LONGEST_START = 900.0  # seconds that a template may ask a gate to wait
STEP_LIMIT = 60.0  # seconds, of a step that has no setting of its own
VERBS = {"deploy": "Deployed", "redeploy": "Redeployed", "rollback": "Rolled back"}


class StepTimedOut(Problem):
    code = "step_timed_out"
    status = 504


class Deployments:
    def __init__(
        self, database: Database, durable: Durable, settings: Settings, clock: Clock, bus: Bus, live: Live,
        streams: JobStreams, catalogue: Catalogue, timeline: Timeline, steps: DeploySteps,
    ) -> None:  # fmt: skip
        self._database = database
        self._durable = durable
        self._settings = settings
        self._clock = clock
        self._bus = bus
        self._live = live
        self._streams = streams
        self._catalogue = catalogue
        self._timeline = timeline
        self._steps = steps
        self._builds = asyncio.Semaphore(settings.build_parallel)
        self._under_way: dict[str, asyncio.Task[str | None]] = {}
        self._cancelled: set[str] = set()
        self._unbegun: set[str] = set()
        self._ended: dict[str, asyncio.Event] = {}

    def workflow(self) -> Workflow:
        limits: dict[str, float] = {
            "fetch": settings_limit(self._settings.fetch_timeout),
            "build": settings_limit(self._settings.build_timeout),
            "start": settings_limit(self._settings.gate_timeout + self._settings.drain_timeout + STEP_LIMIT),
            # Analysed releases may be mended at the gate: built and tried again, three times at most.
            "gate": settings_limit(4 * max(self._settings.gate_timeout, LONGEST_START) + self._settings.build_timeout),
            "retire": settings_limit(self._settings.drain_timeout + self._settings.stop_grace) * 2,
        }
        actions: dict[str, Callable[[Work], Awaitable[str | None]]] = {
            "fetch": self._steps.fetch,
            "detect": self._steps.detect,
            "plan": self._steps.plan,
            "build": self._steps.build,
            "start": self._steps.start,
            "gate": self._steps.gate,
            "switch": self._steps.switch,
            "retire": self._steps.retire,
        }
        steps = [Step(name, self._step(name, actions[name], limits.get(name, STEP_LIMIT))) for name in STEPS]
        return Workflow(WORKFLOW, steps, self._succeeded, self._failed)

    async def unfinished(self) -> bool:
        """Whether an earlier portal left jobs to `resume`."""
        async with self._database.read() as session:
            return bool(await store.unfinished_jobs(session))

    async def resume(self) -> None:
        """Hand every unfinished job to the engine; those it knows already are not begun twice."""
        async with self._database.read() as session:
            unfinished = await store.unfinished_jobs(session)
        for job_id in unfinished:
            await self._durable.start(WORKFLOW, job_id)

    async def begin(self, job_id: str) -> None:
        """Called once the job's rows are committed. A crash before it is mended by `resume`, and by `begin_again` an
        engine that cannot start now: the disk may be full, or the database have no connection left."""
        try:
            await self._durable.start(WORKFLOW, job_id)
        except Exception:
            log.exception("a job was not begun; it is tried again", job=job_id)
            self._unbegun.add(job_id)

    async def begin_again(self) -> None:
        """Begin what could not begin. Raises what the engine raises."""
        for job_id in list(self._unbegun):
            await self._durable.start(WORKFLOW, job_id)
            self._unbegun.discard(job_id)

    # Cancel

    async def cancel(self, actor: Actor, job_id: str) -> JobRow:
        async with self._database.write() as session:
            job = await store.get_job(session, actor, job_id)
            if job.status in FINISHED:
                raise JobFinished(f"The job has ended already: {job.status}.")
            if job.step in ("switch", "retire"):
                raise JobFinished("The new release serves already; roll back instead.")
            job.cancel_requested_at = self._clock.now()
        self._interrupt(job_id)
        return job

    async def cancel_and_wait(self, job_id: str) -> None:
        """Before a delete: returns when the job has ended, by cancel or otherwise."""
        ended = self._ended.setdefault(job_id, asyncio.Event())
        async with self._database.write() as session:
            job = await store.find_job(session, job_id)
            if job is None or job.status in FINISHED:
                return
            job.cancel_requested_at = self._clock.now()
        self._interrupt(job_id)
        try:
            async with asyncio.timeout(self._settings.stop_grace + self._settings.drain_timeout + STEP_LIMIT):
                await ended.wait()
        finally:
            self._ended.pop(job_id, None)

    def _interrupt(self, job_id: str) -> None:
        """End the step under way. A switch is not cut in two: what is on disk and what is routed stay the same."""
        self._cancelled.add(job_id)
        if (running := self._under_way.get(job_id)) and running.get_name() != "switch":
            running.cancel()

    # The steps' frame

    def _step(
        self, name: str, action: Callable[[Work], Awaitable[str | None]], limit: float
    ) -> Callable[[str], Awaitable[None]]:
        async def run(job_id: str) -> None:
            work = await self._load(job_id)
            if (work.job.cancel_requested_at is not None or work.service.deleting) and name != "retire":
                raise JobCancelled("The job was cancelled.")
            await self._mark(job_id, name, "running")
            task = asyncio.create_task(self._limited(name, action, work, limit), name=name)
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

    # The end

    async def _succeeded(self, job_id: str) -> None:
        work = await self._load(job_id)
        source = work.release.source
        told = {
            "template": f"from template {source.get('template')}",
            "git": f"from {source.get('git_url')} at {(work.release.revision or '')[:12]}",
            "upload": "from an upload",
            "compose": "from a compose document",
            "ai": f"from {source.get('ai_url')} as analysed",
        }[source["deploy_method"]]
        if work.job.type == "rollback":
            told = f"to {(work.release.summary or '').removesuffix(' again')}"
        await self._finish(work, "success", None, f"{VERBS[work.job.type]} {told}")

    async def _failed(self, job_id: str, step: str, problem: BaseException) -> None:
        try:
            work = await self._load(job_id)
        except JobNotFound:
            return  # deleted meanwhile, with everything that it had
        if work.job.status in FINISHED:
            return  # a second run after a crash: the service may have other releases by now
        switched = work.service.live_release_id == work.release.id
        cancelled = getattr(problem, "code", "") == JobCancelled.code
        if not switched:
            await self._steps.undo(work)
        message = self._steps.masked(work, str(problem))
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
