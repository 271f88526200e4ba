"""Routes of the second factor: as seed 002 has them, and as the host door has them (spec/host.md B.5)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response

from homeport.identity import COOKIE, Identity
from homeport.identity.access import Actor, Verb
from homeport.identity.guard import Call, CurrentActor, CurrentCall, require
from homeport.identity.second_factors import schemas
from homeport.identity.second_factors.totp import ISSUER
from homeport.kit.routes import Router

CERTIFICATE_SESSION = timedelta(hours=12)  # spec/host.md B.5
CERTIFICATE_IDLE = timedelta(hours=2)
_KEEP = "Keep these codes: each lets you in once without the app, and they are not shown again."


def _by_code(action: str) -> Any:
    """What takes a code or a password may be asked for as seldom as a sign-in."""
    return require(Verb.ACCOUNT_SECURITY, action=action, rate="auth")


def routes(identity: Identity) -> list[APIRouter]:
    """The routers of this part."""
    return [_portal(identity), _host(identity)]


def _portal(identity: Identity) -> APIRouter:
    router = Router(prefix="/api/user/2fa", tags=["identity"])
    factors = identity.second_factors

    @router.get("/status", dependencies=[require(Verb.ACCOUNT_SELF)])
    async def get_2fa_status(actor: CurrentActor) -> schemas.FactorStatus:
        """Whether a second factor is asked for, and how many backup codes are left."""
        status = await factors.status(actor.id)
        return schemas.FactorStatus(
            enabled=status.enabled,
            backup_codes_remaining=status.backup_codes_remaining,
            methods=list(status.methods),
        )

    @router.post("/setup", dependencies=[require(Verb.ACCOUNT_SECURITY, action="set_up_2fa")])
    async def set_up_2fa(actor: CurrentActor, response: Response) -> schemas.FactorSetup:
        """A secret for an authenticator app, shown this once; it counts from `verify` on."""
        return await _set_up(identity, actor, response)

    @router.post("/verify", dependencies=[_by_code("enable_2fa")])
    async def verify_2fa(
        body: schemas.Code, actor: CurrentActor, call: CurrentCall, response: Response
    ) -> schemas.BackupCodes:
        """Turn it on with a code of the app. Backup codes are shown this once; your other sessions end."""
        response.headers["cache-control"] = "no-store"
        codes = await factors.enable(actor, body.code, call.address)
        return schemas.BackupCodes(status="enabled", backup_codes=codes, message=_KEEP)

    @router.post("/disable", dependencies=[_by_code("disable_2fa")])
    async def disable_2fa(body: schemas.CodeOrPassword, actor: CurrentActor, call: CurrentCall) -> schemas.Status:
        """Turn it off, by a code or by the password."""
        await _disable(identity, actor, call, body)
        return schemas.Status(status="disabled")

    @router.post(
        "/backup-codes", dependencies=[require(Verb.ACCOUNT_SECURITY, action="renew_backup_codes", rate="auth")]
    )
    async def renew_backup_codes(
        body: schemas.Code, actor: CurrentActor, call: CurrentCall, response: Response
    ) -> schemas.BackupCodes:
        """Ten new backup codes, shown this once; the old ones are no good any more."""
        response.headers["cache-control"] = "no-store"
        codes = await factors.renew_backup_codes(actor.id, body.code, call.address)
        return schemas.BackupCodes(status="renewed", backup_codes=codes, message=_KEEP)

    return router


def _host(identity: Identity) -> APIRouter:
    router = Router(prefix="/api/settings/2fa", tags=["identity"])
    factors = identity.second_factors

    @router.get("", dependencies=[require(Verb.ACCOUNT_SELF)])
    async def get_host_2fa(request: Request, actor: CurrentActor, call: CurrentCall) -> schemas.HostFactorState:
        """Whether you have a second factor on, and whether it still has to be given here."""
        status = await factors.status(actor.id)
        satisfied = call.via != "certificate" or not status.enabled or await factors.satisfied(request, actor.id)
        return schemas.HostFactorState(enabled=status.enabled, setupComplete=status.enabled, satisfied=satisfied)

    @router.post("/setup", dependencies=[require(Verb.ACCOUNT_SECURITY, action="set_up_2fa")])
    async def set_up_host_2fa(actor: CurrentActor, response: Response) -> schemas.FactorSetup:
        """As POST /api/user/2fa/setup."""
        return await _set_up(identity, actor, response)

    @router.post("/confirm", dependencies=[_by_code("enable_2fa")])
    async def confirm_host_2fa(
        body: schemas.Code, request: Request, actor: CurrentActor, call: CurrentCall, response: Response
    ) -> schemas.BackupCodes:
        """As POST /api/user/2fa/verify; whoever came by a certificate has a session from then on."""
        codes = await factors.enable(actor, body.code, call.address)
        if call.via == "certificate":
            await _begin_session(identity, actor, call, request, response)
        response.headers["cache-control"] = "no-store"
        return schemas.BackupCodes(status="enabled", backup_codes=codes, message=_KEEP)

    @router.post("/verify", dependencies=[require(Verb.ACCOUNT_SELF, action="verify_2fa", rate="auth")])
    async def verify_host_2fa(
        body: schemas.Code, request: Request, actor: CurrentActor, call: CurrentCall, response: Response
    ) -> schemas.HostFactorSession:
        """Give the second factor beside a client certificate: a session comes as a cookie, for 12 hours or 2 idle ones.

        Whoever came by something else only has the code checked.
        """
        await factors.check(await identity.user_of(actor), body.code, call.address)
        expires_at = actor.expires_at
        if call.via == "certificate":
            expires_at = await _begin_session(identity, actor, call, request, response)
        return schemas.HostFactorSession(ok=True, verified=True, expires_at=expires_at)

    @router.post("/disable", dependencies=[_by_code("disable_2fa")])
    async def disable_host_2fa(body: schemas.CodeOrPassword, actor: CurrentActor, call: CurrentCall) -> schemas.Status:
        """As POST /api/user/2fa/disable."""
        await _disable(identity, actor, call, body)
        return schemas.Status(status="disabled")

    return router


async def _set_up(identity: Identity, actor: Actor, response: Response) -> schemas.FactorSetup:
    response.headers["cache-control"] = "no-store"
    made = await identity.second_factors.set_up(await identity.user_of(actor))
    return schemas.FactorSetup(
        secret=made.secret, provisioning_uri=made.uri, uri=made.uri, issuer=ISSUER, qr_svg=made.qr_svg
    )


async def _disable(identity: Identity, actor: Actor, call: Call, body: schemas.CodeOrPassword) -> None:
    user = await identity.user_of(actor)
    if body.code:
        await identity.second_factors.check(user, body.code, call.address)
    else:
        await identity.check_password(user.username, body.password or "", address=call.address, again=True)
    await identity.second_factors.disable(actor.id)


async def _begin_session(
    identity: Identity, actor: Actor, call: Call, request: Request, response: Response
) -> datetime | None:
    """For whoever came by a certificate and gave the second factor; it may do what the certificate may."""
    began = await identity.sessions.begin(
        await identity.user_of(actor),
        address=call.address,
        user_agent=request.headers.get("user-agent"),
        method="certificate",
        within=actor.within,
        lasts=CERTIFICATE_SESSION,
        idle=CERTIFICATE_IDLE,
    )
    max_age = int(began.lasts.total_seconds())
    response.set_cookie(COOKIE, began.token, max_age, path="/", secure=True, httponly=True, samesite="strict")
    response.headers["cache-control"] = "no-store"
    return began.actor.expires_at
