"""Asking for a deploy: everything is checked first, then service, release and job are written in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity import Actor
from homeport.kit.bus import Bus
from homeport.kit.changes import Change
from homeport.kit.clock import Clock
from homeport.kit.ids import new_id
from homeport.kit.problems import ValidationFailed
from homeport.kit.sealing import Sealer
from homeport.services import store
from homeport.services.catalogue import Catalogue
from homeport.services.deployments import Deployments
from homeport.services.exposure import Routes
from homeport.services.jobs import publish_job
from homeport.services.models import IdempotencyRow, JobRow, ReleaseRow, ServiceRow
from homeport.services.origin import Origins
from homeport.services.problems import DeployInProgress, IdempotencyConflict, NameTaken, NothingToRun, ReleaseNotFound
from homeport.services.quota import admit, admit_limits
from homeport.services.schemas import CreateService, Redeploy, Rollback
from homeport.services.timeline import Timeline
from homeport.services.variables import Variable, changed, seal, unseal
from homeport.settings import Settings
from homeport.storage import Database

KEYS_KEPT = timedelta(hours=24)


@dataclass(frozen=True)
class Once:
    """An `Idempotency-Key`, whose it is, and the request that it stands for."""

    owner: str
    key: str
    request: str

    @classmethod
    def of(cls, actor: Actor, key: str | None, *request: str | bytes) -> Once | None:
        """None without a key. Raises ValidationFailed for one that is too long or not printable."""
        if key is None:
            return None
        if not 1 <= len(key) <= 255 or not key.isprintable():
            raise ValidationFailed({"Idempotency-Key": "use 1 to 255 printable characters"})
        digest = hashlib.sha256()
        for part in request:
            digest.update(part.encode() if isinstance(part, str) else part)
            digest.update(b"\0")
        return cls(actor.id, key, digest.hexdigest())


class DeployRequests:
    def __init__(
        self, database: Database, settings: Settings, sealer: Sealer, clock: Clock, bus: Bus, origins: Origins,
        catalogue: Catalogue, deployments: Deployments, timeline: Timeline, routes: Routes,
    ) -> None:  # fmt: skip
        self._database = database
        self._settings = settings
        self._sealer = sealer
        self._clock = clock
        self._bus = bus
        self._origins = origins
        self._catalogue = catalogue
        self._deployments = deployments
        self._timeline = timeline
        self._routes = routes
        self.has_tunnel: Callable[[str], bool] = lambda _name: False  # whether visitors reach one by this name

    async def create(self, actor: Actor, wanted: CreateService, once: Once | None) -> dict[str, Any]:
        """A new service and its first deploy."""
        if replayed := await self._replay(once):
            return replayed
        url = wanted.ai_url if wanted.deploy_method == "ai" else wanted.git_url
        await self._origins.check(wanted.deploy_method, url, wanted.git_branch, wanted.template_id)
        service_id = new_id("svc")
        variables = self._variables(wanted, wanted.name)
        least = self._origins.needs(wanted.template_id if wanted.deploy_method == "template" else None)
        now = self._clock.now()
        service = ServiceRow(
            id=service_id, name=wanted.name, customer_id=actor.customer_id or wanted.customer_id, kind="app",
            driver=wanted.driver or self._settings.default_driver, deploy_method=wanted.deploy_method,
            template=wanted.template_id if wanted.deploy_method == "template" else None,
            git_url=wanted.git_url if wanted.deploy_method == "git" else None,
            git_branch=wanted.git_branch if wanted.deploy_method in ("git", "ai") else None,
            ai_url=wanted.ai_url if wanted.deploy_method == "ai" else None,
            compose=_text(wanted), dockerfile=wanted.result.dockerfile if wanted.result else None,
            upload_id=wanted.upload_id if wanted.deploy_method == "upload" else None,
            variables=seal(self._sealer, service_id, variables),
            probe=wanted.probe.model_dump(exclude_none=True) if wanted.probe else None,
            cpu_limit=wanted.resources.cpu_limit or max(self._settings.app_cpu, least.cpu),
            memory_limit_mb=wanted.resources.memory_limit_mb or max(self._settings.app_memory_mb, least.memory_mb),
            desired="running", status="deploying", health_status="unknown", releases_made=0, changed=False,
            deleting=False, storage_mb=0, created_at=now, updated_at=now,
        )  # fmt: skip
        await self._origins.admit(service, {name: one.value for name, one in variables.items()})
        if wanted.name in self._settings.units:
            raise NameTaken(f"The name {wanted.name!r} is taken by a unit of this machine.")
        if self.has_tunnel(wanted.name):
            raise NameTaken(f"The name {wanted.name!r} is taken by a tunnel: end or deny it first.")
        try:
            async with self._database.write() as session:
                if known := await self._remembered(session, once):
                    return known
                if await store.name_is_taken(session, wanted.name):
                    raise NameTaken(f"The name {wanted.name!r} is taken; a name belongs to one service.")
                if wanted.deploy_method == "upload":
                    await store.get_upload(session, actor.id, wanted.upload_id or "")
                await admit(session, service)
                session.add(service)
                await session.flush()
                job, change = await self._job(session, actor, service, "deploy")
                body = {
                    "id": service.id,
                    "name": service.name,
                    "status": "deploying",
                    "url": self._settings.app_url(service.name),
                    "deploy_job_id": job.id,
                }
                self._remember(session, once, 201, body)
        except IntegrityError:
            # Two at the same time on PostgreSQL: the other one has the key or the name.
            if replayed := await self._replay(once):
                return replayed
            raise NameTaken(f"The name {wanted.name!r} is taken; a name belongs to one service.") from None
        self._routes.pause(service.name, "deploying", service_id=service.id)
        await self._begin(service, job, change, "created")
        return body

    async def redeploy(self, actor: Actor, ref: str, wanted: Redeploy, once: Once | None) -> dict[str, Any]:
        """The newest of its source, with the variables and limits as they are now."""
        async with self._database.write() as session:
            if known := await self._remembered(session, once):
                return known
            service = await self._idle(session, actor, ref)
            if wanted.upload_id:
                await store.get_upload(session, actor.id, wanted.upload_id)
                service.deploy_method, service.upload_id = "upload", wanted.upload_id
                service.template = service.git_url = service.git_branch = service.compose = service.ai_url = None
            if service.deploy_method == "template" and service.template:
                kept = unseal(self._sealer, service.id, service.variables)
                resolved = self._from_template(
                    service.template, service.name, {name: one.value for name, one in kept.items()}, kept
                )
                service.variables = seal(self._sealer, service.id, resolved)
            await admit(session, service)
            job, change = await self._job(session, actor, service, "redeploy")
            body = self._reply(service, job, "redeploy", "The newest version is being deployed")
            self._remember(session, once, 200, body)
        await self._begin(service, job, change)
        return body

    async def preview(self, wanted: CreateService) -> dict[str, Any]:
        """What an `ai` deploy would run, and why; nothing is created."""
        await self._origins.check("ai", wanted.ai_url, wanted.git_branch, None)
        analysis = await self._origins.preview(wanted.ai_url or "", wanted.git_branch, wanted.name)
        return {"analysis": analysis.to_dict()}

    async def rollback(self, actor: Actor, ref: str, wanted: Rollback, once: Once | None) -> dict[str, Any]:
        """An earlier release again: its revision, build, variables, limits and routes together."""
        async with self._database.write() as session:
            if known := await self._remembered(session, once):
                return known
            service = await self._idle(session, actor, ref)
            releases = await store.releases_of(session, service.id)
            usable = [one for one in releases if one.status == "retired"]
            if wanted.release is not None:
                usable = [one for one in usable if wanted.release in (one.number, one.id, str(one.number))]
            else:  # the one that was live last
                usable.sort(key=lambda one: one.live_at or one.created_at, reverse=True)
            if not usable:
                raise ReleaseNotFound(
                    f"{service.name} has no earlier release to return to."
                    if wanted.release is None
                    else f"{service.name} has no kept release {wanted.release} to return to."
                )
            await admit(session, service)
            await admit_limits(session, service, cpu=usable[0].cpu_limit, memory_mb=usable[0].memory_limit_mb)
            job, change = await self._job(session, actor, service, "rollback", earlier=usable[0])
            body = self._reply(service, job, "rollback", f"Release {usable[0].number} is being brought back")
            self._remember(session, once, 200, body)
        await self._begin(service, job, change)
        return body

    async def _idle(self, session: AsyncSession, actor: Actor, ref: str) -> ServiceRow:
        service = await store.get_service(session, actor, ref)
        if service.kind == "endpoint":
            raise NothingToRun(f"{service.name} runs elsewhere: there is nothing to deploy.")
        if service.active_job_id:
            raise DeployInProgress(
                f"{service.name} is being deployed already.",
                details={"deploy_job_id": service.active_job_id},
                extra={"deploy_job_id": service.active_job_id},
            )
        return service

    async def _job(
        self, session: AsyncSession, actor: Actor, service: ServiceRow, kind: str, earlier: ReleaseRow | None = None
    ) -> tuple[JobRow, Change]:
        now = self._clock.now()
        release_id = new_id("rel")
        service.releases_made += 1
        job = JobRow(
            id=new_id("job"), service_id=service.id, service_name=service.name, customer_id=service.customer_id,
            type=kind, status="queued", steps={}, release_id=release_id, actor=actor.id, created_at=now,
        )  # fmt: skip
        source = {
            "deploy_method": service.deploy_method,
            "template": service.template,
            "git_url": service.git_url,
            "git_branch": service.git_branch,
            "upload_id": service.upload_id,
            "compose": service.compose,
            "dockerfile": service.dockerfile,
            "ai_url": service.ai_url,
        }
        release = ReleaseRow(
            id=release_id, service_id=service.id, number=service.releases_made, status="building", job_id=job.id,
            build_id=earlier.build_id if earlier else release_id,
            source=earlier.source if earlier else source,
            revision=earlier.revision if earlier else None,
            summary=f"release {earlier.number} again" if earlier else None,
            plan=earlier.plan if earlier else None, driver=earlier.driver if earlier else service.driver,
            compose=earlier.compose if earlier else None, images=earlier.images if earlier else None,
            probe=earlier.probe if earlier else service.probe,
            variables=earlier.variables if earlier else service.variables,
            cpu_limit=earlier.cpu_limit if earlier else service.cpu_limit,
            memory_limit_mb=earlier.memory_limit_mb if earlier else service.memory_limit_mb,
            routes=earlier.routes if earlier else [], size_mb=earlier.size_mb if earlier else 0, created_at=now,
        )  # fmt: skip
        session.add_all([job, release])
        service.active_job_id = job.id
        service.status = "deploying"
        service.error = None
        service.updated_at = now
        if not earlier:
            service.changed = False
        change = await self._timeline.add(session, service, kind, "started", f"{kind.capitalize()} started")
        return job, change

    async def _begin(self, service: ServiceRow, job: JobRow, change: Change, action: str = "changed") -> None:
        self._bus.publish(change)
        self._catalogue.publish(service, action)
        publish_job(self._bus, job, "created")
        await self._deployments.begin(job.id)

    @staticmethod
    def _reply(service: ServiceRow, job: JobRow, action: str, message: str) -> dict[str, Any]:
        return {
            "ok": True,
            "success": True,
            "id": service.id,
            "name": service.name,
            "action": action,
            "status": "deploying",
            "deploy_job_id": job.id,
            "message": message,
        }

    # Variables

    def _variables(self, wanted: CreateService, name: str) -> dict[str, Variable]:
        if wanted.deploy_method != "template" or not wanted.template_id:
            return changed({}, wanted.variables)
        given = {key: value for key, value in wanted.variables.items() if value is not None}
        return self._from_template(wanted.template_id, name, given, {})

    def _from_template(
        self, template_id: str, name: str, given: Mapping[str, str], kept: Mapping[str, Variable]
    ) -> dict[str, Variable]:
        resolved = self._origins.resolve(template_id, name, given, {key: one.value for key, one in kept.items()})
        checked = changed({}, resolved.values)
        return {
            key: replace(
                one,
                secret=one.secret or key in resolved.secret or (key in kept and kept[key].secret),
                generated=key in resolved.generated or (key in kept and kept[key].generated),
            )
            for key, one in checked.items()
        }

    # Idempotency

    async def _replay(self, once: Once | None) -> dict[str, Any] | None:
        if once is None:
            return None
        async with self._database.read() as session:
            return await self._remembered(session, once)

    async def _remembered(self, session: AsyncSession, once: Once | None) -> dict[str, Any] | None:
        if once is None:
            return None
        row = await store.find_idempotency(session, once.owner, once.key)
        if row is None:
            return None
        if row.request != once.request:
            raise IdempotencyConflict("This Idempotency-Key was used for another request; use a new one.")
        return dict(row.body)

    def _remember(self, session: AsyncSession, once: Once | None, status: int, body: dict[str, Any]) -> None:
        if once is not None:
            row = IdempotencyRow(owner=once.owner, key=once.key, request=once.request, status=status, body=body)
            row.created_at = self._clock.now()
            session.add(row)


def _text(wanted: CreateService) -> str | None:
    if wanted.deploy_method == "compose":
        return wanted.compose
    return wanted.result.compose if wanted.deploy_method == "ai" and wanted.result else None
