"""Routes of seed 002's session tokens (spec/portal.md A1: 1, 6, 7). A token is a session, and its id the session's."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Request, Response

from homeport.identity import Identity
from homeport.identity.access import EVERYTHING, Actor, Verb
from homeport.identity.accounts import schemas
from homeport.identity.guard import CurrentActor, CurrentCall, require
from homeport.identity.models import Session
from homeport.identity.scopes import read
from homeport.kit.routes import Router


def routes(identity: Identity) -> APIRouter:
    router = Router(prefix="/api", tags=["identity"])

    @router.post("/token", dependencies=[require(Verb.PUBLIC, action="login", rate="auth")])
    async def make_token(
        body: schemas.TokenWanted, request: Request, response: Response, call: CurrentCall
    ) -> schemas.TokenMade:
        """Sign in for a program: no cookie, and `scopes` if the token is to do less than you may."""
        call.concerns("login", body.username[:100])
        session = await identity.sign_in(
            body.username,
            body.password,
            address=call.address,
            user_agent=request.headers.get("user-agent"),
            totp_code=body.totp_code,
            name=body.name,
            within=None if body.scopes == EVERYTHING else body.scopes,
            lasts=timedelta(hours=body.expires_hours) if body.expires_hours else None,
        )
        call.by(session.actor)
        response.headers["cache-control"] = "no-store"
        actor = session.actor
        return schemas.TokenMade(
            token=session.token,
            token_id=actor.credential_id or "",
            expires_at=actor.expires_at,
            user=schemas.TokenUser(id=actor.number, username=actor.name, is_admin=actor.role.is_admin),
            user_id=actor.number,
            scopes=list(_reach(actor, actor.within)),
        )

    @router.get("/tokens", dependencies=[require(Verb.ACCOUNT_SECURITY)])
    async def list_tokens(actor: CurrentActor) -> schemas.TokenList:
        """Your tokens that still work, the newest first."""
        return schemas.TokenList(tokens=[_row(one, actor) for one in await identity.accounts.sessions(actor.id)])

    @router.post("/token/revoke", dependencies=[require(Verb.ACCOUNT_SECURITY)])
    async def revoke_token(body: schemas.TokenRef, actor: CurrentActor, call: CurrentCall) -> schemas.Status:
        """It is refused at once, and what is open by it ends; 404 for somebody else's."""
        call.concerns("token", body.token_id)
        await identity.accounts.end_session(actor.id, body.token_id)
        return schemas.Status(status="revoked")

    return router


def _reach(actor: Actor, within: tuple[str, ...]) -> tuple[str, ...]:
    """What a token that is limited so may do: for one that is not limited, what its person may."""
    if within != EVERYTHING:
        return tuple(scope for scope in within)
    return tuple(scope for scope in actor.held if not scope.startswith("account:"))


def _row(session: Session, actor: Actor) -> schemas.TokenRow:
    return schemas.TokenRow(
        id=session.id,
        token_id=session.id,
        name=session.name,
        scopes=list(_reach(actor, read(session.scopes) or EVERYTHING)),
        revoked=False,
        current=session.id == actor.credential_id,
        created_at=session.created_at,
        last_used_at=session.last_used_at,
        expires_at=session.expires_at,
    )
