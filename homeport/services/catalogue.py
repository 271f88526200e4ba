"""The catalogue: every service as the API shows it, its releases and variables, and edits of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from homeport.identity import Actor, customer_name
from homeport.kit.bus import Bus
from homeport.kit.changes import Change
from homeport.kit.clock import Clock, rfc3339
from homeport.kit.durations import spell
from homeport.kit.masking import MASK
from homeport.kit.sealing import Sealer
from homeport.services import store
from homeport.services.domain_names import domain_body
from homeport.services.drivers import InstanceState, Part, ServiceDriver
from homeport.services.endpoints import endpoint_row
from homeport.services.health import Health, HealthMonitor, Probe
from homeport.services.live import Live
from homeport.services.metrics import Metrics
from homeport.services.models import ReleaseRow, ServiceRow
from homeport.services.origin import Origins
from homeport.services.problems import ServiceNotFound
from homeport.services.quota import admit_limits
from homeport.services.schemas import PatchService
from homeport.services.sources import Plan
from homeport.services.sources.address import check_branch
from homeport.services.stacks import is_stack
from homeport.services.timeline import Timeline, event_body
from homeport.services.variables import changed, masked, seal, unseal
from homeport.settings import Settings
from homeport.storage import Database


@dataclass(frozen=True)
class Page:
    """One page of a list, with what was used."""

    data: Sequence[Mapping[str, Any]]
    total: int
    page: int
    per_page: int

    def body(self) -> dict[str, Any]:
        return {"data": self.data, "total": self.total, "page": self.page, "per_page": self.per_page}


class Catalogue:
    def __init__(
        self, database: Database, settings: Settings, sealer: Sealer, clock: Clock, bus: Bus, live: Live,
        timeline: Timeline, health: HealthMonitor, metrics: Metrics, origins: Origins, driver: ServiceDriver,
    ) -> None:  # fmt: skip
        self._database = database
        self._settings = settings
        self._sealer = sealer
        self._clock = clock
        self._bus = bus
        self._live = live
        self._timeline = timeline
        self._health = health
        self._metrics = metrics
        self._origins = origins
        self._driver = driver

    def row(self, service: ServiceRow | store.Listed, actor: Actor | None = None) -> dict[str, Any]:
        """One service with every field that the seeds name for it; null where a field means nothing for its kind."""
        seen = self._live.observation(service.live_release_id)
        running = seen is not None and seen.state is InstanceState.RUNNING
        up = _seconds(self._clock.now(), seen.started_at) if running and seen else None
        sample = self._metrics.latest(service.id)
        row: dict[str, Any] = {
            "id": service.id,
            "name": service.name,
            "kind": service.kind,
            "status": service.status,
            "uptime": None if up is None else spell(up),
            "uptime_seconds": up,
            "url": self._settings.app_url(service.name),
            "customer_id": service.customer_id,
            "template": service.template,
            "deploy_method": service.deploy_method,
            "resources": {
                "cpu_usage": sample.cpu if sample else 0.0,
                "memory_usage_mb": sample.memory_mb if sample else 0,
                "memory_limit_mb": service.memory_limit_mb,
            },
            "created_at": rfc3339(service.created_at),
            "updated_at": rfc3339(service.updated_at),
            "plugin": None,
            "path": None,
            "icon": f"/api/templates/{service.template}/logo" if service.template else None,
            "category": None,
            "enabled": service.desired == "running",
            "hostname": f"{service.name}.{self._settings.domain}",
            "current_host": None,
            "machine_name": None,
            "deployment_type": service.driver,
            "port": seen.port if running and seen else None,
            "dependencies": [],
            "tls_enabled": True,
            "requires_auth": False,
            "health_status": self._health.of(service.id).status if running else "unknown",
            "deploy_job_id": service.active_job_id,
            "release": service.live_release,
            "error": service.error,
            "host": None,
            "required_scopes": [],
            "docker_compose": None,
            "service_file": None,
            "service_name": None,
            "display_name": None,
            "description": None,
        }
        if service.kind == "endpoint":
            return endpoint_row(row, service, with_host=actor is not None and actor.administers)
        return row

    def publish(self, service: ServiceRow, action: Any = "changed") -> None:
        """Tell the tabs."""
        self._bus.publish(Change("service", action, service.id, self.row(service), service.customer_id))

    async def change(self, service_id: str, *, event: tuple[str, str, str] | None = None, **values: Any) -> ServiceRow:
        """Write, then tell: the row's new values and, where there is one, the event (type, status, message).

        While a deploy is under way the status stays `deploying`; its end says what the status is then.
        """
        change = None
        async with self._database.write() as session:
            service = await store.find_service(session, service_id)
            if service is None:
                raise ServiceNotFound("The service was deleted.")
            if service.active_job_id:
                values = {name: value for name, value in values.items() if name not in ("status", "error")}
            before = service.status
            for name, value in values.items():
                setattr(service, name, value)
            if service.status != before:
                service.updated_at = self._clock.now()
            if event:
                change = await self._timeline.add(session, service, *event)
        if change:
            self._bus.publish(change)
        self.publish(service)
        return service

    async def page(self, actor: Actor, wanted: store.ServiceFilter, page: int, per_page: int) -> Page:
        async with self._database.read() as session:
            rows, total = await store.list_services(session, actor, wanted, page, per_page)
        return Page([self.row(row, actor) for row in rows], total, page, per_page)

    async def count(self, actor: Actor) -> int:
        """How many the actor may see."""
        async with self._database.read() as session:
            return (await store.list_services(session, actor, store.ServiceFilter(), 1, 1))[1]

    async def directory(self, actor: Actor, per_page: int) -> dict[str, Any]:
        """Everything, and the first page of it."""
        async with self._database.read() as session:
            rows = [self.row(row, actor) for row in await store.all_services(session, actor)]
        return {"services": rows, **Page(rows[:per_page], len(rows), 1, per_page).body()}

    async def detail(self, actor: Actor, ref: str) -> dict[str, Any]:
        async with self._database.read() as session:
            service = await store.get_service(session, actor, ref)
            release = (await store.releases_by_id(session, [service.live_release_id or ""])).get(
                service.live_release_id or ""
            )
            customer = await customer_name(session, service.customer_id)
            domains = await store.domains_of(session, service.id)
        row = self.row(service, actor)
        seen = self._live.observation(service.live_release_id)
        health = self._health.of(service.id) if row["uptime"] is not None else Health()
        return {
            **row,
            "resources": {
                **row["resources"],
                "cpu_limit": service.cpu_limit,
                "storage_mb": service.storage_mb,
            },
            "customer_name": customer,
            "compose": service.compose or (release.compose if release else None),
            "variables": masked(unseal(self._sealer, service.id, service.variables)),
            "custom_domains": [domain_body(domain) for domain in domains],
            "health": {
                "status": health.status,
                "last_check": rfc3339(health.last_check) if health.last_check else None,
                "consecutive_failures": health.consecutive_failures,
                "message": health.message,
            },
            "deployed_at": rfc3339(service.deployed_at) if service.deployed_at else None,
            "git_url": service.git_url,
            "git_branch": service.git_branch,
            "revision": release.revision if release else None,
            "driver": service.driver,
            "restarts": seen.restarts if seen else 0,
            "detection": detection_body(release),
            "probe": Probe.from_dict(release.probe if release else service.probe).to_dict(),
            "variables_changed": service.changed,
        }

    async def containers(self, actor: Actor, ref: str) -> dict[str, Any]:
        """Everything that runs for one service, the routed one first."""
        service_id = await self.service_id(actor, ref)
        return {"data": [part_body(part) for part in await self._driver.parts(service_id)]}

    async def releases(self, actor: Actor, ref: str) -> dict[str, Any]:
        async with self._database.read() as session:
            service = await store.get_service(session, actor, ref)
            rows = await store.releases_of(session, service.id)
        return {"data": [release_body(row) for row in rows], "total": len(rows)}

    async def events(self, actor: Actor, ref: str, page: int, per_page: int) -> Page:
        async with self._database.read() as session:
            service = await store.get_service(session, actor, ref)
            rows, total = await store.list_events(session, service.id, page, per_page)
        return Page([event_body(row) for row in rows], total, page, per_page)

    async def recent_events(self, actor: Actor, limit: int) -> dict[str, Any]:
        async with self._database.read() as session:
            rows = await store.recent_events(session, actor, limit)
        return {"data": [{**event_body(row), "service_id": row.service_id, "service_name": name} for row, name in rows]}

    async def service_id(self, actor: Actor, ref: str) -> str:
        async with self._database.read() as session:
            return (await store.get_service(session, actor, ref)).id

    async def metrics(self, actor: Actor, ref: str, minutes: int) -> dict[str, Any]:
        async with self._database.read() as session:
            service = await store.get_service(session, actor, ref)
        return {
            "data": [
                {"at": rfc3339(sample.at), "cpu_usage": sample.cpu, "memory_usage_mb": sample.memory_mb}
                for sample in self._metrics.history(service.id, minutes)
            ],
            "storage_mb": service.storage_mb,
            "cpu_limit": service.cpu_limit,
            "memory_limit_mb": service.memory_limit_mb,
        }

    async def variables(self, actor: Actor, ref: str, *, reveal: bool) -> dict[str, Any]:
        """Whether the actor may reveal is the caller's question."""
        async with self._database.read() as session:
            service = await store.get_service(session, actor, ref)
        return {
            "data": [
                {
                    "name": name,
                    "value": one.value if reveal or not one.secret else MASK,
                    "secret": one.secret,
                    "generated": one.generated,
                }
                for name, one in sorted(unseal(self._sealer, service.id, service.variables).items())
            ]
        }

    async def edit(self, actor: Actor, ref: str, patch: PatchService) -> dict[str, Any]:
        """Counts from the next deploy on."""
        if patch.git_branch is not None:
            check_branch(patch.git_branch)
        async with self._database.write() as session:
            service = await store.get_service(session, actor, ref)
            values: dict[str, Any] = {}
            if patch.variables is not None:
                current = unseal(self._sealer, service.id, service.variables)
                wanted = changed(current, patch.variables)
                if wanted != current:
                    values["variables"] = seal(self._sealer, service.id, wanted)
            if patch.probe is not None:
                values["probe"] = patch.probe.model_dump(exclude_none=True)
            if patch.resources is not None:
                values |= patch.resources.model_dump(exclude_none=True)
                await admit_limits(
                    session, service, cpu=patch.resources.cpu_limit, memory_mb=patch.resources.memory_limit_mb
                )
            if patch.git_branch is not None and service.deploy_method in ("git", "ai"):
                values["git_branch"] = patch.git_branch
            if patch.compose is not None and service.deploy_method in ("compose", "ai"):
                values["compose"] = patch.compose
            if patch.driver is not None:
                values["driver"] = patch.driver
            for name, value in values.items():
                setattr(service, name, value)
            if "compose" in values:
                given = unseal(self._sealer, service.id, service.variables)
                await self._origins.admit(service, {name: one.value for name, one in given.items()})
            if values:
                service.changed = service.live_release_id is not None
                service.updated_at = self._clock.now()
        self.publish(service)
        return await self.detail(actor, service.id)


def _seconds(now: datetime, since: datetime | None) -> int | None:
    return max(0, int((now - since).total_seconds())) if since else None


def detection_body(release: ReleaseRow | None) -> Mapping[str, Any] | None:
    """What the rules found: kind, version, why, and the command that starts it."""
    if release is None or not release.plan:
        return None
    if is_stack(release):
        services = ", ".join(release.plan.get("services", []))
        return {"kind": "stack", "version": None, "reason": release.plan["reason"], "start": services}
    return Plan.from_dict(release.plan).summary()


def part_body(part: Part) -> dict[str, Any]:
    return {
        "name": part.name,
        "part": part.part,
        "image": part.image,
        "state": part.state,
        "health": part.health,
        "started_at": rfc3339(part.started_at) if part.started_at else None,
        "restarts": part.restarts,
        "exit_code": part.exit_code,
        "cpu": part.cpu,
        "memory_mb": round(part.memory_bytes / 1048576) if part.memory_bytes is not None else None,
        "node": part.node,
        "ports": list(part.ports),
        "release_id": part.release_id,
    }


def release_body(release: ReleaseRow) -> dict[str, Any]:
    return {
        "id": release.id,
        "number": release.number,
        "status": release.status,
        "deploy_method": release.source["deploy_method"],
        "revision": release.revision,
        "summary": release.summary,
        "detection": detection_body(release),
        "port": release.port,
        "routes": release.routes,
        "created_at": rfc3339(release.created_at),
        "live_at": rfc3339(release.live_at) if release.live_at else None,
        "size_mb": release.size_mb,
        "can_rollback": release.status == "retired",
        "job_id": release.job_id,
    }
