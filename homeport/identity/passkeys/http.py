"""Routes of passkeys: one's own, and signing in by one."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from homeport.identity import Identity
from homeport.identity import sign_in_http as auth_http
from homeport.identity.access import Actor, Verb, opens
from homeport.identity.guard import CurrentActor, CurrentCall, require
from homeport.identity.models import Passkey
from homeport.identity.problems import Forbidden
from homeport.identity.schemas import Token
from homeport.identity.second_factors import schemas
from homeport.kit.routes import Router


def routes(identity: Identity) -> list[APIRouter]:
    """The routers of this part."""
    return [_own(identity), _sign_in(identity)]


def _own(identity: Identity) -> APIRouter:
    router = Router(prefix="/api/user/passkeys", tags=["identity"])
    passkeys = identity.passkeys

    @router.post("/options", dependencies=[require(Verb.ACCOUNT_SECURITY, changes=False)])
    async def get_passkey_options(actor: CurrentActor) -> schemas.PasskeyOptions:
        """What `navigator.credentials.create()` needs; good once, for five minutes."""
        _refuse_less_than_the_person(actor)
        return schemas.PasskeyOptions(publicKey=await passkeys.registration(await identity.user_of(actor)))

    @router.post("", status_code=201, dependencies=[require(Verb.ACCOUNT_SECURITY)])
    async def create_passkey(body: schemas.NewPasskey, actor: CurrentActor, call: CurrentCall) -> schemas.PasskeyRow:
        """Keep what `navigator.credentials.create()` gave."""
        _refuse_less_than_the_person(actor)
        passkey = await passkeys.register(actor, body.name, body.credential.plain())
        call.concerns("passkey", passkey.id, name=passkey.name)
        return _row(passkey)

    @router.get("", dependencies=[require(Verb.ACCOUNT_SELF)])
    async def list_passkeys(actor: CurrentActor) -> schemas.PasskeyList:
        """Your passkeys, the newest first."""
        return schemas.PasskeyList(passkeys=[_row(passkey) for passkey in await passkeys.list_for(actor.id)])

    @router.delete("/{passkey_id}", dependencies=[require(Verb.ACCOUNT_SECURITY)])
    async def delete_passkey(passkey_id: str, actor: CurrentActor) -> schemas.Status:
        """It signs in no more."""
        await passkeys.delete(actor.id, passkey_id)
        return schemas.Status(status="deleted")

    return router


def _sign_in(identity: Identity) -> APIRouter:
    router = Router(prefix="/api/auth/passkey", tags=["identity"])

    @router.post("/options", dependencies=[require(Verb.PUBLIC, changes=False, rate="auth")])
    async def get_passkey_question(body: schemas.PasskeyAsked | None = None) -> schemas.PasskeyOptions:
        """What `navigator.credentials.get()` needs; good once, for five minutes. It tells nobody who has passkeys."""
        beside = body is not None and bool(body.username)
        return schemas.PasskeyOptions(publicKey=await identity.passkeys.question(beside_password=beside))

    @router.post("", dependencies=[require(Verb.PUBLIC, action="login", rate="auth")])
    async def sign_in_by_passkey(
        body: schemas.PasskeySignIn, request: Request, response: Response, call: CurrentCall
    ) -> Token:
        """Sign in by a passkey alone, or by a password with a passkey as second factor. Answers as /api/auth/login."""
        identity.open_mode.refuse_sign_in()
        if "origin" in request.headers:  # a page of another site must not sign its visitor in as somebody else
            identity.refuse_other_sites(request)
        call.concerns("login", (body.username or "")[:100], method="passkey")
        session = await identity.sign_in_by_passkey(
            body.credential.plain(),
            login=body.username or "",
            password=body.password,
            address=call.address,
            user_agent=request.headers.get("user-agent"),
        )
        call.by(session.actor)
        call.concerns("login", session.user.username)
        return auth_http.answer(session, response, remember=body.remember)

    return router


def _refuse_less_than_the_person(actor: Actor) -> None:
    """A passkey signs in as the whole person, for ever: a key or a limited session would outdo itself by one."""
    if actor.kind != "user" or not opens(actor.within, "*"):
        raise Forbidden("A passkey is made by the person: sign in, without limits, and make it there.")


def _row(passkey: Passkey) -> schemas.PasskeyRow:
    return schemas.PasskeyRow(
        id=passkey.id,
        name=passkey.name,
        created_at=passkey.created_at,
        last_used_at=passkey.last_used_at,
        transports=list(passkey.transports or ()),
    )
