"""GET /api/portal: where this portal is, for clients and for the page that explains how to trust it."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import FileResponse

from homeport import __version__
from homeport.identity import Verb
from homeport.identity.guard import require
from homeport.kit.problems import NotFound
from homeport.kit.routes import Router


@dataclass(frozen=True)
class Place:
    """`port` is the one really listened on; `ca_path` is None with certificates of a public authority."""

    domain: str
    base_url: str
    port: int
    ca_path: str | None = None


class Portal(BaseModel):
    version: str
    domain: str
    base_url: str
    port: int
    app_domain: str
    ca_path: str | None


def routes(place: Place) -> APIRouter:
    router = Router(tags=["portal"])

    @router.get("/ca.pem", dependencies=[require(Verb.PUBLIC)], response_class=FileResponse)
    async def get_ca() -> FileResponse:
        """The certificate of this portal's own authority (PEM), for a device that is about to trust it."""
        if place.ca_path is None:
            raise NotFound("This portal's certificates come from a public authority.")
        return FileResponse(place.ca_path, media_type="application/x-pem-file", filename="homeport-ca.pem")

    @router.get("/api/portal", dependencies=[require(Verb.ACCOUNT_SELF)])
    async def get_portal() -> Portal:
        """This portal's address and version. An app lives at `<name>.<app_domain>`."""
        return Portal(
            version=__version__,
            domain=place.domain,
            base_url=place.base_url,
            port=place.port,
            app_domain=place.domain,
            ca_path=place.ca_path,
        )

    return router
