"""What clients of the relay say over HTTP: what it is, registering, renewing, leaving, and whether a tunnel is alive.

Seed 004; status codes and the order of checks are those of digest A.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from homeport import __version__
from homeport.identity import COOKIE, Identity, Verb
from homeport.identity.access import Actor, allowed
from homeport.identity.client_address import network_of
from homeport.identity.guard import Call, CurrentCall, refusal, require
from homeport.kit.clock import rfc3339
from homeport.kit.routes import Router
from homeport.relay.challenges import REGISTRATION, Challenges
from homeport.relay.envelope import DOMAIN, SDK_CAP, Body, EnvelopeRoute, read_json, success
from homeport.relay.identities import normal_host
from homeport.relay.lease import Lease
from homeport.relay.leases import Leases
from homeport.relay.policy import Policy
from homeport.relay.problems import FeatureUnavailable, HijackUnsupported, Http11Only, InvalidRequest, LeaseRejected
from homeport.relay.registration import RegisterRequest, renewed_metadata
from homeport.settings import Settings

PRESENTED = "x-portal-access-token"
HEALTH = "/healthz"
REGISTRATIONS_A_MINUTE = 600  # challenges for one address
EVERY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

# Nobody has to sign in for these; the bounds are those of challenges and leases, not of requests: many tunnels behind
# one address renew often, and a client that is told to wait loses its tunnel.
ASKING = require(Verb.PUBLIC, changes=False, rate="none")


def acting(action: str) -> Any:
    """As ASKING, for what the audit log records."""
    return require(Verb.PUBLIC, action=action, rate="none")


def routes(
    leases: Leases, policy: Policy, challenges: Challenges, identity: Identity, settings: Callable[[], Settings]
) -> APIRouter:
    """All of them, bound to their parts; `settings` gives those of now, for the port is known once we listen."""

    async def require_relay(request: Request) -> None:
        if not settings().relay and request.url.path != HEALTH:
            raise FeatureUnavailable("This portal serves no tunnels.")

    router = Router(tags=["relay"], route_class=EnvelopeRoute, dependencies=[Depends(require_relay)])
    _add_registration(router, leases, policy, challenges, identity, settings)
    _add_holders(router, leases, policy)
    _add_state(router, leases, policy, settings)
    return router


def _add_registration(
    router: APIRouter,
    leases: Leases,
    policy: Policy,
    challenges: Challenges,
    identity: Identity,
    settings: Callable[[], Settings],
) -> None:

    @router.post("/sdk/register/challenge", dependencies=[ASKING], status_code=201)
    async def begin_registration(request: Request, call: CurrentCall) -> Response:
        """A message for the wallet to sign, which registers what is asked for here. It is good for two minutes."""
        policy.require_address(call.address)
        wanted = RegisterRequest.read(await read_json(request, SDK_CAP), leases.require_features)
        client = network_of(call.address)
        await identity.rate_limits.take(f"relay:{client}", REGISTRATIONS_A_MINUTE)
        challenge = challenges.begin(
            REGISTRATION,
            wanted.identity.address,
            host=request.headers.get("host", ""),
            client=client,
            payload=wanted,
            secure=request.url.scheme == "https",
        )
        return success(
            {
                "challenge_id": challenge.id,
                "expires_at": rfc3339(challenge.expires_at),
                "siwe_message": challenge.message,
            },
            201,
        )

    @router.post("/sdk/register", dependencies=[acting("register_tunnel")], status_code=201)
    async def register_tunnel(request: Request, call: CurrentCall) -> Response:
        """A lease for whoever signed the challenge. With the credential of an account beside it, the tunnel is that
        account's, and waits for no approval."""
        policy.require_address(call.address)
        body = await read_json(request, SDK_CAP)
        given = body.text("challenge_id").strip(), body.text("siwe_message"), body.text("siwe_signature")
        reported_ip = body.text("reported_ip")
        owner = await _account(identity, request)
        challenge = challenges.finish(REGISTRATION, *given)
        lease, token = await leases.register(
            challenge.payload,
            address=call.address,
            reported_ip=reported_ip,
            owner_id=owner.id if owner is not None else None,
        )
        if owner is not None:
            call.by(owner)
        _concerns(call, lease)
        return success(_registered(lease, token, settings()), 201)


def _add_holders(router: APIRouter, leases: Leases, policy: Policy) -> None:
    @router.post("/sdk/renew", dependencies=[ASKING])
    async def renew_tunnel(request: Request, call: CurrentCall) -> Response:
        """More time, and a fresh token. What is said of the tunnel is replaced where the request says something."""
        policy.require_address(call.address)
        body = await read_json(request, SDK_CAP)
        ttl, reported_ip = body.number("ttl"), body.text("reported_ip")
        metadata = renewed_metadata(body)
        lease, token = await leases.renew(_token(request, body), ttl, metadata, reported_ip=reported_ip)
        return success({"expires_at": rfc3339(lease.expires_at), "access_token": token})

    @router.post("/sdk/unregister", dependencies=[acting("unregister_tunnel")])
    async def unregister_tunnel(request: Request, call: CurrentCall) -> Response:
        """The tunnel's name is free at once; visitors that are being served go on."""
        body = await read_json(request, SDK_CAP)
        _concerns(call, await leases.unregister(_token(request, body)))
        return success({})

    @router.get("/sdk/connect", dependencies=[ASKING])
    async def connect_tunnel(request: Request, call: CurrentCall) -> Response:
        """A reverse session has to be the first request of its connection: here it comes too late, or by a proxy that
        keeps the connection to itself."""
        if not request.scope["http_version"].startswith("1."):
            raise Http11Only("Reverse sessions need HTTP/1.1.")
        policy.require_address(call.address)
        if not policy.routable(leases.holder(request.headers.get(PRESENTED, "").strip()).key):
            raise LeaseRejected("This tunnel is not approved, or it is banned or denied.")
        raise HijackUnsupported("Open a connection of its own for this, without a proxy that ends TLS.")


def _add_state(router: APIRouter, leases: Leases, policy: Policy, settings: Callable[[], Settings]) -> None:
    @router.get(DOMAIN, dependencies=[ASKING])
    async def get_relay_domain() -> Response:
        """What this relay speaks; clients ask before anything else, and pages of other sites may."""
        response = success(
            {
                "protocol_version": settings().relay_protocol,
                "release_version": f"v{__version__}",
                "ens": {"enabled": False, "verified": False},
            }
        )
        response.headers["access-control-allow-origin"] = "*"
        return response

    async def refuse_hop(call: CurrentCall) -> Response:
        """Routes over several relays: this one is no part of an overlay."""
        policy.require_address(call.address)
        raise FeatureUnavailable("This relay is no part of an overlay.")

    for method, name in (("POST", "add_relay_hop"), ("DELETE", "remove_relay_hop")):
        router.add_api_route("/sdk/hop", refuse_hop, methods=[method], dependencies=[ASKING], name=name)

    async def get_relay_health() -> Response:
        """That the relay answers."""
        return success({"status": "ok"})

    router.add_api_route(HEALTH, get_relay_health, methods=["GET"], dependencies=[ASKING])
    router.add_api_route(
        HEALTH,
        get_relay_health,
        methods=EVERY_METHOD[1:],
        dependencies=[ASKING],
        name="get_relay_health_by_other_methods",
        include_in_schema=False,
    )

    @router.get("/tunnel/status", dependencies=[ASKING])
    async def get_tunnel_status(request: Request) -> Response:
        """Whether a public tunnel is registered, and whether anybody serves it. Its own token also sees a hidden one,
        or one that waits for approval."""
        hostname = normal_host(request.query_params.get("hostname", ""))
        if not hostname:
            raise InvalidRequest("hostname is required.")
        token = request.headers.get(PRESENTED, "").strip()
        holder = leases.holder(token) if token else None
        lease = leases.at(hostname)
        if lease is not None and lease is not holder and (lease.metadata.hide or not policy.routable(lease.key)):
            lease = None
        alive = lease is not None and lease.sessions is not None and lease.sessions.ready > 0
        return success({"hostname": hostname, "registered": lease is not None, "service_alive": alive})


async def _account(identity: Identity, request: Request) -> Actor | None:
    """Who is signed in, by a bearer token or a cookie that came along. Raises as a route that asks for it would."""
    if "authorization" not in request.headers and COOKIE not in request.cookies:
        return None
    actor, _ = await identity.authenticate(request)
    if not allowed(actor, Verb.TUNNELS_WRITE):
        raise refusal(actor, Verb.TUNNELS_WRITE)
    return actor


def _token(request: Request, body: Body) -> str:
    return (request.headers.get(PRESENTED) or body.text("access_token")).strip()


def _concerns(call: Call, lease: Lease) -> None:
    call.concerns("tunnel", lease.hostname, wallet=lease.identity.address)


def _registered(lease: Lease, token: str, settings: Settings) -> dict[str, Any]:
    """What every generation of clients looks for; ports only where there are some."""
    answer: dict[str, Any] = {
        "identity": {"name": lease.identity.name, "address": lease.identity.address},
        "expires_at": rfc3339(lease.expires_at),
        "hostname": lease.hostname,
        "access_token": token,
        "sni_port": settings.port,
    }
    if lease.udp_enabled:
        answer |= {"udp_enabled": True, "udp_addr": f"{settings.domain}:{lease.udp_port}"}
    if lease.tcp_enabled:
        answer |= {"tcp_enabled": True, "tcp_addr": f"{settings.domain}:{lease.tcp_port}"}
    return answer
