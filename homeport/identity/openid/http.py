"""Routes of signing in at an OpenID provider, of its logouts, and `GET /api/config`."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs, urlencode, urlsplit

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse

from homeport.identity import COOKIE, Identity
from homeport.identity.access import Verb
from homeport.identity.guard import Call, CurrentCall, require
from homeport.identity.openid import schemas
from homeport.identity.openid.problems import LogoutRefused, ProviderUnavailable
from homeport.identity.openid.sign_in import COOKIE as SIGN_IN_COOKIE
from homeport.identity.openid.sign_in import SECONDS
from homeport.identity.registration import ALLOWED
from homeport.kit.problems import Problem
from homeport.kit.routes import Router
from homeport.settings import Settings

LOGIN = "/api/auth/oidc/login"
MAX_LOGOUT = 32 * 1024  # bytes
_NO_STORE = {"cache-control": "no-store"}
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["logout_token"],
                    "properties": {"logout_token": {"type": "string", "description": "A signed JWT."}},
                }
            }
        },
    }
}


def routes(identity: Identity, settings: Settings) -> list[APIRouter]:
    return [_sign_in(identity), _config(identity, settings)]


def _sign_in(identity: Identity) -> APIRouter:
    router = Router(prefix="/api/auth/oidc", tags=["identity"])
    openid = identity.openid

    @router.get("/login", dependencies=[require(Verb.PUBLIC, rate="auth")], status_code=302, response_class=Response)
    async def begin_oidc_sign_in(
        request: Request,
        then: Annotated[str, Query(alias="next", description="Path to go to afterwards.")] = "/",
    ) -> Response:
        """Send the browser to the OpenID provider; back to the sign-in page when that does not answer."""
        identity.open_mode.refuse_sign_in()
        try:
            begun = await openid.begin(then)
        except ProviderUnavailable as problem:
            if request.headers.get("sec-fetch-mode") != "navigate":  # a program reads the answer itself
                raise
            return RedirectResponse(f"/?{urlencode({'sign_in_problem': problem.code})}", 302, _NO_STORE)
        away = RedirectResponse(begun.url, 302, _NO_STORE)
        # Lax: the browser comes back from another site.
        away.set_cookie(SIGN_IN_COOKIE, begun.cookie, SECONDS, path="/", secure=True, httponly=True, samesite="lax")
        return away

    @router.get(
        "/callback",
        dependencies=[require(Verb.PUBLIC, changes=True, action="login", rate="auth")],
        status_code=302,
        response_class=Response,
    )
    async def end_oidc_sign_in(request: Request, call: CurrentCall) -> Response:
        """Where the provider sends the browser back to: a session, or `/?sign_in_problem=<code>`."""
        identity.open_mode.refuse_sign_in()
        call.concerns("login", "openid", method="oidc")
        cookie = request.cookies.get(SIGN_IN_COOKIE)
        agent = request.headers.get("user-agent")
        try:
            begun, then = await openid.end(cookie, dict(request.query_params), address=call.address, user_agent=agent)
        except Problem as problem:
            await _refused(identity, call, problem)
            back = RedirectResponse(f"/?{urlencode({'sign_in_problem': problem.code})}", 302, _NO_STORE)
        else:
            call.by(begun.actor)
            call.concerns("login", begun.user.username)
            back = RedirectResponse(then, 302, _NO_STORE)
            age = int(begun.lasts.total_seconds())
            back.set_cookie(COOKIE, begun.token, age, path="/", secure=True, httponly=True, samesite="strict")
        back.delete_cookie(SIGN_IN_COOKIE, path="/", secure=True, httponly=True, samesite="lax")
        return back

    @router.post(
        "/backchannel-logout",
        dependencies=[require(Verb.PUBLIC, action="oidc_backchannel_logout", rate="none")],
        openapi_extra=_FORM,
    )
    async def oidc_backchannel_logout(request: Request, response: Response, call: CurrentCall) -> schemas.LoggedOut:
        """For the provider: end the sessions that its signed logout token names, and what is open by them."""
        response.headers.update(_NO_STORE)
        ended = await openid.back_channel_logout(await _logout_token(request))
        call.concerns("provider", "openid", sessions=ended)
        return schemas.LoggedOut(ended=ended)

    return router


async def _refused(identity: Identity, call: Call, problem: Problem) -> None:
    """The browser gets a redirect, the audit log what it means."""
    act, call.act = call.act, None
    if act is not None:
        act.result, act.status = ("refused" if problem.status < 500 else "failed"), problem.status
        act.details["problem"] = problem.code
        await identity.audit.append(act)


async def _logout_token(request: Request) -> str:
    """Back-Channel Logout 1.0, 2.5: a form with one field."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_LOGOUT:
            raise LogoutRefused("This logout token is too long.")
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=20)
    except ValueError:
        raise LogoutRefused("Send logout_token as a form field.") from None
    given = fields.get("logout_token", [])
    if len(given) != 1:
        raise LogoutRefused("Send logout_token as a form field.")
    return given[0]


def _config(identity: Identity, settings: Settings) -> APIRouter:
    router = Router(prefix="/api", tags=["portal"])

    @router.get("/config", dependencies=[require(Verb.PUBLIC)])
    async def get_config() -> schemas.Config:
        """How people sign in here, for clients that have not yet."""
        is_open = identity.open_mode.enabled
        enabled = identity.openid.enabled and not is_open
        url, realm = _keycloak(settings.oidc_issuer) if enabled else (None, None)
        return schemas.Config(
            auth_enabled=not is_open,
            vault_enabled=False,
            keycloak_url=url,
            keycloak_realm=realm,
            keycloak_client_id=settings.oidc_client_id if enabled else None,
            oidc=schemas.OidcConfig(
                enabled=enabled,
                name=settings.oidc_name if enabled else None,
                login_url=LOGIN if enabled else None,
            ),
            registration=schemas.RegistrationConfig(enabled=not is_open and bool(identity.options.get(ALLOWED, True))),
            passkeys=not is_open,
            onboarding=await identity.onboarding.status(),
        )

    return router


def _keycloak(issuer: str) -> tuple[str, str | None]:
    """A Keycloak's address and realm; another provider's issuer, and none."""
    base, _, realm = issuer.rstrip("/").rpartition("/realms/")
    if base and realm and "/" not in realm and urlsplit(base).netloc:
        return base, realm
    return issuer, None
