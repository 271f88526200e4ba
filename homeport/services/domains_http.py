"""Routes of a service's own domains."""

from __future__ import annotations

from fastapi import APIRouter, Response

from homeport.identity.guard import CurrentActor
from homeport.kit.routes import Router
from homeport.services import schemas
from homeport.services.http import DEPLOY, READ, answers, reply
from homeport.services.parts import Services


def router(services: Services) -> APIRouter:
    """All routes, bound to the part that serves them."""
    routes = Router(prefix="/api/services/{ref}/domains", tags=["apps"])
    domains = services.domains

    @routes.get("", dependencies=[READ], **answers(schemas.DomainsOut))
    async def list_domains(actor: CurrentActor, ref: str) -> Response:
        """The service's own domains, and how each is proven."""
        return reply(await domains.list(actor, ref))

    @routes.post("", dependencies=[DEPLOY], **answers(schemas.DomainOut, 201))
    async def add_domain(actor: CurrentActor, ref: str, wanted: schemas.DomainIn) -> Response:
        """Ask for a domain. It waits until a TXT record or a file proves that it is yours."""
        return reply(await domains.add(actor, ref, wanted.domain), 201)

    @routes.post("/{domain}/verify", dependencies=[DEPLOY], **answers(schemas.DomainOut))
    async def verify_domain(actor: CurrentActor, ref: str, domain: str) -> Response:
        """Look for the proof; once it is found, the domain leads to the service."""
        return reply(await domains.verify(actor, ref, domain))

    @routes.delete("/{domain}", dependencies=[DEPLOY], status_code=204)
    async def remove_domain(actor: CurrentActor, ref: str, domain: str) -> Response:
        """The domain leads nowhere from now on."""
        await domains.remove(actor, ref, domain)
        return Response(status_code=204)

    return routes
