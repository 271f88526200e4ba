"""Requests that another site's page caused. Apps beside the portal are same-site: SameSite does not stop those."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_PLAIN = {"wss": "https", "ws": "http"}


def needs_origin(connection: HTTPConnection) -> bool:
    """True where a cookie alone must not be enough: unsafe methods and every WebSocket."""
    return connection.scope["type"] == "websocket" or connection.scope.get("method") not in SAFE_METHODS


def is_own_origin(connection: HTTPConnection, base_url: Callable[[], str]) -> bool:
    """Whether the page that caused this request came from the portal itself.

    `Origin` has to be the portal's base URL or the very host that was asked. Browsers send it with every unsafe
    request and every WebSocket handshake; where it is missing, `Sec-Fetch-Site` has to say that no other site asked.
    """
    origin = connection.headers.get("origin")
    if origin is None:
        return connection.headers.get("sec-fetch-site") in {"same-origin", "none"}
    scheme = _PLAIN.get(connection.scope["scheme"], connection.scope["scheme"])
    return origin in {_origin_of(base_url()), f"{scheme}://{connection.headers.get('host', '')}"}


def is_foreign(connection: HTTPConnection, base_url: Callable[[], str]) -> bool:
    """Whether a page of another site caused this request. Clients that are no browsers say nothing: theirs is not."""
    asked = "origin" in connection.headers or "sec-fetch-site" in connection.headers
    return asked and not is_own_origin(connection, base_url)


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
