"""Which routes a path can be for: those that begin as it does. To ask all of them took half of a plain call's time."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send


class RouteIndex:
    """Stands for `router`: asks for each request only some of its routes, in their order.

    A route is asked for the paths that have its first two segments, or for every path if these are not fixed.
    """

    def __init__(self, router: APIRouter) -> None:
        self._router = router
        self._known = -1  # routes when the parts were made

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["router"] = self._router
        await self._part_for(scope["path"]).app(scope, receive, send)

    def routes_for(self, path: str) -> Sequence[BaseRoute]:
        """Those that are asked for it."""
        return self._part_for(path).routes

    def _part_for(self, path: str) -> APIRouter:
        if len(self._router.routes) != self._known:
            self._make_parts()
        return self._parts.get(_beginning(path), self._rest)

    def _make_parts(self) -> None:
        routes = self._router.routes
        beginnings = {beginning for route in routes if (beginning := _beginning_of(route)) is not None}
        self._parts = {beginning: self._part({beginning, None}) for beginning in beginnings}
        self._rest = self._part({None})
        self._known = len(routes)

    def _part(self, beginnings: set[str | None]) -> APIRouter:
        routes = [route for route in self._router.routes if _beginning_of(route) in beginnings]
        return APIRouter(routes=routes, default=self._router.default, redirect_slashes=self._router.redirect_slashes)


def _beginning_of(route: BaseRoute) -> str | None:
    """None where a parameter stands in it, and for a router that was included as a whole."""
    path: str | None = getattr(route, "path_format", None)
    return None if path is None or "{" in _beginning(path) else _beginning(path)


def _beginning(path: str) -> str:
    """Two segments; a slash at the end makes no difference, since some routes take it."""
    return "/".join(path.split("/", 3)[:3]).rstrip("/")
