"""Routes of signing in and out, as seeds 001 and 003 have them; `answer` is what every way to sign in ends with."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from homeport.identity import COOKIE, Identity, schemas
from homeport.identity.access import ANONYMOUS, Actor, Role, Verb, scope_sets_of, verbs_of
from homeport.identity.guard import CurrentActor, CurrentCall, require
from homeport.identity.models import User
from homeport.identity.problems import OriginRefused, RefreshTokenUsed, Unauthenticated
from homeport.identity.sessions import SignIn
from homeport.identity.tickets import LASTS
from homeport.kit.problems import Problem
from homeport.kit.routes import Router


def routes(identity: Identity) -> APIRouter:
    router = Router(prefix="/api/auth", tags=["identity"])

    @router.post("/login", dependencies=[require(Verb.PUBLIC, action="login", rate="auth")])
    async def login(
        body: schemas.Credentials, request: Request, response: Response, call: CurrentCall
    ) -> schemas.Token:
        """Sign in. The session comes as a cookie for the browser and as a token for other clients."""
        identity.open_mode.refuse_sign_in()
        if "origin" in request.headers:  # a page of another site must not sign its visitor in as somebody else
            identity.refuse_other_sites(request)
        call.concerns("login", body.login[:100])
        session = await identity.sign_in(
            body.login,
            body.password,
            address=call.address,
            user_agent=request.headers.get("user-agent"),
            totp_code=body.totp_code,
        )
        call.by(session.actor)
        return answer(session, response, remember=body.remember)

    @router.post("/refresh", dependencies=[require(Verb.PUBLIC, action="refresh_session", rate="auth")])
    async def refresh_session(body: schemas.RefreshToken, response: Response, call: CurrentCall) -> schemas.Tokens:
        """The same session, as long again; the token that was sent is of no use from now on."""
        identity.open_mode.refuse_sign_in()
        try:
            session = await identity.sessions.refresh(body.refresh_token)
        except RefreshTokenUsed as problem:
            call.concerns("user", problem.username, ended="a refresh token that was used before")
            raise
        if session is None:
            raise Unauthenticated("This refresh token is unknown, used or expired: sign in again.")
        call.by(session.actor)
        response.headers["cache-control"] = "no-store"
        return schemas.Tokens(**_tokens(session))

    @router.post("/logout", dependencies=[require(Verb.PUBLIC)])
    async def logout(
        request: Request, response: Response, call: CurrentCall, body: schemas.SignOut | None = None
    ) -> schemas.SignedOut:
        """End this session: its token is refused from now on, and what is open by it ends. Answers 200 in any case.

        `refresh_token` names a session too. `logout_url` is where to end the OpenID provider's own session.
        """
        try:
            actor, call.via = await identity.authenticate(request)
        except OriginRefused:
            raise
        except Problem:  # expired, revoked, never good: signed out is signed out
            actor = ANONYMOUS
        call.by(actor)
        response.headers["cache-control"] = "no-store"
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
        url = await identity.openid.logout_url(actor.credential_id) if actor.credential_id else None
        ended = await identity.sign_out(actor)
        if body and body.refresh_token:
            ended = await identity.sign_out_by_refresh(body.refresh_token) or ended
        if not ended:
            call.act = None
            return schemas.SignedOut(success=False, message="There was no session to end.")
        return schemas.SignedOut(message="Signed out.", logout_url=url)

    @router.get("/me", dependencies=[require(Verb.ACCOUNT_SELF)])
    async def get_me(actor: CurrentActor) -> schemas.Me:
        """Who you are, and what you may do."""
        return me(await identity.user_of(actor), actor)

    @router.post("/ticket", dependencies=[require(Verb.ACCOUNT_SELF, changes=False)])
    async def make_ticket(actor: CurrentActor, response: Response) -> schemas.Ticket:
        """Opens one WebSocket with `?ticket=`, so that no lasting credential has to be in an address."""
        response.headers["cache-control"] = "no-store"
        return schemas.Ticket(ticket=identity.tickets.give(actor), expires_in=LASTS)

    return router


def answer(session: SignIn, response: Response, *, remember: bool) -> schemas.Token:
    """The body, and the cookie for the browser: until it is closed, unless the person wants to be remembered."""
    max_age = int(session.lasts.total_seconds()) if remember else None
    response.set_cookie(COOKIE, session.token, max_age, path="/", secure=True, httponly=True, samesite="strict")
    response.headers["cache-control"] = "no-store"
    return schemas.Token(**_tokens(session), user=me(session.user, session.actor))


def me(user: User, actor: Actor) -> schemas.Me:
    """A person in the words of the apps and fleet seeds."""
    return schemas.Me(
        id=user.id,
        sub=user.id,
        number=user.number,
        username=user.username,
        name=user.name,
        nickname=user.nickname,
        email=user.email,
        avatar=user.avatar or {},
        role=role_word(actor.role, user.customer_id),
        rank=actor.role,
        roles=scope_sets_of(actor),
        customer_id=user.customer_id,
        created_at=user.created_at,
        verbs=verbs_of(actor),
    )


def role_word(role: Role, customer_id: str | None) -> str:
    """Seed 001 knows admin, customer and others."""
    if customer_id is not None:
        return "customer"
    return "admin" if role.is_admin else role


def _tokens(session: SignIn) -> dict[str, object]:
    return {
        "token": session.token,
        "access_token": session.token,
        "refresh_token": session.refresh_token,
        "expires_in": int(session.lasts.total_seconds()),
        "expires_at": session.actor.expires_at,
    }
