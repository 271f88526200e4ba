"""The route by which an administrator sees whether the OpenID provider can be used."""

from __future__ import annotations

from fastapi import APIRouter

from homeport.identity import Identity
from homeport.identity.access import Verb
from homeport.identity.guard import require
from homeport.identity.openid import Checked, schemas
from homeport.kit.routes import Router
from homeport.settings import Settings


def routes(identity: Identity, settings: Settings) -> APIRouter:
    router = Router(prefix="/api/settings", tags=["identity"])
    openid = identity.openid

    @router.get("/openid", dependencies=[require(Verb.SETTINGS_READ)])
    async def check_openid() -> schemas.OidcCheck:
        """Ask the OpenID provider what it says of itself and for its keys; and what to enter there."""
        checked = await openid.check() if openid.enabled else Checked(0, "none is set up")
        return schemas.OidcCheck(
            enabled=openid.enabled,
            issuer=settings.oidc_issuer,
            client_id=settings.oidc_client_id,
            keys=checked.keys,
            problem=checked.problem,
            **openid.addresses,
        )

    return router
