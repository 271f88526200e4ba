"""What a request presents to say who asks."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from homeport.identity.origin import SAFE_METHODS
from homeport.identity.sockets import BEARER_PROTOCOL, bearer_protocol


def presented(connection: HTTPConnection) -> tuple[str, str]:
    """A credential that the client sent on purpose, and how: not a cookie, which browsers send by themselves."""
    scheme, _, value = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() in {"bearer", "api-key"} and value.strip():
        return value.strip(), "bearer"
    if key := connection.headers.get("x-api-key", ""):
        return key, "bearer"
    if connection.scope["type"] == "websocket" and (offered := bearer_protocol(connection)):
        return offered.removeprefix(BEARER_PROTOCOL), "bearer"
    if connection.scope["type"] == "websocket" and (ticket := connection.query_params.get("ticket", "")):
        return ticket, "ticket"
    if connection.scope["type"] == "websocket" or connection.scope["method"] in SAFE_METHODS:
        return connection.query_params.get("token") or connection.query_params.get("access_token", ""), "query"
    return "", "none"
