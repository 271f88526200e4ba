"""Changing and deleting one service: an app, or an endpoint."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from homeport.identity.guard import CurrentActor
from homeport.kit.routes import Router
from homeport.services import schemas
from homeport.services.http import DEPLOY, answers, reply
from homeport.services.parts import Services


def router(services: Services) -> APIRouter:
    routes = Router(tags=["apps"])
    catalogue, lifecycle, endpoints = services.catalogue, services.lifecycle, services.endpoints

    @routes.patch("/api/services/{ref}", dependencies=[DEPLOY], **answers(schemas.ServiceDetailOut))
    async def edit_service(request: Request, actor: CurrentActor, ref: str, patch: schemas.PatchService) -> Response:
        """Change variables, limits, probe or branch; they count from the next deploy on. Of an endpoint: its fields."""
        if found := await endpoints.find(actor, ref):
            await endpoints.edit(actor, found, await request.json())
            return reply(await catalogue.detail(actor, found))
        return reply(await catalogue.edit(actor, ref, patch))

    @routes.delete("/api/services/{ref}", dependencies=[DEPLOY], status_code=204)
    async def delete_service(actor: CurrentActor, ref: str) -> Response:
        """Stop it and remove everything that it has: releases, data, logs. A deploy under way is cancelled first."""
        if found := await endpoints.find(actor, ref):
            await services.finish(endpoints.delete(actor, found), f"delete {ref[:80]}")
            return Response(status_code=204)
        await services.finish(lifecycle.delete(actor, ref), f"delete {ref[:80]}")
        return Response(status_code=204)

    return routes
