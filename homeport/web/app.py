"""The ASGI application: every part's routes in one house, with one set of rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from homeport import __version__
from homeport.identity import Identity
from homeport.kit.routes import Router, operation_id
from homeport.relay.envelope import LARGE_BODIES
from homeport.web import docs, errors
from homeport.web.assets import Assets, find_ui
from homeport.web.permissions import check_all_declared
from homeport.web.route_index import RouteIndex
from homeport.web.shell import Shell
from homeport.web.trail import Trail

STREAMED_UPLOADS = frozenset({"/api/uploads"}) | LARGE_BODIES
_GZIP_FROM_BYTES = 1024
_GZIP_LEVEL = 4  # half the time of the default for a tenth more bytes
# A stream's lines must not wait in a compressor.
_NEVER_GZIPPED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/x-ndjson", "application/octet-stream", "text/plain")


def create_app(
    *,
    identity: Identity,
    routers: Sequence[APIRouter],
    base_url: Callable[[], str],
    ui: Path | None = None,
    page_head: Callable[[], str] = lambda: "",
    streamed_uploads: frozenset[str] = STREAMED_UPLOADS,
) -> FastAPI:
    """All routes of the portal. Raises PermissionUndeclared when one says nothing about who may use it.

    `routers` are the parts' own, already bound to them. `streamed_uploads` are paths whose bodies the shell does not
    limit. `page_head` is data for the head of the UI's page. The lifespan is not used: the composition root opens and
    closes the parts.
    """
    app = _Portal(
        title="Homeport",
        version=__version__,
        description="One portal for everything you run.",
        openapi_url=None,  # web/docs.py serves it, and its readers
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        strict_content_type=False,
        generate_unique_id_function=operation_id,
    )
    app.state.identity = identity
    for router in (*routers, docs.routes(app)):
        if isinstance(router, Router):
            app.router.routes.extend(router.routes)
        else:
            app.include_router(router)
    check_all_declared(app.routes)
    app.router.default = Assets(ui or find_ui(), page_head)
    app.router.middleware_stack = RouteIndex(app.router)
    errors.install(app)
    app.add_middleware(
        GZipMiddleware,
        minimum_size=_GZIP_FROM_BYTES,
        compresslevel=_GZIP_LEVEL,
        exclude_content_types=_NEVER_GZIPPED,
    )
    app.add_middleware(Shell, base_url=base_url, unbounded=streamed_uploads)
    app.add_middleware(Trail, identity=identity)
    return app


class _Portal(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Made once, when first asked for."""
        if self.openapi_schema is None:
            self.openapi_schema = docs.document(self)
        return self.openapi_schema
