"""POST /api/services/{ref}/{action}: start, stop, restart and reload of units and apps, and the refusal of all else."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response

from homeport.identity import Actor, Verb
from homeport.identity.guard import CurrentActor, require
from homeport.kit.problems import NotFound
from homeport.kit.routes import Router
from homeport.services import schemas
from homeport.services.http import answers, reply
from homeport.services.parts import Services
from homeport.services.unit_door import SERVICE_ID
from homeport.services.units.problems import InvalidAction

WRITE = require(Verb.SERVICES_WRITE)


def router(services: Services) -> APIRouter:
    """A name means a unit first, then an app (seed 000). No body is read."""
    routes = Router(tags=["apps"])
    catalogue, lifecycle, units = services.catalogue, services.lifecycle, services.units

    async def act(actor: Actor, ref: str, action: Literal["start", "stop", "restart", "reload"]) -> Response:
        # A caller that hangs up does not leave a service between two states.
        if unit := units.find(actor, ref):
            return reply(await services.finish(units.act(actor, unit, action), f"{action} {unit}"))
        if action == "reload" or not ref.startswith(SERVICE_ID):
            service_id = await units.app(ref, lambda: catalogue.service_id(actor, ref))
            if action == "reload":
                raise InvalidAction
            ref = service_id
        return reply(await services.finish(lifecycle.act(actor, ref, action), f"{action} {ref[:80]}"))

    @routes.post("/api/services/{ref}/start", dependencies=[WRITE], **answers(schemas.ActionOut))
    async def start_service(actor: CurrentActor, ref: str) -> Response:
        """Start it; answers with the final status. Fine when it runs already."""
        return await act(actor, ref, "start")

    @routes.post("/api/services/{ref}/stop", dependencies=[WRITE], **answers(schemas.ActionOut))
    async def stop_service(actor: CurrentActor, ref: str) -> Response:
        """Stop it; it stays stopped, also over a restart of the portal."""
        return await act(actor, ref, "stop")

    @routes.post("/api/services/{ref}/restart", dependencies=[WRITE], **answers(schemas.ActionOut))
    async def restart_service(actor: CurrentActor, ref: str) -> Response:
        """Stop and start the live release."""
        return await act(actor, ref, "restart")

    @routes.post("/api/services/{ref}/reload", dependencies=[WRITE], **answers(schemas.ActionOut))
    async def reload_service(actor: CurrentActor, ref: str) -> Response:
        """Make a unit read its configuration again; an app has no such action."""
        return await act(actor, ref, "reload")

    return routes


def refusals(services: Services) -> APIRouter:
    """Actions that there are not (seed 000). To be included last: it answers what no other route does."""
    routes = Router(include_in_schema=False)

    @routes.post("/api/services/{ref}/{action}", dependencies=[WRITE])
    @routes.post("/api/services//{action}", dependencies=[WRITE])
    async def refuse_action(actor: CurrentActor, ref: str = "", action: str = "") -> Response:  # noqa: ARG001
        """Unknown service, or else invalid action."""
        if not services.units.find(actor, ref):
            await services.units.app(ref, lambda: services.catalogue.service_id(actor, ref))
        raise InvalidAction

    @routes.get("/api/services/{ref}/{action}", dependencies=[require(Verb.SERVICES_READ)])
    async def refuse_path(ref: str, action: str) -> Response:
        """What can only be posted, or is not there at all, cannot be got: a 404, as seed 000 has it."""
        raise NotFound(f"There is nothing at /api/services/{ref[:80]}/{action[:80]}.")

    return routes
