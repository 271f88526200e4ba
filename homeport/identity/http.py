"""Routes of sign-in, API keys and set-up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response

from homeport import __version__
from homeport.identity import (
    COOKIE,
    Identity,
    api_keys_http,
    audit_http,
    schemas,
    second_factors_http,
    ssh_keys_http,
)
from homeport.identity.access import EVERYTHING, Actor, Verb, verbs_of
from homeport.identity.api_keys import NewKey, shown_prefix
from homeport.identity.guard import CurrentActor, CurrentCall, require
from homeport.identity.models import ApiKey, User
from homeport.identity.scopes import role_of_scopes, scopes_of_role
from homeport.kit.problems import ValidationFailed
from homeport.settings import Settings


def routes(identity: Identity, settings: Settings) -> list[APIRouter]:
    """The routers of this part."""
    return [
        _auth(identity),
        _api_keys(identity),
        _api_keys_v1(identity),
        _portal(identity, settings),
        api_keys_http.routes(identity),
        audit_http.routes(identity),
        *second_factors_http.routes(identity),
        ssh_keys_http.routes(identity),
    ]


def _auth(identity: Identity) -> APIRouter:
    router = APIRouter(prefix="/api/auth", tags=["identity"])

    @router.post("/login", dependencies=[require(Verb.PUBLIC, action="login", rate="auth")])
    async def login(
        body: schemas.Credentials, request: Request, response: Response, call: CurrentCall
    ) -> schemas.Token:
        """Sign in. The session comes as a cookie for the browser and as a token for other clients."""
        if "origin" in request.headers:  # a page of another site must not sign its visitor in as somebody else
            identity.refuse_other_sites(request)
        call.concerns("login", body.login[:100])
        agent = request.headers.get("user-agent")
        session = await identity.sign_in(body.login, body.password, address=call.address, user_agent=agent)
        call.by(session.actor)
        max_age = int(session.lasts.total_seconds())
        response.set_cookie(COOKIE, session.token, max_age, path="/", secure=True, httponly=True, samesite="strict")
        response.headers["cache-control"] = "no-store"
        return schemas.Token(
            token=session.token, expires_at=session.actor.expires_at, user=_me(session.user, session.actor)
        )

    @router.post("/logout", dependencies=[require(Verb.ACCOUNT_SELF)])
    async def logout(actor: CurrentActor, response: Response) -> schemas.Message:
        """End this session; its token is refused from now on."""
        await identity.sign_out(actor)
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
        return schemas.Message(message="Signed out.")

    @router.get("/me", dependencies=[require(Verb.ACCOUNT_SELF)])
    async def get_me(actor: CurrentActor) -> schemas.Me:
        """Who you are, and what you may do."""
        return _me(await identity.user_of(actor), actor)

    return router


def _creator(identity: Identity) -> Callable[[Actor, schemas.NewApiKey], Awaitable[NewKey]]:
    async def create(actor: Actor, body: schemas.NewApiKey) -> NewKey:
        try:
            within = scopes_of_role(body.role) if body.role else EVERYTHING
        except ValueError as problem:
            raise ValidationFailed({"role": str(problem)}) from problem
        return await identity.api_keys.create(
            actor, body.name, expires_at=body.expires_at, within=within, rate=body.rate_limit_rpm
        )

    return create


def _api_keys(identity: Identity) -> APIRouter:
    _create = _creator(identity)
    router = APIRouter(prefix="/api/auth/api-keys", tags=["identity"])

    @router.post("", status_code=201, dependencies=[require(Verb.ACCOUNT_KEYS)])
    async def create_api_key(body: schemas.NewApiKey, actor: CurrentActor, response: Response) -> schemas.ApiKeyCreated:
        """A new API key. `key` is shown this once."""
        response.headers["cache-control"] = "no-store"
        return schemas.ApiKeyCreated(**_created(await _create(actor, body)))

    @router.get("", dependencies=[require(Verb.ACCOUNT_KEYS)])
    async def list_api_keys(actor: CurrentActor) -> schemas.ApiKeyList:
        """Your API keys, the newest first, without their secrets."""
        keys = [schemas.ApiKeyRow(**_row(key)) for key in await identity.api_keys.list_for(actor.id)]
        return schemas.ApiKeyList(data=keys, total=len(keys))

    @router.delete("/{key_id}", status_code=204, dependencies=[require(Verb.ACCOUNT_KEYS)])
    async def revoke_api_key(key_id: str, actor: CurrentActor) -> None:
        """Revoke a key: it is refused at once, and its open connections end."""
        await identity.delete_api_key(actor, key_id)

    return router


def _api_keys_v1(identity: Identity) -> APIRouter:
    """The same under the newer documentation's path, in camelCase (spec/apps.md B.1)."""
    _create = _creator(identity)
    router = APIRouter(prefix="/api/v1/api-keys", tags=["identity"])

    @router.post("", status_code=201, dependencies=[require(Verb.ACCOUNT_KEYS)])
    async def create_api_key_v1(
        body: schemas.NewApiKey, actor: CurrentActor, response: Response
    ) -> schemas.ApiKeyCreatedV1:
        """A new API key. `key` is shown this once."""
        response.headers["cache-control"] = "no-store"
        return schemas.ApiKeyCreatedV1(**_created(await _create(actor, body)))

    @router.get("", dependencies=[require(Verb.ACCOUNT_KEYS)])
    async def list_api_keys_v1(actor: CurrentActor) -> schemas.ApiKeyListV1:
        """Your API keys, the newest first, without their secrets."""
        keys = [schemas.ApiKeyRowV1(**_row(key)) for key in await identity.api_keys.list_for(actor.id)]
        return schemas.ApiKeyListV1(data=keys, total=len(keys))

    @router.delete("/{key_id}", status_code=204, dependencies=[require(Verb.ACCOUNT_KEYS)])
    async def revoke_api_key_v1(key_id: str, actor: CurrentActor) -> None:
        """Revoke a key."""
        await identity.delete_api_key(actor, key_id)

    return router


def _portal(identity: Identity, settings: Settings) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["portal"])

    @router.get("/health", dependencies=[require(Verb.PUBLIC, rate="none")])
    async def get_health() -> schemas.Health:
        """The portal answers."""
        return schemas.Health(status="ok", version=__version__)

    @router.get("/onboarding/status", dependencies=[require(Verb.PUBLIC)])
    async def get_onboarding_status(request: Request) -> schemas.OnboardingState:
        """How far set-up has come: FRESH or COMPLETE."""
        server = request.scope.get("server")
        status = await identity.onboarding.status()
        return schemas.OnboardingState(status=status, domain=settings.domain, ip=server[0] if server else None)

    return router


def _me(user: User, actor: Actor) -> schemas.Me:
    return schemas.Me(
        id=user.id,
        username=user.username,
        name=user.name,
        email=user.email,
        role=actor.role,
        customer_id=user.customer_id,
        created_at=user.created_at,
        verbs=verbs_of(actor),
    )


def _row(key: ApiKey) -> dict[str, Any]:
    names = ("id", "name", "created_at", "expires_at", "last_used_at")
    return {
        "prefix": shown_prefix(key),
        "role": role_of_scopes(key.scopes),
        "rate_limit_rpm": key.rate,
        **{name: getattr(key, name) for name in names},
    }


def _created(new: NewKey) -> dict[str, Any]:
    return {**_row(new.key), "key": new.secret}
