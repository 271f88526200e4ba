"""The routes of what runs, a table of contents: seed 001 and what its users need beside it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Body, Header, Query, Request, Response
from pydantic import Discriminator, Tag

from homeport.identity import Verb, allowed
from homeport.identity.guard import CurrentActor, CurrentCall, require
from homeport.identity.problems import Forbidden
from homeport.kit.clock import rfc3339
from homeport.kit.parameters import MAX_PER_PAGE, PER_PAGE, one_of, whole_number
from homeport.kit.routes import Router
from homeport.services import schemas
from homeport.services.endpoint_schemas import CreateEndpoint, kind_of
from homeport.services.jobs import job_body
from homeport.services.parts import Services
from homeport.services.requests import Once
from homeport.services.store import SORTS, ServiceFilter
from homeport.services.units.problems import InvalidAction

STATUSES = ("running", "stopped", "deploying", "failed")
JOB_STATUSES = ("queued", "running", "success", "failed", "cancelled")
MAX_TAIL = 10_000
KINDS = {"app": "app", "endpoint": "endpoint", "managed": "app", "proxy": "endpoint"}  # the last two: seed 002
CreateAny = Annotated[
    Annotated[schemas.CreateService, Tag("kind:app")] | Annotated[CreateEndpoint, Tag("kind:endpoint")],
    Discriminator(kind_of),
]

READ = require(Verb.SERVICES_READ)
WRITE = require(Verb.SERVICES_WRITE)
DEPLOY = require(Verb.SERVICES_DEPLOY)
SECRETS = require(Verb.SERVICES_SECRETS)


def reply(body: Any, status: int = 200) -> Response:
    """The body is made of plain values already: no second walk over it."""
    return Response(orjson.dumps(body), status, media_type="application/json")


def answers(model: Any, status: int = 200) -> dict[str, Any]:
    """For the OpenAPI document."""
    return {"responses": {status: {"model": model}}, "response_class": Response, "status_code": status}


def router(services: Services) -> APIRouter:
    """All routes, bound to the parts that serve them."""
    routes = Router(tags=["apps"])
    catalogue, requests, units, endpoints = services.catalogue, services.requests, services.units, services.endpoints

    @routes.get("/api/services", dependencies=[READ], **answers(schemas.ServicePageOut))
    async def list_services(
        request: Request,
        actor: CurrentActor,
        page: str | None = None,
        per_page: Annotated[str | None, Query(description="20 by default, 100 at most.")] = None,
        status: str | None = None,
        customer_id: str | None = None,
        sort: str | None = None,
        order: str | None = None,
        search: str | None = None,
        kind: Annotated[
            str | None, Query(alias="type", description="unit, app or endpoint; all when left out.")
        ] = None,
    ) -> Response:
        """One page of the services, filtered and sorted; asked without parameters, the complete directory too."""
        if kind == "unit":
            rows = await units.rows(actor)
            return reply({"data": rows, "total": len(rows), "page": 1, "per_page": max(len(rows), 1)})
        if not request.query_params:
            found = await catalogue.directory(actor, PER_PAGE)
            return reply({**found, "services": [*await units.rows(actor), *found["services"]]})
        wanted = ServiceFilter(
            status=one_of(status, "status", STATUSES),
            customer_id=customer_id,
            search=search,
            kind=KINDS.get(one_of(kind, "type", ("unit", *KINDS)) or ""),
            sort=one_of(sort, "sort", SORTS) or "created_at",
            order=one_of(order, "order", ("asc", "desc")) or "desc",
        )
        number = whole_number(page, "page", 1, highest=1_000_000)
        size = whole_number(per_page, "per_page", PER_PAGE, highest=MAX_PER_PAGE)
        return reply((await catalogue.page(actor, wanted, number, size)).body())

    @routes.post("/api/services", dependencies=[DEPLOY], **answers(schemas.CreatedOut, 201))
    async def create_service(
        request: Request,
        actor: CurrentActor,
        call: CurrentCall,
        wanted: CreateAny,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Create a service and deploy it: from a template, git, a compose text, a repository that the portal looks
        at itself, or an upload. Answers at once. With "kind": "endpoint": something that runs elsewhere."""
        call.concerns("service", wanted.name or "", deploy_method=getattr(wanted, "deploy_method", "endpoint"))
        if isinstance(wanted, CreateEndpoint):
            return reply(await catalogue.detail(actor, await endpoints.create(actor, wanted)), 201)
        if wanted.preview and wanted.deploy_method == "ai":
            call.act = None  # it was only looked at
            return reply(await requests.preview(wanted))
        once = Once.of(actor, idempotency_key, "create", await request.body())
        return reply(await requests.create(actor, wanted, once), 201)

    @routes.get("/api/services/{ref}", dependencies=[READ], **answers(schemas.ServiceDetailOut))
    async def get_service(actor: CurrentActor, ref: str) -> Response:
        """One service in full, by id or name. Secrets are masked."""
        if unit := units.find(actor, ref):
            return reply(await units.row(unit))
        return reply(await catalogue.detail(actor, ref))

    @routes.post("/api/services/{ref}/redeploy", dependencies=[DEPLOY], **answers(schemas.DeployOut))
    async def redeploy_service(
        request: Request,
        actor: CurrentActor,
        ref: str,
        wanted: Annotated[schemas.Redeploy | None, Body()] = None,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Deploy the newest version of its source (or a new upload) with the variables as they are now."""
        if units.find(actor, ref):
            raise InvalidAction
        once = Once.of(actor, idempotency_key, "redeploy", ref, await request.body())
        return reply(await requests.redeploy(actor, ref, wanted or schemas.Redeploy(), once))

    @routes.post("/api/services/{ref}/rollback", dependencies=[DEPLOY], **answers(schemas.DeployOut))
    async def rollback_service(
        request: Request,
        actor: CurrentActor,
        ref: str,
        wanted: Annotated[schemas.Rollback | None, Body()] = None,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Bring an earlier release back: its revision, build, variables, limits and routes together."""
        if units.find(actor, ref):
            raise InvalidAction
        once = Once.of(actor, idempotency_key, "rollback", ref, await request.body())
        return reply(await requests.rollback(actor, ref, wanted or schemas.Rollback(), once))

    @routes.get("/api/services/{ref}/events", dependencies=[READ], **answers(schemas.EventPageOut))
    async def list_service_events(
        actor: CurrentActor, ref: str, page: str | None = None, per_page: str | None = None
    ) -> Response:
        """The service's timeline, oldest first; page 1 holds the newest."""
        number = whole_number(page, "page", 1, highest=1_000_000)
        size = whole_number(per_page, "per_page", MAX_PER_PAGE, highest=MAX_PER_PAGE)
        return reply((await catalogue.events(actor, ref, number, size)).body())

    @routes.get("/api/events", dependencies=[READ], **answers(schemas.RecentEventsOut))
    async def list_recent_events(actor: CurrentActor, limit: str | None = None) -> Response:
        """What happened lately over all services, newest first."""
        return reply(await catalogue.recent_events(actor, whole_number(limit, "limit", 50, highest=200)))

    @routes.get("/api/services/{ref}/releases", dependencies=[READ], **answers(schemas.ReleasesOut))
    async def list_releases(actor: CurrentActor, ref: str) -> Response:
        """The releases that are kept, newest first."""
        return reply(await catalogue.releases(actor, ref))

    @routes.get("/api/services/{ref}/variables", dependencies=[READ], **answers(schemas.VariablesOut))
    async def list_variables(actor: CurrentActor, ref: str, reveal: bool = False) -> Response:
        """The variables; secrets are masked unless revealed on purpose."""
        if reveal and not allowed(actor, Verb.SERVICES_SECRETS):
            raise Forbidden("You may not reveal secrets.")
        return reply(await catalogue.variables(actor, ref, reveal=reveal))

    @routes.get("/api/services/{ref}/metrics", dependencies=[READ], **answers(schemas.MetricsOut))
    async def get_metrics(actor: CurrentActor, ref: str, minutes: str | None = None) -> Response:
        """CPU (cores) and memory of the last minutes, a sample each five seconds."""
        return reply(await catalogue.metrics(actor, ref, whole_number(minutes, "minutes", 60, highest=60)))

    return routes


def sources_router(services: Services) -> APIRouter:
    """What is sent to be deployed, and what a deploy made of it."""
    routes = Router(tags=["apps"])

    @routes.post("/api/uploads", dependencies=[DEPLOY], **answers(schemas.UploadOut, 201))
    async def upload_source(request: Request, actor: CurrentActor) -> Response:
        """Send an archive (.tar, .tar.gz or .zip) as the body; deploy it by its id."""
        row = await services.uploads.receive(actor, request.stream())
        body = {"id": row.id, "size": row.size, "sha256": row.sha256, "expires_at": rfc3339(row.expires_at)}
        return reply(body, 201)

    @routes.get("/api/services/{ref}/containers", dependencies=[READ], **answers(schemas.ContainersOut))
    async def list_containers(actor: CurrentActor, ref: str) -> Response:
        """What runs for this service: its containers, or its process."""
        return reply(await services.catalogue.containers(actor, ref))

    return routes


def jobs_router(services: Services) -> APIRouter:
    routes = Router(tags=["jobs"])

    @routes.get("/api/jobs", dependencies=[require(Verb.JOBS_READ)], **answers(schemas.JobPageOut))
    async def list_jobs(
        actor: CurrentActor,
        service: str | None = None,
        status: str | None = None,
        page: str | None = None,
        per_page: str | None = None,
    ) -> Response:
        """Deploys, redeploys and rollbacks, newest first."""
        wanted = one_of(status, "status", JOB_STATUSES)
        number = whole_number(page, "page", 1, highest=1_000_000)
        size = whole_number(per_page, "per_page", PER_PAGE, highest=MAX_PER_PAGE)
        return reply(await services.jobs_page(actor, service, wanted, number, size))

    async def get_job(actor: CurrentActor, job_id: str) -> Response:
        """One job with its steps. Also as /api/deploy-jobs/{job_id}."""
        return reply(job_body(await services.job(actor, job_id)))

    for path in ("/api/jobs/{job_id}", "/api/deploy-jobs/{job_id}"):
        routes.add_api_route(
            path, get_job, methods=["GET"], dependencies=[require(Verb.JOBS_READ)],
            name="get_job" if "deploy" not in path else "get_deploy_job", **answers(schemas.JobOut),
        )  # fmt: skip

    @routes.post("/api/jobs/{job_id}/cancel", dependencies=[require(Verb.JOBS_WRITE)], **answers(schemas.JobOut))
    async def cancel_job(actor: CurrentActor, job_id: str) -> Response:
        """End a job; what serves goes on serving."""
        return reply(job_body(await services.deployments.cancel(actor, job_id)))

    return routes


def templates_router(services: Services) -> APIRouter:
    routes = Router(tags=["templates"])
    read = require(Verb.TEMPLATES_READ)

    @routes.get("/api/templates", dependencies=[read], **answers(schemas.TemplatesOut))
    async def list_templates(
        category: str | None = None, featured: str | None = None, search: str | None = None, sort: str | None = None
    ) -> Response:
        """The catalogue of templates."""
        chosen = one_of(featured, "featured", ("true", "false"))
        found = await asyncio.to_thread(  # the first time, it reads them all
            services.templates.list,
            category=category,
            featured=None if chosen is None else chosen == "true",
            search=search,
            sort=one_of(sort, "sort", ("name", "category", "featured")) or "featured",
        )
        rows = [template.row() for template in found]
        return reply({"data": rows, "total": len(rows)})

    @routes.get("/api/templates/{template_id}", dependencies=[read], **answers(schemas.TemplateOut))
    async def get_template(template_id: str) -> Response:
        """One template with its variables and health check."""
        return reply(services.templates.get(template_id).detail())

    @routes.get("/api/templates/{template_id}/logo", dependencies=[read], response_class=Response)
    async def get_template_logo(template_id: str) -> Response:
        """The template's logo (SVG)."""
        headers = {
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
            "Cache-Control": "max-age=3600",
        }
        return Response(services.templates.get(template_id).logo, media_type="image/svg+xml", headers=headers)

    return routes
