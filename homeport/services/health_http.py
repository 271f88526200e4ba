"""GET /api/services/{ref}/health: whether one service is well, whatever kind it is of (seeds 002 and 003)."""

from __future__ import annotations

from fastapi import APIRouter

from homeport.identity import Verb
from homeport.identity.guard import CurrentActor, require
from homeport.kit.routes import Router
from homeport.services.endpoint_schemas import HealthReportOut
from homeport.services.endpoints import report
from homeport.services.parts import Services


def router(services: Services) -> APIRouter:
    routes = Router(tags=["apps"])
    catalogue, units, endpoints = services.catalogue, services.units, services.endpoints

    @routes.get("/api/services/{ref}/health", dependencies=[require(Verb.SERVICES_READ)])
    async def get_service_health(actor: CurrentActor, ref: str) -> HealthReportOut:
        """Whether it is well. An endpoint is asked at once, for 5 s at most; of the others it is what is known."""
        if unit := units.find(actor, ref):
            status = str((await units.row(unit))["status"])
            known = {"active": "healthy", "unknown": "unknown"}.get(status, "unhealthy")
            return HealthReportOut(**report(unit, known, f"the unit is {status}", None))
        if found := await endpoints.find(actor, ref):
            return HealthReportOut(**await endpoints.health(actor, found))
        detail = await catalogue.detail(actor, ref)
        health = detail["health"]
        message = health["message"] or f"it is {detail['status']}"
        return HealthReportOut(**report(detail["name"], health["status"], message, None))

    return routes
