"""Every kind of caller that the permission matrix knows: what it presents, and what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import BaseRoute

from homeport.identity.access import ANONYMOUS, EVERYTHING, SCOPE_SETS, Actor, Role, Verb, allowed
from homeport.web.permissions import verb_of

CUSTOMER = "cust_matrix"


@dataclass(frozen=True)
class Caller:
    """`presents`: nothing, a token that nobody issued, the session of somebody banned, a session, a key, or a client
    certificate. `scopes` are the person's (or the machine's) own, `within` the credential's."""

    name: str
    words: str
    presents: Literal["nothing", "forged", "banned", "session", "key", "certificate"]
    role: Role = Role.USER
    scopes: tuple[str, ...] | None = None
    within: tuple[str, ...] = EVERYTHING
    customer_id: str | None = None

    @property
    def actor(self) -> Actor:
        """Whom the portal should see."""
        if self.presents in {"nothing", "forged", "banned"}:
            return ANONYMOUS
        kind: Literal["user", "key", "agent"] = "user"
        if self.presents == "key":
            kind = "key"
        elif self.presents == "certificate":
            kind = "agent"
        return Actor(
            "usr_0", kind, self.name, self.role, self.customer_id, "ses_0", scopes=self.scopes, within=self.within
        )


CALLERS = (
    Caller("nobody", "no credential", "nothing"),
    Caller("forged", "a token that nobody issued", "forged"),
    Caller("banned", "the session of an administrator who was banned", "banned", Role.ADMIN),
    Caller("user", "a person's session", "session"),
    Caller("moderator", "a moderator's session", "session", Role.MODERATOR),
    Caller("admin", "an administrator's session", "session", Role.ADMIN),
    Caller("superadmin", "the first administrator's session", "session", Role.SUPERADMIN),
    Caller("viewer", "a person with the scopes of the fleet's viewer", "session", scopes=SCOPE_SETS["viewer"]),
    Caller("operator", "a person with the scopes of the fleet's operator", "session", scopes=SCOPE_SETS["operator"]),
    Caller("deployer", "a person with the scopes of the fleet's deployer", "session", scopes=SCOPE_SETS["deployer"]),
    Caller("customer", "a person of a customer", "session", customer_id=CUSTOMER),
    Caller("customer_admin", "an administrator who belongs to a customer", "session", Role.ADMIN, customer_id=CUSTOMER),
    Caller("reading_key", "an administrator's key for services:read", "key", Role.ADMIN, within=("services:read",)),
    Caller("users_key", "a person's key for everything", "key"),
    Caller("reading_agent", "a certificate with services:read", "certificate", scopes=("services:read",)),
    Caller("writing_agent", "a certificate with services:write", "certificate", scopes=("services:write",)),
)


@dataclass(frozen=True)
class GuardedRoute:
    """One row of the matrix: a method (WS for a WebSocket) of a path, and the verb that it declares."""

    method: str
    path: str
    verb: Verb


def guarded_routes(routes: Sequence[BaseRoute]) -> list[GuardedRoute]:
    """Every route of an application, one row a method, in the order of path and method."""
    found = {row for route in iter_route_contexts(routes) for row in _rows(route)}
    return sorted(found, key=lambda row: (row.path, row.method))


def _rows(route: RouteContext) -> list[GuardedRoute]:
    methods = sorted(set(route.methods) - {"HEAD"}) if route.methods else ["WS"]
    return [GuardedRoute(method, str(route.path), verb_of(route)) for method in methods]


def expected(caller: Caller, route: GuardedRoute) -> Literal["in", "401", "403"]:
    """What the matrix says: let in, not known, or known and not allowed."""
    if allowed(caller.actor, route.verb):
        return "in"
    return "401" if caller.actor.kind == "anonymous" else "403"
