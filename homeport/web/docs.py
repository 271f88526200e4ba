"""The API's document and its two readers, /docs and /redoc; every asset comes from this portal."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from starlette.responses import HTMLResponse, Response

from homeport.identity import COOKIE, Verb
from homeport.identity.guard import require
from homeport.kit.routes import Router
from homeport.web.permissions import verb_of

_SWAGGER = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Homeport API</title><link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/vendor/swagger-ui/swagger-ui.css"></head>
<body style="margin:0"><div id="swagger-ui"></div>
<script src="/vendor/swagger-ui/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>
"""
_SWAGGER_START = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, docExpansion: "none", validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis], layout: "BaseLayout"
});
"""
_REDOC = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Homeport API</title><link rel="icon" href="/favicon.svg" type="image/svg+xml"></head>
<body style="margin:0"><redoc spec-url="/openapi.json" disable-google-font="true"></redoc>
<script src="/vendor/redoc/redoc.standalone.js"></script></body></html>
"""
# Both readers write style elements and data: images; Redoc searches in a worker made from a blob.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_ERROR = {
    "type": "object",
    "required": ["error", "code", "status", "message", "details"],
    "properties": {
        "error": {"type": "string", "description": "One sentence: what happened, and what you can do."},
        "code": {"type": "string", "description": "A stable word for programs."},
        "status": {"type": "integer"},
        "message": {"type": "string", "description": "The same sentence."},
        "details": {"type": ["object", "null"], "additionalProperties": True},
    },
}


def routes(app: FastAPI) -> APIRouter:
    """/openapi.json, /docs (F01) and /redoc (F02)."""
    router = Router(include_in_schema=False, dependencies=[require(Verb.PUBLIC)])

    @router.get("/openapi.json")
    async def openapi_document() -> Response:
        return Response(orjson.dumps(app.openapi()), media_type="application/json")

    @router.get("/docs")
    async def docs_page() -> Response:
        return HTMLResponse(_SWAGGER, headers={"content-security-policy": _POLICY})

    @router.get("/docs/start.js")
    async def docs_start() -> Response:
        return Response(_SWAGGER_START, media_type="text/javascript")

    @router.get("/redoc")
    async def redoc_page() -> Response:
        return HTMLResponse(_REDOC, headers={"content-security-policy": _POLICY})

    return router


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document: FastAPI's, with the ways to sign in, the verb each call needs, and the one error body."""
    made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    components = made.setdefault("components", {})
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "A session's token or an API key."},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    }
    schemas = components.setdefault("schemas", {})
    schemas["Error"] = _ERROR
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    failed = {
        "description": "What went wrong",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for route in iter_route_contexts(app.routes):
        for method in route.methods or ():
            operation = made["paths"].get(route.path_format, {}).get(method.lower())
            if operation is None:
                continue
            verb = verb_of(route)
            operation["x-permission"] = verb.value
            operation["security"] = [] if verb is Verb.PUBLIC else [{"bearer": []}, {"session": []}]
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = failed
    return made
