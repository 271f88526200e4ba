"""Routes of API keys and set-up, and the list of all routers of identity."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response

from homeport import __version__
from homeport.identity import Identity, schemas, tokens_http
from homeport.identity import sign_in_http as auth_http
from homeport.identity.access import EVERYTHING, Actor, Verb
from homeport.identity.accounts import http as accounts_http
from homeport.identity.api_keys import NewKey, shown_prefix
from homeport.identity.api_keys import http as api_keys_http
from homeport.identity.audit import http as audit_http
from homeport.identity.certificates import http as certificates_http
from homeport.identity.guard import CurrentActor, require
from homeport.identity.models import ApiKey
from homeport.identity.openid import check_http as openid_check_http
from homeport.identity.openid import http as openid_http
from homeport.identity.passkeys import http as passkeys_http
from homeport.identity.registration import http as registration_http
from homeport.identity.scopes import role_of_scopes, scopes_of_role
from homeport.identity.second_factors import http as second_factors_http
from homeport.identity.ssh_keys import http as ssh_keys_http
from homeport.identity.users import http as users_http
from homeport.kit.problems import ValidationFailed
from homeport.kit.routes import Router
from homeport.settings import Settings


def routes(identity: Identity, settings: Settings) -> list[APIRouter]:
    """The routers of this part."""
    return [
        auth_http.routes(identity),
        tokens_http.routes(identity),
        *accounts_http.routes(identity),
        *users_http.routes(identity),
        *registration_http.routes(identity),
        _api_keys(identity),
        _api_keys_v1(identity),
        _portal(identity, settings),
        api_keys_http.routes(identity),
        audit_http.routes(identity),
        *second_factors_http.routes(identity),
        *passkeys_http.routes(identity),
        ssh_keys_http.routes(identity),
        *certificates_http.routes(identity.certificates),
        *openid_http.routes(identity, settings),
        openid_check_http.routes(identity, settings),
    ]


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
    router = Router(prefix="/api/auth/api-keys", tags=["identity"])

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
    router = Router(prefix="/api/v1/api-keys", tags=["identity"])

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
    router = Router(prefix="/api", tags=["portal"])

    @router.get("/health", dependencies=[require(Verb.PUBLIC, rate="none", certificate=False)])
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
