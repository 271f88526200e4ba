"""GET /discovery and POST /discovery/announce (R27, R28)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from homeport.identity import Verb
from homeport.identity.guard import CurrentCall, require
from homeport.kit.clock import Clock, rfc3339_ms
from homeport.kit.routes import Router
from homeport.relay.discovery.discovery import Discovery
from homeport.relay.envelope import SDK_CAP, EnvelopeRoute, read_json, success
from homeport.relay.policy import Policy

ASKING = require(Verb.PUBLIC, changes=False, rate="none")


def routes(discovery: Discovery, policy: Policy, clock: Clock) -> APIRouter:
    router = Router(tags=["relay"], route_class=EnvelopeRoute)

    @router.get("/discovery", dependencies=[ASKING])
    async def get_discovery() -> Response:
        """Signed descriptors: ours, then those of the relays we know of. 404 where discovery is off."""
        if not discovery.enabled:
            return _nothing()
        return success(
            {
                "protocol_version": discovery.version,
                "generated_at": rfc3339_ms(clock.now()),
                "relays": [dict(each.raw) for each in discovery.descriptors()],
            }
        )

    @router.post("/discovery/announce", dependencies=[ASKING])
    async def announce_relay(request: Request, call: CurrentCall) -> Response:
        """Another relay says that it is there, by its signed descriptor."""
        if not discovery.enabled:
            return _nothing()
        policy.require_address(call.address)
        discovery.announcements.take(call.address, clock.monotonic())
        body = await read_json(request, SDK_CAP)
        discovery.announced(body.get("descriptor"), body.text("protocol_version").strip())
        return success({"protocol_version": discovery.version, "accepted": True}, 202)

    return router


def _nothing() -> Response:
    return PlainTextResponse("404 page not found\n", 404)
