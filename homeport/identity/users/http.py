"""Routes of people as administrators manage them (spec/portal.md B8)."""

from __future__ import annotations

from fastapi import APIRouter, Response

from homeport.identity import Identity
from homeport.identity.access import ROLE_SCOPES, Role, Verb
from homeport.identity.accounts import schemas
from homeport.identity.accounts.http import session_row
from homeport.identity.guard import CurrentActor, CurrentCall, require
from homeport.identity.models import User
from homeport.identity.scopes import read
from homeport.identity.users import assignable
from homeport.kit.parameters import paging
from homeport.kit.routes import Router

READ = require(Verb.USERS_READ)
WRITE = require(Verb.USERS_WRITE)


def routes(identity: Identity) -> list[APIRouter]:
    return [_people(identity), _doors(identity)]


def _people(identity: Identity) -> APIRouter:
    router = Router(prefix="/api/users", tags=["users"])
    users = identity.users

    @router.get("", dependencies=[READ])
    async def list_users(
        actor: CurrentActor, search: str | None = None, page: str | None = None, per_page: str | None = None
    ) -> schemas.UserPage:
        """Everybody, the oldest account first."""
        number, size = paging(page, per_page)
        found, total = await users.page(search=search, page=number, per_page=size)
        return schemas.UserPage(
            users=[_row(user) for user in found],
            total=total,
            page=number,
            per_page=size,
            actor_role=actor.role,
            manageable_roles=assignable(actor),
        )

    @router.get("/lookup", dependencies=[require(Verb.ACCOUNT_SELF)])
    async def look_up_users(actor: CurrentActor, q: str = "") -> schemas.FoundList:
        """Ten people at most whose user name begins with `q`."""
        found = await users.look_up(actor, q.strip()[:64])
        rows = [schemas.Found(id=user.number, user_id=user.id, username=user.username) for user in found]
        return schemas.FoundList(users=rows)

    @router.post("", status_code=201, dependencies=[WRITE])
    async def create_user(
        body: schemas.NewUser, actor: CurrentActor, call: CurrentCall, response: Response
    ) -> schemas.UserCreated:
        """A new account, of a role below your own."""
        response.headers["cache-control"] = "no-store"
        user, password = await users.create(
            actor,
            body.username,
            role=body.wanted_role,
            password=body.password,
            name=body.name,
            email=body.email,
            given=body.scopes,
            customer_id=body.customer_id,
        )
        call.concerns("user", user.username, role=user.role)
        return schemas.UserCreated(**_row(user).model_dump(), password=password)

    @router.put("/{user_id}/role", dependencies=[require(Verb.USERS_WRITE, action="role_change")])
    async def set_user_role(
        user_id: str, body: schemas.NewRole, actor: CurrentActor, call: CurrentCall
    ) -> schemas.UserRow:
        """Another role; their sessions end. Without `scopes` they have what the role brings."""
        user = await users.set_role(actor, user_id, body.role, body.scopes)
        call.concerns("user", user.username, role=user.role)
        return _row(user)

    @router.put("/{user_id}/admin", dependencies=[require(Verb.USERS_WRITE, action="role_change")])
    async def set_user_admin(
        user_id: str, body: schemas.IsAdmin, actor: CurrentActor, call: CurrentCall
    ) -> schemas.UserRow:
        """The older way to give the role admin, or user."""
        user = await users.set_role(actor, user_id, Role.ADMIN if body.is_admin else Role.USER, None)
        call.concerns("user", user.username, role=user.role)
        return _row(user)

    @router.delete("/{user_id}", dependencies=[require(Verb.USERS_DELETE)])
    async def delete_user(user_id: str, actor: CurrentActor, call: CurrentCall) -> schemas.Status:
        """Gone for good, with their keys and sessions."""
        call.concerns("user", (await users.delete(actor, user_id)).username)
        return schemas.Status(status="deleted")

    return router


def _doors(identity: Identity) -> APIRouter:
    """What opens the portal to somebody, and what closes it."""
    router = Router(prefix="/api/users/{user_id}", tags=["users"])
    users = identity.users

    @router.post("/ban", dependencies=[require(Verb.USERS_WRITE, action="user_ban")])
    async def ban_user(
        user_id: str, actor: CurrentActor, call: CurrentCall, body: schemas.Ban | None = None
    ) -> schemas.UserRow:
        """No more sign-ins; sessions and API keys end at once."""
        user = await users.ban(actor, user_id, body.reason if body else None)
        call.concerns("user", user.username, reason=user.ban_reason)
        return _row(user)

    @router.post("/unban", dependencies=[require(Verb.USERS_WRITE, action="user_unban")])
    async def unban_user(user_id: str, actor: CurrentActor, call: CurrentCall) -> schemas.UserRow:
        """They may sign in again."""
        user = await users.unban(actor, user_id)
        call.concerns("user", user.username)
        return _row(user)

    @router.post("/reset-password", dependencies=[WRITE])
    async def reset_user_password(
        user_id: str, actor: CurrentActor, call: CurrentCall, response: Response, body: schemas.Reset | None = None
    ) -> schemas.ResetDone:
        """A new password; their sessions and API keys end."""
        response.headers["cache-control"] = "no-store"
        user, password = await users.reset_password(actor, user_id, body.new_password if body else None)
        call.concerns("user", user.username)
        return schemas.ResetDone(status="reset", password=password)

    @router.post("/2fa/reset", dependencies=[WRITE])
    async def reset_user_2fa(user_id: str, actor: CurrentActor, call: CurrentCall) -> schemas.Status:
        """Turn off the second factor of somebody who lost it."""
        user = await users.managed(actor, user_id)
        await identity.second_factors.reset(user.id)
        call.concerns("user", user.username)
        return schemas.Status(status="reset")

    @router.get("/sessions", dependencies=[WRITE])
    async def list_user_sessions(user_id: str, actor: CurrentActor) -> schemas.SessionList:
        """Where they are signed in."""
        user = await users.managed(actor, user_id)
        found = await identity.accounts.sessions(user.id)
        return schemas.SessionList(sessions=[session_row(session, actor) for session in found])

    @router.delete("/sessions", dependencies=[WRITE])
    async def end_user_sessions(user_id: str, actor: CurrentActor, call: CurrentCall) -> schemas.SessionsEnded:
        """Sign them out everywhere."""
        user = await users.managed(actor, user_id)
        call.concerns("user", user.username)
        return schemas.SessionsEnded(status="ended", ended=await identity.accounts.end_sessions(user.id))

    return router


def _row(user: User) -> schemas.UserRow:
    given = read(user.scopes)
    return schemas.UserRow(
        id=user.number,
        user_id=user.id,
        username=user.username,
        name=user.name,
        email=user.email,
        nickname=user.nickname,
        role=Role(user.role),
        is_admin=Role(user.role).is_admin,
        scopes=", ".join(ROLE_SCOPES[Role(user.role)] if given is None else given),
        scopes_given=given is not None,
        customer_id=user.customer_id,
        created_at=user.created_at,
        last_login_at=user.last_login_at,
        totp_enabled=user.totp_enabled_at is not None,
        banned_at=user.banned_at,
        ban_reason=user.ban_reason,
        has_password=bool(user.password_hash),
        oidc=user.oidc_subject is not None,
    )
