"""GET /api/portal: where this portal is, for clients and for the page that explains how to trust it."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from pydantic import BaseModel

from homeport import __version__
from homeport.identity import Verb
from homeport.identity.http import require


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
    router = APIRouter(prefix="/api", tags=["portal"])

    @router.get("/portal", dependencies=[require(Verb.ACCOUNT_SELF)])
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
