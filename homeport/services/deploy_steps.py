"""What each step of a deploy does: fetch · detect · plan · build · start · gate · switch · retire, and undo.

Each may run again after a crash: it begins by accepting or removing what its last try left.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from homeport.kit.clock import Clock
from homeport.kit.files import remove_tree
from homeport.kit.masking import Masker
from homeport.kit.problems import Problem
from homeport.kit.sealing import Sealer
from homeport.services import store
from homeport.services.analysis.result import AskedVariable
from homeport.services.drivers import InstanceState, ServiceDriver
from homeport.services.health import HealthMonitor, Probe, check
from homeport.services.jobs import JobStreams
from homeport.services.launch import Folders, Launcher
from homeport.services.lifecycle import Lifecycle
from homeport.services.live import Live
from homeport.services.logs import Logs
from homeport.services.metrics import Metrics
from homeport.services.models import JobRow, ReleaseRow, ServiceRow
from homeport.services.origin import Origins
from homeport.services.ports import Ports
from homeport.services.problems import BuildFailed, GateFailed, ReleaseNotFound
from homeport.services.sources import Plan
from homeport.services.stacks import DRIVERS, Stacks, is_stack
from homeport.services.variables import Variable, environment, seal, secret_values, unseal
from homeport.settings import Settings
from homeport.storage import Database

GATE_POLL = 0.2  # seconds
RESTARTS_AT_GATE = 3
JOBS_KEPT = 100  # of one service
TROUBLE = 16_384  # characters of a failed log that are kept to mend by
QUOTED = 200  # lines of a failed release's log that its job shows


class JobCancelled(Problem):
    code = "cancelled"
    status = 409


@dataclass(frozen=True)
class Work:
    """The rows that a step works on, as they were when it began."""

    job: JobRow
    service: ServiceRow
    release: ReleaseRow

    @property
    def is_repeat(self) -> bool:
        """A rollback: the build of an earlier release runs again."""
        return self.release.build_id != self.release.id


class DeploySteps:
    """Each step returns a word or a sentence for the job's page, or None. Raises Problems, which end the job."""

    def __init__(
        self, database: Database, settings: Settings, sealer: Sealer, clock: Clock, driver: ServiceDriver, live: Live,
        launcher: Launcher, folders: Folders, origins: Origins, ports: Ports, streams: JobStreams,
        lifecycle: Lifecycle, health: HealthMonitor, metrics: Metrics, logs: Logs, stacks: Stacks,
    ) -> None:  # fmt: skip
        self._database = database
        self._settings = settings
        self._sealer = sealer
        self._clock = clock
        self._driver = driver
        self._live = live
        self._launcher = launcher
        self._folders = folders
        self._origins = origins
        self._ports = ports
        self._streams = streams
        self._lifecycle = lifecycle
        self._health = health
        self._metrics = metrics
        self._logs = logs
        self._stacks = stacks

    async def fetch(self, work: Work) -> str | None:
        directory = self._folders.build(work.service.id, work.release.build_id)
        if work.is_repeat and is_stack(work.release):
            await self._stacks.require()
            if missing := await self._stacks.missing_images(work.release):
                raise ReleaseNotFound(f"Images of this release are gone from the engine: {', '.join(missing)}.")
            return "images kept from its first deploy"
        if work.is_repeat:
            if not await asyncio.to_thread(directory.is_dir):
                raise ReleaseNotFound("The build of this release is no longer on disk.")
            return "kept from its first deploy"
        revision = await self._origins.fetch(work.release.source, directory, self._teller(work, "fetch"))
        async with self._database.write() as session:
            await store.change_release(session, work.release.id, revision=revision.id, summary=revision.summary)
        return revision.summary or revision.id

    async def detect(self, work: Work) -> str | None:
        if work.is_repeat and work.release.plan:
            return str(work.release.plan["reason"])
        directory = self._folders.build(work.service.id, work.release.build_id)
        found = await self._origins.stack(work.service, work.release, directory)
        if found is None:
            await self._drive(work, "process")
            return await self._origins.detect(directory, self._variables(work))
        driver = self._stacks.driver_for(work.service.driver)
        await self._drive(work, driver, compose=found.text, plan=found.plan())
        await self._take_variables(work, found.variables)
        return found.reason

    async def _take_variables(self, work: Work, asked: Sequence[AskedVariable]) -> None:
        """What the analyser made up joins the service's variables, once: a database keeps its first password."""
        known = unseal(self._sealer, work.service.id, work.release.variables)
        new = {
            one.name: Variable(one.value, secret=one.secret, generated=one.generated)
            for one in asked
            if one.value is not None and one.name not in known
        }
        if new:
            sealed = seal(self._sealer, work.service.id, {**known, **new})
            async with self._database.write() as session:
                await store.change_release(session, work.release.id, variables=sealed)
                await store.change_service(session, work.service.id, variables=sealed)

    async def _drive(self, work: Work, driver: str, **values: Any) -> None:
        """What this release runs on, and from now on the service."""
        async with self._database.write() as session:
            await store.change_release(session, work.release.id, driver=driver, **values)
            await store.change_service(session, work.service.id, driver=driver)

    async def plan(self, work: Work) -> str | None:
        """The commands that build and start it, where it will listen, and how it is probed."""
        if is_stack(work.release):
            stack = self._stacks.read(work.service, work.release, self._variables(work))
            summary = {"routed": stack.routed, "services": [one.name for one in stack.services], "listens": stack.port}
            told, stored = stack.reason, {**(work.release.plan or {}), **summary}
            suggested = self._origins.stack_probe(work.release.source)
        else:
            if work.is_repeat and work.release.plan:
                plan = Plan.from_dict(work.release.plan)
            else:
                directory = self._folders.build(work.service.id, work.release.build_id)
                plan = await self._origins.plan(directory, self._variables(work))
            told, stored, suggested = plan.reason, plan.to_dict(), self._origins.probe(work.release.source, plan)
        probe = work.release.probe or suggested
        port = work.release.port
        async with self._database.write() as session:
            if port is None:
                port = self._ports.pick(await store.ports_in_use(session))
            await store.change_release(
                session, work.release.id, plan=stored, port=port, probe=Probe.from_dict(probe).to_dict(),
                routes=[f"{work.service.name}.{self._settings.domain}"],
            )  # fmt: skip
        return told

    async def build(self, work: Work) -> str | None:
        if work.is_repeat:
            return "kept from its first deploy"
        if is_stack(work.release):
            return await self._build_stack(work)
        plan = Plan.from_dict(work.release.plan or {})
        directory = self._folders.build(work.service.id, work.release.build_id)
        built = await self._origins.build(
            plan, work.service.id, directory, self._variables(work), self._teller(work, "build")
        )
        async with self._database.write() as session:
            await store.change_release(session, work.release.id, size_mb=built.size_mb)
        return f"{built.size_mb} MB" if plan.build else "nothing to build"

    async def _build_stack(self, work: Work) -> str:
        """The images; what the analyser wrote is mended by what a failed build shows."""
        while True:
            said: deque[str] = deque(maxlen=QUOTED)
            try:
                return await self._make_images(work, said)
            except BuildFailed as problem:
                mended = await self._mend(work, "build", [*said, problem.message])
                if mended is None:
                    raise
                work = mended

    async def _mend(self, work: Work, step: str, log: Sequence[str]) -> Work | None:
        """An analysed release with what the log of its failed try has shown; None where nothing can be mended."""
        source, plan = work.release.source, work.release.plan or {}
        if source["deploy_method"] != "ai" or source.get("compose"):
            return None
        troubles = [*plan.get("troubles", []), "\n".join(log)[-TROUBLE:]]
        folder = self._folders.build(work.service.id, work.release.build_id)
        found, reason = await self._origins.repaired(folder, work.service.name, troubles)
        self._teller(work, step)(f"{'Mended' if found else 'Not mended'}: {reason}")
        if found is None:
            return None
        async with self._database.write() as session:
            kept = {**found.plan(), "troubles": troubles}
            await store.change_release(session, work.release.id, compose=found.text, plan={**plan, **kept})
        await self._take_variables(work, found.variables)
        async with self._database.read() as session:
            return replace(work, release=await store.get_release(session, work.release.id))

    async def _make_images(self, work: Work, said: deque[str]) -> str:
        await self._stacks.require()
        tell = self._teller(work, "build")

        def hear(line: str) -> None:
            said.append(line)
            tell(line)

        stack = self._stacks.read(work.service, work.release, self._variables(work))
        directory = self._folders.build(work.service.id, work.release.build_id)
        images = await self._stacks.make_images(work.service.id, work.release.id, stack, directory, hear)
        async with self._database.write() as session:
            await store.change_release(session, work.release.id, images=images)
        built = sum(one.build is not None for one in stack.services)
        return f"{built} images built, {len(images) - built} pulled" if built else f"{len(images)} images ready"

    async def start(self, work: Work) -> str | None:
        for folder in (self._folders.data(work.service.id), self._folders.scratch(work.service.id)):
            await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        spec = self._launcher.spec(work.service, work.release)
        await self._driver.remove(spec.id)  # an earlier try of this step, cut off by a crash
        self._live.unsee(spec.id)
        if spec.stack is not None and spec.stack.web.is_stateful:
            await self._lifecycle.make_way(work.service)
        self._live.saw(await self._driver.start(spec))
        return f"listening on port {spec.port}"

    async def gate(self, work: Work) -> str | None:
        """Passes when the new instance is well; an analysed one that is not may be mended and tried again."""
        while True:
            try:
                return await self._gate(work)
            except GateFailed as problem:
                entries = await self._logs.tail(work.service.id, lines=QUOTED)
                mended = await self._mend(work, "gate", [*(one.message for one in entries), problem.message])
                if mended is None:
                    raise
            await self._build_stack(mended)
            async with self._database.read() as session:
                work = replace(work, release=await store.get_release(session, work.release.id))
            await self.start(work)

    async def _gate(self, work: Work) -> str | None:
        """Fails when it keeps ending or the time is up."""
        spec = self._launcher.spec(work.service, work.release)
        probe = self._launcher.probe(work.release)
        if self._live.observation(spec.id) is None:  # the portal was killed meanwhile
            seen = (await self._driver.observe()).get(spec.id)
            self._live.saw(seen or await self._driver.start(spec))
        wait = max(self._settings.gate_timeout, probe.start_period)
        deadline = self._clock.monotonic() + wait - 1
        problem: str | None = "it was not probed"
        while self._clock.monotonic() < deadline:
            seen = self._live.observation(spec.id)
            if seen and (seen.state is InstanceState.LOST or seen.restarts >= RESTARTS_AT_GATE):
                await self._quote_log(work)
                raise GateFailed(f"The new release keeps ending: {seen.reason or f'exit code {seen.exit_code}'}.")
            problem = await check(self._live.subject(work.service.name, spec, probe))
            if problem is None:
                return "healthy"
            await self._clock.sleep(GATE_POLL)
        await self._quote_log(work)
        raise GateFailed(
            f"The new release did not become healthy within {wait:g} s: {problem}. "
            + (
                f"Its service {spec.stack.routed} must listen on port {spec.stack.port}, on all addresses."
                if spec.stack
                else "It must listen on 127.0.0.1 and the port in the variable PORT."
            )
        )

    async def _quote_log(self, work: Work) -> None:
        """The last that the new release said, into the job's stream: it usually holds the reason."""
        tell = self._teller(work, "gate")
        for entry in await self._logs.tail(work.service.id, lines=QUOTED):
            if entry.instance == work.release.id or is_stack(work.release):
                tell(f"{entry.stream}: {entry.message}")

    async def switch(self, work: Work) -> str | None:
        """The new release is the live one, on disk first; then the route moves."""
        now = self._clock.now()
        spec = self._launcher.spec(work.service, work.release)
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
            if work.job.type == "rollback":  # what is shown is what runs
                service.variables = work.release.variables
                if service.compose is not None:
                    service.compose = work.release.compose
                service.cpu_limit = work.release.cpu_limit
                service.memory_limit_mb = work.release.memory_limit_mb
                service.changed = False
        self._live.point(work.service.name, spec, self._launcher.probe(work.release))
        self._health.passed(work.service.id, work.release.id)
        return self._settings.app_url(work.service.name)

    async def retire(self, work: Work) -> str | None:
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
        if work.release.driver in DRIVERS:
            await self._stacks.keep_images(work.service.id, needed)
        for build_id in {one.build_id for one in finished} - needed:
            await asyncio.to_thread(remove_tree, self._folders.build(work.service.id, build_id))
        for one in gone:
            await asyncio.to_thread(_remove_logs, self._folders.logs(work.service.id), one.id)
        storage_mb = await self._metrics.measure(work.service.id)
        async with self._database.write() as session:
            await store.change_service(session, work.service.id, storage_mb=storage_mb)
            await store.delete_rows(session, ReleaseRow, [one.id for one in gone])
            await store.trim_jobs(session, work.service.id, JOBS_KEPT)
        return "the old release has ended" if ended else "nothing to retire"

    async def undo(self, work: Work) -> None:
        """After a failure before the switch: nothing of the new release runs or stays on disk."""
        await self._driver.remove(work.release.id)
        self._live.unsee(work.release.id)
        if is_stack(work.release):
            await self._lifecycle.restore(work.service)
        if not work.is_repeat:
            await asyncio.to_thread(remove_tree, self._folders.build(work.service.id, work.release.id))

    def masked(self, work: Work, text: str) -> str:
        """`text` without the values of the release's secrets."""
        return Masker(secret_values(unseal(self._sealer, work.service.id, work.release.variables))).mask(text)

    def _teller(self, work: Work, step: str) -> Callable[[str], None]:
        """Lines for the job's stream, secrets masked."""
        masker = Masker(secret_values(unseal(self._sealer, work.service.id, work.release.variables)))
        return lambda line: self._streams.say(work.job.id, masker.mask(line), step=step)

    def _variables(self, work: Work) -> dict[str, str]:
        return environment(unseal(self._sealer, work.service.id, work.release.variables))


def _remove_logs(folder: Path, instance_id: str) -> None:
    for file in folder.glob(f"{instance_id}.log*"):
        file.unlink(missing_ok=True)
