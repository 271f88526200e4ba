"""R29 by way of the application (the front answers most of it before), and certificates for agents' own keys."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from homeport.identity import Verb
from homeport.identity.guard import CurrentCall, require
from homeport.kit.routes import Router
from homeport.relay.envelope import EnvelopeRoute, read_json, success
from homeport.relay.signing.asked import MAX_BODY_BYTES
from homeport.relay.signing.issuing import TunnelCertificates
from homeport.relay.signing.signing import PATH, Signing

HEADER = "X-Portal-Access-Token"
LARGEST_REQUEST = 64 * 1024  # bytes
_OTHER_METHODS = ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"]


class SignatureOut(BaseModel):
    key_id: str
    algorithm: str
    signature: str


class NotSignedOut(BaseModel):
    error: str


class CertificateData(BaseModel):
    certificate: str


class CertificateOut(BaseModel):
    ok: bool
    data: CertificateData


_SIGN_BODY: dict[str, Any] = {
    "type": "object",
    "required": ["key_id", "algorithm", "digest", "timestamp_unix", "nonce"],
    "properties": {
        "key_id": {"type": "string", "const": "relay-cert"},
        "algorithm": {"type": "string", "description": "ECDSA_SHA256, RSA_PSS_SHA256 and so on, as the key has it."},
        "digest": {"type": "string", "description": "The hash to sign, in base64."},
        "timestamp_unix": {"type": "integer", "description": "At most 30 seconds from the relay's time."},
        "nonce": {"type": "string", "description": "Never used before."},
    },
}
_CSR_BODY: dict[str, Any] = {
    "type": "object",
    "required": ["csr"],
    "properties": {"csr": {"type": "string", "description": "PEM, for the lease's host name and nothing else."}},
}


def routes(signing: Signing, certificates: TunnelCertificates) -> list[APIRouter]:
    """All routes, bound to the parts that serve them."""
    return [_sign_routes(signing), _certificate_routes(certificates)]


def _sign_routes(signing: Signing) -> APIRouter:
    router = Router(tags=["relay"])
    guard = require(Verb.PUBLIC, changes=False, rate="none")

    async def sign_handshake(request: Request, call: CurrentCall) -> Response:
        """Sign the digest of a TLS handshake with the relay's own key: for whoever holds a lease, by its token."""
        reply = await signing.reply(
            request.method.encode("ascii", "replace"),
            request.headers.get(HEADER, "").encode("latin-1"),
            request.headers.get("content-type", "").encode("latin-1"),
            await _body(request),
            call.address,
        )
        headers = {name.decode("ascii"): value.decode("ascii") for name, value in reply.more}
        return Response(reply.body, reply.status, {**headers, "content-type": reply.kind.decode("ascii")})

    router.add_api_route(
        PATH,
        sign_handshake,
        methods=["POST"],
        dependencies=[guard],
        responses={
            200: {"model": SignatureOut},
            **{status: {"model": NotSignedOut} for status in (400, 403, 405, 415, 429)},
        },
        openapi_extra={"requestBody": {"content": {"application/json": {"schema": _SIGN_BODY}}, "required": True}},
    )
    router.add_api_route(
        PATH,
        sign_handshake,
        methods=_OTHER_METHODS,
        name="refuse_to_sign_handshake",
        dependencies=[guard],
        include_in_schema=False,
    )
    return router


def _certificate_routes(certificates: TunnelCertificates) -> APIRouter:
    router = Router(tags=["relay"], route_class=EnvelopeRoute)

    @router.post(
        "/sdk/certificate",
        dependencies=[require(Verb.PUBLIC, action="issue_tunnel_certificate")],
        responses={200: {"model": CertificateOut}},
        openapi_extra={"requestBody": {"content": {"application/json": {"schema": _CSR_BODY}}, "required": True}},
    )
    async def issue_tunnel_certificate(request: Request, call: CurrentCall) -> Response:
        """A certificate of the portal's own authority for a lease's host name and the holder's own key, for a week.

        503 feature_unavailable where the portal's name has a certificate that everybody knows: ACME gives one, too.
        """
        asked = await read_json(request, LARGEST_REQUEST)
        token = request.headers.get(HEADER, "").strip() or asked.text("access_token")
        lease, chain = certificates.issue(token, asked.text("csr"))
        call.concerns("tunnel", lease.hostname, identity=lease.key)
        return success({"certificate": chain})

    return router


async def _body(request: Request) -> bytes:
    """At most one byte more than may be: then it is refused as it is."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            return body[: MAX_BODY_BYTES + 1]
    return body
