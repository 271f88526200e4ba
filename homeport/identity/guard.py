"""What every route needs: `require(verb)`, `CurrentActor` (who asks), `CurrentCall` (what is known of the request)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from homeport.identity import Identity
from homeport.identity.access import ANONYMOUS, BEFORE_SET_UP, NEEDS, Actor, Verb, allowed
from homeport.identity.audit import Act
from homeport.identity.client_address import network_of
from homeport.identity.origin import SAFE_METHODS
from homeport.identity.problems import (
    CapabilityInsufficient,
    Forbidden,
    ScopeInsufficient,
    Unauthenticated,
)
from homeport.identity.rate_limits import Taken

CALL = "homeport.call"  # where the call lies in the ASGI scope
Rate = Literal["api", "auth", "none"]


@dataclass
class Call:
    """One request or WebSocket: who asks, by what (`bearer`, `query`, `ticket`, `wallet`, `certificate`, `cookie`,
    `open`, `none`), from where; its place in the rate limit; and the act to be recorded, if it may change something."""

    address: str
    actor: Actor = ANONYMOUS
    via: str = "none"
    taken: Taken | None = None
    act: Act | None = None
    admits: bool = False  # whether the route lets somebody in: then it matters who was refused, known or not

    def concerns(self, target_type: str, target_id: str, **details: Any) -> None:
        """Say in the audit record what the act was done to, where the path does not, and what else matters of it."""
        if self.act is not None:
            self.act.target_type, self.act.target_id = target_type, target_id
            self.act.details.update(details)

    def by(self, actor: Actor) -> None:
        """Say who acts, where the credential only came with the request: signing in, registering."""
        self.actor = actor
        if self.act is not None:
            self.act.actor = actor
            self.act.credential = actor.credential_id or "none"
            self.act.customer_id = actor.customer_id


def identity_of(connection: HTTPConnection) -> Identity:
    """The portal's Identity; web/app.py puts it into the application's state."""
    return cast(Identity, connection.app.state.identity)


class Guard:
    """Asked before a route's handler: who, set-up complete, not too often, allowed. In the order of spec/host.md A.0.

    `changes`: whether using the route is an act that the audit log records; by default unsafe methods are. `action` is
    its name there, by default the route's. `rate`: which limit counts. `certificate`: whether a client
    certificate has to come along where they are asked for.
    """

    def __init__(
        self,
        verb: Verb,
        *,
        changes: bool | None = None,
        action: str | None = None,
        rate: Rate = "api",
        certificate: bool = True,
    ) -> None:
        self.verb = verb
        self.changes = changes
        self.action = action
        self.rate: Rate = rate
        self.certificate = certificate

    async def __call__(self, connection: HTTPConnection) -> None:
        identity = identity_of(connection)
        call = Call(identity.proxies.client_of(connection))
        call.admits = self.rate == "auth"
        connection.scope[CALL] = call
        if self._is_act(connection):
            call.act = self._act(connection, call)
        if self.certificate:
            await identity.certificates.admission.admit(connection)
        if self.verb is not Verb.PUBLIC:
            try:
                actor, call.via = await identity.authenticate(connection)
            except Unauthenticated:
                if self.verb not in BEFORE_SET_UP:
                    await identity.onboarding.require_complete()  # before that, nobody has anything to present
                await self._count_refused(identity, call)
                raise
            call.by(actor)
        if self.verb not in BEFORE_SET_UP:
            await identity.onboarding.require_complete()
        await self._count(identity, connection, call)
        if not allowed(call.actor, self.verb):
            raise refusal(call.actor, self.verb)

    def _is_act(self, connection: HTTPConnection) -> bool:
        if self.changes is None:
            return connection.scope["type"] == "http" and connection.scope["method"] not in SAFE_METHODS
        return self.changes

    def _act(self, connection: HTTPConnection, call: Call) -> Act:
        route = connection.scope.get("route")
        name = self.action or str(getattr(route, "name", "")) or "unknown"
        given = connection.scope.get("path_params") or {}
        kind = ""
        if given:
            before = str(getattr(route, "path", "")).partition("{")[0].rstrip("/").rpartition("/")[2]
            kind = before.removesuffix("s")
        return Act(
            name, ANONYMOUS, address=call.address, target_type=kind, target_id=str(next(iter(given.values()), ""))
        )

    async def _count(self, identity: Identity, connection: HTTPConnection, call: Call) -> None:
        if self.rate == "none":
            return
        settings, actor = identity.settings, call.actor
        if self.rate == "auth":
            who, limit = f"auth:{network_of(call.address)}", settings.rate_limit_auth
        else:
            pages = call.via in {"cookie", "open", "wallet"} or (call.via == "certificate" and actor.kind == "user")
            limit = settings.rate_limit_pages if pages else settings.rate_limit_api
            if actor.kind == "anonymous":
                who = f"api:{network_of(call.address)}"
            elif actor.kind == "user":  # by whatever way: the same person has one window for pages and one for the rest
                who = f"{'pages' if pages else 'api'}:{actor.id}"
            else:
                who = f"api:{actor.credential_id}"
                limit = _rate_of(actor, limit)
        if limit:
            call.taken = await identity.rate_limits.take(who, limit)
        if connection.scope["type"] == "websocket":
            identity.sockets.refuse_too_many(actor)

    @staticmethod
    async def _count_refused(identity: Identity, call: Call) -> None:
        """Whoever presents what is no good is somebody too: an address, so long as nobody is known."""
        if limit := identity.settings.rate_limit_pages:
            call.taken = await identity.rate_limits.take(f"refused:{network_of(call.address)}", limit)


def _rate_of(actor: Actor, usual: int) -> int:
    """Requests a minute of a key. People may slow their own keys down; only administrators may make them faster."""
    if actor.rate is None:
        return usual
    return actor.rate if actor.role.is_admin or not usual else min(actor.rate, usual)


def refusal(actor: Actor, verb: Verb) -> Exception:
    """Why this actor may not: in the words of seed 000 for machines, in ours for people."""
    need = NEEDS[verb]
    if actor.kind == "agent":
        if need.person or need.least.rank > actor.role.rank or need.portal:
            return ScopeInsufficient("agent")
        return CapabilityInsufficient(need.scope or "", actor.held)
    missing = need.scope is not None and not actor.grants(need.scope)
    reason = f"your scopes do not include {need.scope}" if missing else f"your role is {actor.role}"
    return Forbidden(
        f"You may not do this: {reason}.",
        details={"required": verb, "scope": need.scope, "role": actor.role, "least_role": need.least},
    )


def require(
    verb: Verb,
    *,
    changes: bool | None = None,
    action: str | None = None,
    rate: Rate = "api",
    certificate: bool = True,
) -> Any:
    """Declares what a route does: `@router.get(path, dependencies=[require(Verb.SERVICES_READ)])`, WebSockets too.

    The arguments are Guard's.
    """
    return Depends(Guard(verb, changes=changes, action=action, rate=rate, certificate=certificate))


def guards_of(route: Any) -> list[Guard]:
    """What a route (or a route's context) requires, its own and what its routers add."""
    declared = (dependency.dependency for dependency in getattr(route, "dependencies", None) or ())
    return [guard for guard in declared if isinstance(guard, Guard)]


async def _current_call(connection: HTTPConnection) -> Call:
    return cast(Call, connection.scope[CALL])


async def _current_actor(connection: HTTPConnection) -> Actor:
    return cast(Call, connection.scope[CALL]).actor


CurrentCall = Annotated[Call, Depends(_current_call)]
CurrentActor = Annotated[Actor, Depends(_current_actor)]
