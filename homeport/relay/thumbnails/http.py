"""GET /thumbnail/{hostname} (R30)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from homeport.identity import Verb
from homeport.identity.guard import require
from homeport.kit.routes import Router
from homeport.relay.thumbnails.thumbnails import Thumbnails

HEADERS = {
    "cache-control": "public, max-age=300",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
}


def routes(thumbnails: Thumbnails) -> APIRouter:
    router = Router(tags=["relay"])

    # A list shows many at once, and each is only read from memory: they count in no limit.
    @router.get("/thumbnail/{hostname}", dependencies=[require(Verb.PUBLIC, changes=False, rate="none")])
    async def get_thumbnail(hostname: str) -> Response:
        """A public tunnel's picture; 404 where there is none. Asking for it makes none."""
        picture = thumbnails.at(hostname)
        if picture is None:
            return PlainTextResponse("404 page not found\n", 404)
        return Response(picture.data, media_type=picture.kind, headers=HEADERS)

    return router
