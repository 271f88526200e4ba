"""Routes of the relay's administration: R07 to R25 of seed 004, for wallets and the portal's own administrators."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from homeport.identity import Identity, Verb, allowed
from homeport.identity.guard import CurrentActor, CurrentCall, require
from homeport.kit.clock import rfc3339
from homeport.kit.problems import Problem
from homeport.kit.routes import Router
from homeport.relay.admin_routes import AdminRoute, LastRoute, identity_in_path, without_slash
from homeport.relay.envelope import ADMIN_CAP, Body, read_json, success
from homeport.relay.leases import Leases
from homeport.relay.policy import Policy, PortPolicy
from homeport.relay.problems import InvalidRequest, MethodNotAllowed
from homeport.relay.snapshot import ports, snapshot
from homeport.relay.wallets import COOKIE, LASTS, Wallets, cookies

READ, WRITE = require(Verb.RELAY_READ), require(Verb.RELAY_WRITE)
_COOKIE_RULES = "Path=/admin; Max-Age={seconds}; HttpOnly; Secure; SameSite=Strict"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def routes(identity: Identity, policy: Policy, wallets: Wallets, leases: Leases) -> list[APIRouter]:
    """To be included in this order: the last one answers what no other route below /admin does."""
    admin = Router(prefix="/admin", tags=["relay"], route_class=AdminRoute)
    _signing_in(admin, identity, wallets)
    _settings(admin, identity, policy, leases)
    _decisions(admin, policy)
    return [admin, _refusals(admin)]


def _signing_in(admin: APIRouter, identity: Identity, wallets: Wallets) -> None:
    @admin.post(
        "/auth/challenge",
        dependencies=[require(Verb.PUBLIC, changes=False, rate="auth")],
        openapi_extra=_takes(address="string"),
    )
    async def challenge_relay_wallet(request: Request, call: CurrentCall) -> Response:
        """A message for a wallet of an administrator to sign."""
        body = await _body(request)
        host = request.headers.get("host", "")
        challenge = wallets.challenge(body.text("address"), host=host, client=call.address)
        answer = {
            "challenge_id": challenge.id,
            "expires_at": rfc3339(challenge.expires_at),
            "siwe_message": challenge.message,
        }
        return success(answer, 201)

    @admin.post(
        "/auth/login",
        dependencies=[require(Verb.PUBLIC, action="relay_login", rate="auth")],
        openapi_extra=_takes(challenge_id="string", siwe_message="string", siwe_signature="string"),
    )
    async def sign_in_relay_wallet(request: Request, call: CurrentCall) -> Response:
        """Sign in by the signed message: for 24 hours, by a cookie."""
        _refuse_other_sites(identity, request)
        body = await _body(request)
        call.concerns("challenge", body.text("challenge_id")[:60])
        token, session = wallets.sign_in(
            body.text("challenge_id"), body.text("siwe_message"), body.text("siwe_signature")
        )
        call.concerns("wallet", session.wallet)
        call.by(session.actor)
        return _with_cookie(success({"wallet_address": session.wallet}), token, int(LASTS.total_seconds()))

    @admin.post("/logout", dependencies=[require(Verb.PUBLIC, action="relay_logout")])
    async def sign_out_relay_wallet(request: Request, call: CurrentCall) -> Response:
        """End the wallet's session, if there is one."""
        _refuse_other_sites(identity, request)
        ended = list(filter(None, map(wallets.sign_out, cookies(request))))
        if ended:
            call.concerns("wallet", ended[0].wallet)
            call.by(ended[0].actor)
        else:
            call.act = None
        return _with_cookie(success({}), "", 0)

    @admin.get("/auth/status", dependencies=[require(Verb.PUBLIC)])
    async def get_relay_sign_in(request: Request) -> Response:
        """Whether who asks may administer the relay, and by which wallet."""
        try:
            actor, via = await identity.authenticate(request)
        except Problem:  # nobody, or nobody any more
            return success({"authenticated": False})
        if via == "wallet":
            return success({"authenticated": True, "wallet_address": actor.name})
        return success({"authenticated": allowed(actor, Verb.RELAY_READ)})


def _settings(admin: APIRouter, identity: Identity, policy: Policy, leases: Leases) -> None:
    @admin.get("/snapshot", dependencies=[READ])
    async def get_relay_snapshot() -> Response:
        """The relay's settings and every lease; of a lease's fields, both spellings."""
        return success(snapshot(policy, leases.all(), identity.settings.domain))

    @admin.post("/settings/landing-page", dependencies=[WRITE], openapi_extra=_takes(enabled="boolean"))
    async def set_relay_landing_page(request: Request, actor: CurrentActor, call: CurrentCall) -> Response:
        """Whether the relay's list of tunnels is shown to everybody."""
        enabled = (await _body(request)).flag("enabled")
        call.concerns("relay", "landing-page", enabled=enabled)
        await policy.set_landing_page(enabled, by=actor.id)
        return success({"enabled": policy.landing_page_enabled})

    @admin.post("/settings/udp", dependencies=[WRITE], openapi_extra=_takes(enabled="boolean", max_leases="integer"))
    async def set_relay_udp(request: Request, actor: CurrentActor, call: CurrentCall) -> Response:
        """Whether leases may have UDP ports, and how many at once; 0 is no limit."""
        wanted = _port_policy(await _body(request))
        call.concerns("relay", "udp", **ports(wanted))
        await policy.set_udp(wanted, by=actor.id)
        return success(ports(policy.udp))

    @admin.post(
        "/settings/tcp-port", dependencies=[WRITE], openapi_extra=_takes(enabled="boolean", max_leases="integer")
    )
    async def set_relay_tcp_port(request: Request, actor: CurrentActor, call: CurrentCall) -> Response:
        """Whether leases may have TCP ports, and how many at once; 0 is no limit."""
        wanted = _port_policy(await _body(request))
        call.concerns("relay", "tcp-port", **ports(wanted))
        await policy.set_tcp_port(wanted, by=actor.id)
        return success(ports(policy.tcp_port))

    @admin.post("/settings/approval-mode", dependencies=[WRITE], openapi_extra=_takes(mode="string"))
    async def set_relay_approval_mode(request: Request, actor: CurrentActor, call: CurrentCall) -> Response:
        """`auto` lets every tunnel be reached that is not denied, `manual` only those that were approved."""
        mode = (await _body(request)).text("mode")
        call.concerns("relay", "approval-mode", mode=mode[:20])
        await policy.set_approval_mode(mode, by=actor.id)
        return success({"approval_mode": policy.approval_mode})


def _decisions(admin: APIRouter, policy: Policy) -> None:
    for act, decide, take_back, said in (
        ("ban", policy.ban, policy.unban, "Keep an identity away: it can neither serve nor register."),
        ("approve", policy.approve, policy.unapprove, "Let an identity's tunnel be reached; takes back a denial."),
        ("deny", policy.deny, policy.undeny, "Let nobody reach an identity's tunnel; takes back an approval."),
    ):
        path = f"/leases/{{name}}/{{addr}}/{act}"
        admin.add_api_route(
            path, _deciding(decide), methods=["POST"], name=f"{act}_tunnel", dependencies=[WRITE],
            description=f"{said} Name and address are base64url, or both as they are.",
        )  # fmt: skip
        admin.add_api_route(
            path, _deciding(take_back), methods=["DELETE"], name=f"un{act}_tunnel", dependencies=[WRITE],
            description=f"Take back what `{act}` said of an identity.",
        )  # fmt: skip

    @admin.post("/leases/{name}/{addr}/bps", dependencies=[WRITE], openapi_extra=_takes(bps="integer"))
    async def limit_tunnel(name: str, addr: str, request: Request, call: CurrentCall) -> Response:
        """Bytes a second for all connections of an identity's tunnel together."""
        key = _key(name, addr, call)
        bps = (await _body(request)).number("bps")
        call.concerns("tunnel", key, bps=bps)
        if bps <= 0:
            raise InvalidRequest("bps has to be more than 0 bytes a second.")
        await policy.set_bps(key, bps)
        return success({})

    @admin.delete("/leases/{name}/{addr}/bps", dependencies=[WRITE])
    async def unlimit_tunnel(name: str, addr: str, call: CurrentCall) -> Response:
        """No limit any more."""
        await policy.set_bps(_key(name, addr, call), None)
        return success({})

    @admin.post("/ips/{ip:path}/ban", dependencies=[WRITE])
    async def ban_relay_address(ip: str, call: CurrentCall) -> Response:
        """Keep an address, or a network as CIDR, from the relay's tunnels and from registering any."""
        call.concerns("network", await policy.ban_network(ip))
        return success({})

    @admin.delete("/ips/{ip:path}/ban", dependencies=[WRITE])
    async def unban_relay_address(ip: str, call: CurrentCall) -> Response:
        """Let an address or network come back."""
        call.concerns("network", await policy.unban_network(ip))
        return success({})


def _deciding(change: Callable[[str], Awaitable[None]]) -> Callable[..., Awaitable[Response]]:
    async def decide(name: str, addr: str, call: CurrentCall) -> Response:
        await change(_key(name, addr, call))
        return success({})

    return decide


def _refusals(admin: APIRouter) -> APIRouter:
    last = Router(include_in_schema=False, route_class=LastRoute)
    patterns = [route.path_regex for route in admin.routes if isinstance(route, AdminRoute)]

    @last.api_route(
        "/admin/{path:path}", methods=list(_METHODS), dependencies=[require(Verb.RELAY_READ, changes=False)]
    )
    async def refuse_relay_path(request: Request) -> Response:
        """405 for a path of another method, 404 for all others; 401 before either."""
        if any(pattern.match(without_slash(request.scope["path"])) for pattern in patterns):
            raise MethodNotAllowed("This path takes another method.")
        return PlainTextResponse("404 page not found\n", 404)

    return last


def _takes(**fields: str) -> dict[str, Any]:
    """What the OpenAPI document says of a body that `read_json` reads: fields and their types."""
    properties = {name: {"type": kind} for name, kind in fields.items()}
    schema = {"type": "object", "properties": properties, "required": list(fields)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


async def _body(request: Request) -> Body:
    return await read_json(request, ADMIN_CAP, malformed=InvalidRequest("invalid request body"))


def _key(name: str, address: str, call: CurrentCall) -> str:
    key = identity_in_path(name, address).key
    call.concerns("tunnel", key)
    return key


def _port_policy(body: Body) -> PortPolicy:
    return PortPolicy(body.flag("enabled"), body.number("max_leases"))


def _refuse_other_sites(identity: Identity, request: Request) -> None:
    if "origin" in request.headers:
        identity.refuse_other_sites(request)


def _with_cookie(response: Response, token: str, seconds: int) -> Response:
    response.headers["set-cookie"] = f"{COOKIE}={token}; {_COOKIE_RULES.format(seconds=seconds)}"
    response.headers["cache-control"] = "no-store"
    return response
