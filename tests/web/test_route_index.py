"""The index asks few routes, and never leaves out one that would have matched."""

from __future__ import annotations

import re
from collections.abc import Sequence

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute, Match

from homeport.portal import unopened
from homeport.web.route_index import RouteIndex

OTHER_PATHS = (
    "",
    "/",
    "//",
    "/api",
    "/api/",
    "/api//",
    "//api/services",
    "/admin/",
    "/admin//x",
    "/assets/a.js",
    "/a/b/c/d",
)


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return unopened()


def matching(routes: Sequence[BaseRoute], path: str, kind: str) -> list[tuple[BaseRoute, Match]]:
    scope = {"type": kind, "path": path, "method": "GET", "headers": []}
    found = [(route, route.matches(dict(scope))[0]) for route in routes]
    return [(route, match) for route, match in found if match is not Match.NONE]


def paths_of(app: FastAPI) -> list[str]:
    """Paths that a route is for, with one segment for a parameter, and with several; with a slash at the end, too."""
    found = list(OTHER_PATHS)
    for route in app.routes:
        written = getattr(route, "path_format", "/")
        for value in ("x", "x/y/z", "", "api"):
            path = re.sub(r"{\w+}", value, written)
            found += [path, path + "/", path + "/more"]
    return list(dict.fromkeys(found))


def test_every_route_that_matches_is_asked_in_its_order(app: FastAPI) -> None:
    index = RouteIndex(app.router)
    for path in paths_of(app):
        for kind in ("http", "websocket"):
            assert matching(index.routes_for(path), path, kind) == matching(app.routes, path, kind), path


def test_few_routes_are_asked(app: FastAPI) -> None:
    index = RouteIndex(app.router)
    assert len(index.routes_for("/api/portal")) < 5
    assert len(index.routes_for("/assets/index.js")) < 5
    assert max(len(index.routes_for(path)) for path in paths_of(app)) < len(app.routes) / 4


async def test_the_first_route_wins_wherever_its_path_is_fixed() -> None:
    inner, app = APIRouter(), FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/{kind}/first")
    async def by_parameter(kind: str) -> str:
        return f"parameter {kind}"

    @app.get("/api/first")
    async def by_name() -> str:
        return "name"

    @app.get("/api/{rest:path}")
    async def by_rest(rest: str) -> str:
        return f"rest {rest}"

    @inner.post("/api/second")
    async def of_another_router() -> str:
        return "another"

    app.include_router(inner)
    app.router.middleware_stack = RouteIndex(app.router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        assert (await client.get("/api/first")).json() == "parameter api"
        assert (await client.get("/other/first")).json() == "parameter other"
        assert (await client.get("/api/second")).json() == "rest second"
        assert (await client.post("/api/second")).json() == "another"
        assert (await client.post("/api/first")).status_code == 405
        assert (await client.get("/nothing")).status_code == 404


async def test_a_route_that_comes_later_is_asked_too() -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.router.middleware_stack = RouteIndex(app.router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        assert (await client.get("/api/late")).status_code == 404

        @app.get("/api/late")
        async def late() -> str:
            return "late"

        assert (await client.get("/api/late")).json() == "late"
