"""No route without a declared permission: checked once, when the app is made."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import BaseRoute

from homeport.identity import Verb
from homeport.identity.guard import guards_of
from homeport.identity.problems import PermissionUndeclared


def check_all_declared(routes: Sequence[BaseRoute]) -> None:
    """Raises PermissionUndeclared, naming each HTTP or WebSocket route that does not `require` exactly one verb."""
    bare = [describe(route) for route in iter_route_contexts(routes) if len(guards_of(route)) != 1]
    if bare:
        raise PermissionUndeclared(f"each route needs exactly one require(verb): {', '.join(sorted(bare))}")


def verb_of(route: RouteContext) -> Verb:
    """The verb that a checked route declares."""
    return guards_of(route)[0].verb


def describe(route: RouteContext) -> str:
    """`POST /api/services`, or `WS /api/live`."""
    methods = " ".join(sorted(route.methods)) if route.methods else "WS"
    return f"{methods} {route.path or route.original_route!r}"
