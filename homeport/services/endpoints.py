"""Endpoints: services that run elsewhere. The portal keeps where they are, shows them, and asks whether they answer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError

from homeport.identity import Actor
from homeport.identity.problems import Forbidden
from homeport.kit.bus import Bus
from homeport.kit.changes import Change
from homeport.kit.clock import Clock
from homeport.kit.guard import OutboundGuard
from homeport.kit.ids import new_id
from homeport.kit.problems import Problem, ValidationFailed
from homeport.kit.sealing import Sealer
from homeport.services import store
from homeport.services.endpoint_schemas import CreateEndpoint, EndpointFields
from homeport.services.models import ServiceRow
from homeport.services.problems import NameTaken
from homeport.services.quota import admit
from homeport.services.variables import seal
from homeport.storage import Database

KIND = "endpoint"
HEALTH_SECONDS = 5.0
_WEB = frozenset({"http", "https", "web", "proxy"})
_GREETINGS = {"ssh": b"SSH-", "sftp": b"SSH-", "vnc": b"RFB "}
_SHOWN = (
    "plugin", "path", "icon", "category", "port", "hostname", "current_host", "deployment_type", "docker_compose",
    "service_file", "service_name", "description", "display_name",
)  # fmt: skip


def endpoint_row(row: dict[str, Any], service: Any, *, with_host: bool) -> dict[str, Any]:
    """The common row with what an endpoint says; where it is only for whoever administers the portal."""
    own: Mapping[str, Any] = service.endpoint or {}
    return {
        **row,
        **{name: own.get(name) for name in _SHOWN},
        "enabled": own.get("enabled", True),
        "host": own.get("host") if with_host else None,
        "hostname": own.get("hostname") if with_host else None,
        "machine_name": own.get("current_host"),
        "required_scopes": list(own.get("scopes", [])),
        "dependencies": list(own.get("dependencies", [])),
        "tls_enabled": own.get("tls_enabled", own.get("plugin") == "https"),
        "requires_auth": own.get("requires_auth", False),
        "url": None,
        "health_status": "unknown",
    }


class Endpoints:
    """Create, change, remove and probe. Whatever it is asked, only administrators of the portal may change one."""

    def __init__(self, database: Database, sealer: Sealer, clock: Clock, bus: Bus, guard: OutboundGuard) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._bus = bus
        self._guard = guard

    async def find(self, actor: Actor, ref: str) -> str | None:
        """The id of the endpoint that `ref` means, None for an app or a unit. Raises ServiceNotFound."""
        async with self._database.read() as session:
            service = await store.get_service(session, actor, ref)
        return service.id if service.kind == KIND else None

    async def create(self, actor: Actor, wanted: CreateEndpoint) -> str:
        """The new one's id. Raises Forbidden, NameTaken, and what `admit` raises."""
        _administrator(actor)
        now = self._clock.now()
        service_id = new_id("svc")
        given = wanted.given()
        service = ServiceRow(
            id=service_id, name=wanted.name, kind=KIND, driver=KIND, deploy_method=KIND, customer_id=wanted.customer_id,
            endpoint=given, variables=seal(self._sealer, service_id, {}), cpu_limit=0.0, memory_limit_mb=0,
            desired=_desired(given), status=_status(given), health_status="unknown", releases_made=0, changed=False,
            deleting=False, storage_mb=0, created_at=now, updated_at=now,
        )  # fmt: skip
        taken = NameTaken(f"The name {wanted.name!r} is taken; a name belongs to one service.")
        try:
            async with self._database.write() as session:
                if await store.name_is_taken(session, wanted.name):
                    raise taken
                await admit(session, service)
                session.add(service)
        except IntegrityError:
            raise taken from None
        self._publish(service, "created")
        return service_id

    async def edit(self, actor: Actor, service_id: str, body: Any) -> None:
        """Raises Forbidden, ValidationFailed, ServiceNotFound."""
        _administrator(actor)
        try:
            given = EndpointFields.model_validate(body).given()
        except ValidationError as problem:
            raise ValidationFailed({
                ".".join(map(str, one["loc"])) or "body": one["msg"].removeprefix("Value error, ")
                for one in problem.errors(include_input=False)
            }) from None  # fmt: skip
        async with self._database.write() as session:
            service = await store.get_service(session, actor, service_id)
            service.endpoint = {**(service.endpoint or {}), **given}
            service.desired, service.status = _desired(service.endpoint), _status(service.endpoint)
            service.updated_at = self._clock.now()
        self._publish(service, "changed")

    async def delete(self, actor: Actor, service_id: str) -> None:
        """Raises Forbidden, ServiceNotFound."""
        _administrator(actor)
        async with self._database.write() as session:
            service = await store.get_service(session, actor, service_id)
            await store.delete_rows(session, ServiceRow, [service.id])
        self._publish(service, "deleted")

    async def health(self, actor: Actor, service_id: str) -> dict[str, Any]:
        """Whether it answers now: by its greeting, an HTTP status below 500, or an accepted connection. At most 5 s."""
        async with self._database.read() as session:
            service = await store.get_service(session, actor, service_id)
        own = service.endpoint or {}
        begun = self._clock.monotonic()
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                message = await self._probe(own)
            healthy = True
        except TimeoutError:
            healthy, message = False, f"no answer within {HEALTH_SECONDS:g} s"
        except Problem as problem:  # names the address: not for everybody
            healthy, message = False, problem.message if actor.administers else "it may not be reached from here"
        except (OSError, ValueError, asyncio.IncompleteReadError):
            healthy, message = False, "it does not answer"
        except _Unwell as unwell:
            healthy, message = False, str(unwell)
        latency = round((self._clock.monotonic() - begun) * 1000, 1)
        return report(service.name, "healthy" if healthy else "unhealthy", message, latency if healthy else None)

    async def _probe(self, own: Mapping[str, Any]) -> str:
        plugin, host, port = own["plugin"], own["host"], own["port"]
        address = (await self._guard.resolve(host, port))[0]
        secure = own.get("tls_enabled", plugin == "https") and plugin in _WEB
        context = _any_certificate() if secure else None
        reader, writer = await asyncio.open_connection(
            address, port, ssl=context, server_hostname=host if context else None, limit=4096
        )
        try:
            if plugin in _WEB:
                head = f"HEAD {own.get('path') or '/'} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
                writer.write(head.encode("ascii", errors="ignore"))
                words = (await reader.readline()).split()
                if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
                    raise _Unwell("it answers, but not as a web server does")
                if int(words[1][:4]) >= 500:
                    raise _Unwell(f"it answers with status {int(words[1][:4])}")
                return f"it answers with status {int(words[1][:4])}"
            greeting = _GREETINGS.get(plugin)
            if greeting is not None and await reader.readexactly(len(greeting)) != greeting:
                raise _Unwell(f"it answers, but not as {plugin} does")
            return "it accepts connections" if greeting is None else f"it answers as {plugin} does"
        finally:
            writer.close()

    def _publish(self, service: ServiceRow, action: Any) -> None:
        """Tabs of anybody may hear this: it says that something changed and not what."""
        if service.status != "running" or service.desired != "running":
            action = "deleted"  # for all but administrators, who ask again
        data = {"id": service.id, "name": service.name, "kind": KIND} if action != "deleted" else {"id": service.id}
        self._bus.publish(Change("endpoint", action, service.id, data, service.customer_id))


class _Unwell(Exception):
    """It answers, and wrongly; the message says how."""


def report(name: str, status: str, message: str, latency: float | None) -> dict[str, Any]:
    """The body of `GET …/health`, for every kind of service."""
    return {
        "healthy": status == "healthy",
        "latency_ms": latency,
        "message": message,
        "status": status,
        "service": name,
        "output": message,
    }


def _administrator(actor: Actor) -> None:
    if not actor.administers:
        raise Forbidden("Only administrators of the portal add or change endpoints.")


def _desired(own: Mapping[str, Any]) -> str:
    """`scoped`: for those only who have one of its scopes."""
    return "scoped" if own.get("scopes") else "running"


def _status(own: Mapping[str, Any]) -> str:
    return "running" if own.get("enabled", True) else "stopped"


def _any_certificate() -> ssl.SSLContext:
    """Nothing secret is sent: whether it answers is all that is asked, and home servers sign their own certificates."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
