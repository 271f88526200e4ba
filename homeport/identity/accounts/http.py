"""Routes of one's own account: /api/me and what is below it (spec/portal.md A7)."""

from __future__ import annotations

from fastapi import APIRouter

from homeport.identity import Identity
from homeport.identity.access import Actor, Verb, allowed, verbs_of
from homeport.identity.accounts import schemas
from homeport.identity.guard import CurrentActor, CurrentCall, require
from homeport.identity.models import Session, User
from homeport.identity.users import assignable
from homeport.kit.routes import Router

SECURITY = require(Verb.ACCOUNT_SECURITY)


def routes(identity: Identity) -> list[APIRouter]:
    return [_profile(identity), _sessions(identity)]


def _profile(identity: Identity) -> APIRouter:
    router = Router(prefix="/api/me", tags=["identity"])
    accounts = identity.accounts
    write = require(Verb.ACCOUNT_WRITE)
    talk = require(Verb.ACCOUNT_WRITE, changes=False)  # how one is seen in chat is no act for the audit log

    @router.get("", dependencies=[require(Verb.ACCOUNT_SELF)])
    async def get_profile(actor: CurrentActor) -> schemas.Profile:
        """Who you are, how others see you, and what you may do."""
        user, passkeys = await accounts.profile(actor)
        return _profile_of(identity, user, actor, passkeys)

    @router.patch("", dependencies=[write])
    async def change_profile(body: schemas.ProfileChange, actor: CurrentActor, call: CurrentCall) -> schemas.Profile:
        """Your name, and the address that you can sign in by beside your user name."""
        given = body.model_dump(exclude_unset=True)
        call.concerns("user", actor.name, changed=sorted(given))
        await accounts.set_names(actor, given)
        user, passkeys = await accounts.profile(actor)
        return _profile_of(identity, user, actor, passkeys)

    @router.post("/password", dependencies=[require(Verb.ACCOUNT_SECURITY, rate="auth")])
    async def change_password(
        body: schemas.PasswordChange, actor: CurrentActor, call: CurrentCall
    ) -> schemas.PasswordChanged:
        """Your other sessions end, your client certificates are revoked, and so are your API keys unless
        `keep_api_keys`; what you use now stays."""
        ended = await accounts.change_password(
            actor,
            body.current_password,
            body.new_password,
            address=call.address,
            keep_api_keys=body.keep_api_keys,
        )
        counts = {
            "sessions_ended": ended.sessions,
            "api_keys_revoked": ended.api_keys,
            "certificates_revoked": ended.certificates,
        }
        call.concerns("user", actor.name, **counts)
        return schemas.PasswordChanged(
            status="changed",
            message="Your password was changed.",
            **counts,
        )

    @router.put("/status", dependencies=[talk])
    async def set_presence(body: schemas.Presence, actor: CurrentActor) -> schemas.PresenceOut:
        """How you are shown in chat."""
        user = await accounts.set_presence(actor, body.status, body.status_message)
        return schemas.PresenceOut(status=user.presence, status_message=user.presence_message)

    @router.put("/nickname", dependencies=[write])
    async def set_nickname(body: schemas.Nickname, actor: CurrentActor) -> schemas.Nickname:
        """The name you are shown by; empty: your user name."""
        user = await accounts.set_nickname(actor, body.nickname)
        return schemas.Nickname(nickname=user.nickname)

    @router.put("/avatar", dependencies=[write])
    async def set_avatar(body: schemas.Avatar, actor: CurrentActor) -> schemas.AvatarOut:
        """The picture you are shown by, as a whole."""
        user = await accounts.set_avatar(actor, body.model_dump())
        return schemas.AvatarOut(avatar=schemas.Avatar(**user.avatar))

    @router.put("/anonymous", dependencies=[talk])
    async def set_anonymous(body: schemas.Anonymous, actor: CurrentActor) -> schemas.Anonymous:
        """Whether what you write in chat from now on has no name."""
        return schemas.Anonymous(anonymous=(await accounts.set_anonymous(actor, body.anonymous)).chat_anonymous)

    return router


def _sessions(identity: Identity) -> APIRouter:
    router = Router(prefix="/api/me/sessions", tags=["identity"])
    accounts = identity.accounts

    @router.get("", dependencies=[SECURITY])
    async def list_sessions(actor: CurrentActor) -> schemas.SessionList:
        """Where you are signed in, the newest first."""
        found = await accounts.sessions(actor.id)
        return schemas.SessionList(sessions=[session_row(session, actor) for session in found])

    @router.delete("/{session_id}", dependencies=[SECURITY])
    async def end_session(session_id: str, actor: CurrentActor) -> schemas.SessionsEnded:
        """Sign that one out; what is open by it ends within a second."""
        await accounts.end_session(actor.id, session_id)
        return schemas.SessionsEnded(status="ended", ended=1)

    @router.delete("", dependencies=[SECURITY])
    async def end_other_sessions(actor: CurrentActor) -> schemas.SessionsEnded:
        """Sign all others out."""
        return schemas.SessionsEnded(
            status="ended", ended=await accounts.end_sessions(actor.id, keep=actor.credential_id)
        )

    return router


def session_row(session: Session, actor: Actor) -> schemas.SessionRow:
    return schemas.SessionRow(
        id=session.id,
        token_id=session.id,
        name=session.name,
        method=session.method,
        address=session.address,
        user_agent=session.user_agent,
        created_at=session.created_at,
        last_used_at=session.last_used_at,
        expires_at=session.expires_at,
        current=session.id == actor.credential_id,
    )


def _profile_of(identity: Identity, user: User, actor: Actor, passkeys: int) -> schemas.Profile:
    manages = allowed(actor, Verb.USERS_WRITE)
    scopes = [scope for scope in actor.held if not scope.startswith("account:")]
    options = identity.options
    return schemas.Profile(
        id=user.number,
        user_id=user.id,
        username=user.username,
        name=user.name,
        email=user.email,
        nickname=user.nickname,
        status=user.presence,
        status_message=user.presence_message,
        role=actor.role,
        is_admin=actor.role.is_admin,
        scopes=", ".join(scopes),
        scopes_list=scopes,
        granted_services={},
        permissions=schemas.Permissions(
            can_manage_users=manages,
            can_reset_passwords=manages,
            can_delete_users=allowed(actor, Verb.USERS_DELETE),
            manageable_roles=assignable(actor) if manages else [],
            can_add_connections=actor.role.is_admin or bool(options.get("allow_user_connections", True)),
            can_add_streams=actor.role.is_admin or bool(options.get("allow_user_streams", True)),
        ),
        verbs=verbs_of(actor),
        avatar=schemas.Avatar(**(user.avatar or {})),
        chat_anonymous=user.chat_anonymous,
        customer_id=user.customer_id,
        created_at=user.created_at,
        totp_enabled=user.totp_enabled_at is not None,
        passkeys=passkeys,
        has_password=bool(user.password_hash),
        password_changed_at=user.password_changed_at,
        oidc=user.oidc_subject is not None,
    )
