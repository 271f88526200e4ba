"""Routes of registration (spec/portal.md A1: 8) and of invites (B8)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as PathParameter

from homeport.identity import Identity
from homeport.identity.access import Verb
from homeport.identity.accounts import schemas
from homeport.identity.actors import person
from homeport.identity.guard import CurrentActor, CurrentCall, require
from homeport.identity.models import Invite
from homeport.kit.routes import Router

WRITE = require(Verb.USERS_WRITE)
InviteId = Annotated[int, PathParameter(ge=1, le=2**31 - 1)]


def routes(identity: Identity) -> list[APIRouter]:
    return [_register(identity), _invites(identity)]


def _register(identity: Identity) -> APIRouter:
    router = Router(prefix="/api/register", tags=["identity"])

    @router.post("", status_code=201, dependencies=[require(Verb.PUBLIC, action="register", rate="auth")])
    async def register(body: schemas.Registering, call: CurrentCall) -> schemas.Registered:
        """An account for whoever has an invite code; sign in afterwards."""
        user = await identity.registration.register(
            body.username, body.password, body.invite_code, address=call.address, name=body.name
        )
        call.by(person(user))
        call.concerns("user", user.username, role=user.role)
        return schemas.Registered(
            id=user.number, user_id=user.id, username=user.username, message="Registration successful"
        )

    return router


def _invites(identity: Identity) -> APIRouter:
    router = Router(prefix="/api", tags=["users"])
    registrations = identity.registration

    def row(invite: Invite) -> schemas.InviteRow:
        names = ("id", "code", "type", "label", "role", "scopes", "customer_id", "created_at", "expires_at")
        more = ("max_uses", "uses", "revoked_at")
        values = {name: getattr(invite, name) for name in (*names, *more)}
        return schemas.InviteRow(**values, active=registrations.is_active(invite))

    @router.get("/invite-code", dependencies=[WRITE])
    async def list_invites() -> schemas.InviteList:
        """The codes that were made, the newest first."""
        codes = [row(invite) for invite in await registrations.invites()]
        daily = next((one.code for one in codes if one.type == "daily" and one.active), None)
        return schemas.InviteList(codes=codes, legacy_daily_code=daily)

    @router.post("/admin/invite-codes", status_code=201, dependencies=[WRITE])
    async def create_invite(body: schemas.NewInvite, actor: CurrentActor, call: CurrentCall) -> schemas.InviteRow:
        """A new code; who registers with it gets its role, which is below your own."""
        invite = await registrations.invite(
            actor,
            body.type,
            label=body.label,
            days=body.duration_days,
            role=body.role,
            given=body.scopes,
            customer_id=body.customer_id,
        )
        call.concerns("invite", str(invite.id), type=invite.type, role=invite.role, label=invite.label)
        return row(invite)

    @router.delete("/admin/invite-codes/{invite_id}", dependencies=[WRITE])
    async def revoke_invite(invite_id: InviteId) -> schemas.Status:
        """It works no more."""
        await registrations.revoke(invite_id)
        return schemas.Status(status="revoked")

    @router.get("/admin/invite-codes/{invite_id}/registrations", dependencies=[WRITE])
    async def list_registrations(invite_id: InviteId) -> schemas.RegistrationList:
        """Who came by it, the newest first."""
        found = await registrations.registered_by(invite_id)
        rows = [
            schemas.RegistrationRow(username=one.username, created_at=one.created_at, address=one.network)
            for one in found
        ]
        return schemas.RegistrationList(registrations=rows)

    return router
