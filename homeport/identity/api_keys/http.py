"""API keys as seed 002 has them: `portal_…`, scopes as a comma-separated list, revoked keys stay listed."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from homeport.identity import Identity
from homeport.identity.access import Verb
from homeport.identity.api_keys import shown_prefix
from homeport.identity.guard import CurrentActor, CurrentCall, require
from homeport.identity.models import ApiKey
from homeport.identity.schemas import Line
from homeport.identity.scopes import parse_scopes
from homeport.kit.clock import rfc3339
from homeport.kit.routes import Router

KEYS = require(Verb.ACCOUNT_KEYS)
WARNING = "This key is shown only now. Keep it where you keep passwords."

Scopes = Annotated[tuple[str, ...], BeforeValidator(parse_scopes)]


class NewPortalKey(BaseModel):
    """`scopes`: `services:read, access:*` or a list; `*` is all that you may do yourself."""

    model_config = ConfigDict(populate_by_name=True)

    name: Line
    scopes: Scopes = ("*",)
    expires_in_days: Annotated[
        int | None, Field(ge=1, le=3650, validation_alias=AliasChoices("expires_in_days", "expires_days"))
    ] = None
    rate_limit_rpm: Annotated[int | None, Field(ge=1, le=1_000_000)] = None


def routes(identity: Identity) -> APIRouter:
    router = Router(prefix="/api/api-keys", tags=["identity"])

    @router.post("", status_code=201, dependencies=[KEYS])
    async def create_portal_key(
        body: NewPortalKey, actor: CurrentActor, call: CurrentCall, response: Response
    ) -> dict[str, Any]:
        """A new API key. `api_key` is shown this once."""
        response.headers["cache-control"] = "no-store"
        days = body.expires_in_days
        made = await identity.api_keys.create(
            actor,
            body.name,
            style="portal",
            expires_at=identity.clock.now() + timedelta(days=days) if days else None,
            within=body.scopes,
            rate=body.rate_limit_rpm,
            unique=True,
        )
        call.concerns("api_key", made.key.id, name=body.name, scopes=made.key.scopes)
        return {**_row(made.key), "api_key": made.secret, "key": made.secret, "warning": WARNING}

    @router.get("", dependencies=[KEYS])
    async def list_portal_keys(actor: CurrentActor) -> dict[str, Any]:
        """Your API keys, the newest first, each with its beginning only."""
        keys = [_row(key) for key in await identity.api_keys.list_for(actor.id)]
        return {"api_keys": keys, "total": len(keys)}

    @router.post("/{key_id}/revoke", dependencies=[KEYS])
    async def revoke_portal_key(key_id: str, actor: CurrentActor) -> dict[str, Any]:
        """Refused at once, and still listed; its open connections end."""
        await identity.revoke_api_key(actor, key_id)
        return {"status": "revoked", "id": _number(key_id)}

    @router.delete("/{key_id}", dependencies=[KEYS])
    async def delete_portal_key(key_id: str, actor: CurrentActor) -> dict[str, Any]:
        """Gone for good."""
        await identity.delete_api_key(actor, key_id)
        return {"status": "deleted", "id": _number(key_id)}

    return router


def _row(key: ApiKey) -> dict[str, Any]:
    prefix = shown_prefix(key)
    return {
        "id": key.number,
        "key_id": key.id,
        "name": key.name,
        "style": key.style,
        "key_prefix": prefix,
        "prefix": prefix,
        "scopes": key.scopes,
        "rate_limit_rpm": key.rate,
        "created_at": rfc3339(key.created_at),
        "expires_at": rfc3339(key.expires_at) if key.expires_at else None,
        "last_used_at": rfc3339(key.last_used_at) if key.last_used_at else None,
        "revoked": key.revoked_at is not None,
        "revoked_at": rfc3339(key.revoked_at) if key.revoked_at else None,
    }


def _number(ref: str) -> int | str:
    return int(ref) if ref.isdecimal() and len(ref) < 10 else ref
