"""The gate of tunnels that are for people who are signed in: looks at each request before the service does."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol
from urllib.parse import parse_qs, quote

from homeport.services.proxy import Admitted, Client
from homeport.services.proxy.heads import trouble
from homeport.services.proxy.pages import Trouble
from homeport.services.shares.grants import Grants
from homeport.wire.http_head import Field, RequestHead

OWN = b"/.homeport/"  # paths below it are the gate's, and never the service's
ENTER = b"/.homeport/enter"
GRANT_COOKIE = b"__Host-homeport_share"
STATE_COOKIE = b"__Host-homeport_enter"
_OURS = frozenset((GRANT_COOKIE, STATE_COOKIE))
_SAFE = frozenset((b"GET", b"HEAD", b"OPTIONS"))
_NONCE = re.compile(rb"[A-Za-z0-9_-]{43}\Z")
_PATH = re.compile(r"/(?![/\\])[!-~]*\Z")
_ATTRIBUTES = b"; Path=/; HttpOnly; Secure; SameSite=Lax"
MOST_PATH = 2048

USED = Trouble(
    403, "ticket_refused", "This link no longer works",
    "It was used already, or is too old, or was made for another browser. Go back to the tunnel's own address.",
)  # fmt: skip
SIGN_IN = Trouble(401, "sign_in_required", "Sign in first", "Open this tunnel's address in a browser and sign in.")
FOREIGN = Trouble(403, "origin_refused", "Not from here", "A page of another site made this request.")
NOTHING = Trouble(404, "not_found", "Nothing here", "There is nothing at this address.")


class Guarded(Protocol):
    """What the gate knows of a share."""

    @property
    def id(self) -> str: ...

    @property
    def access(self) -> str: ...


class Gate:
    """`share_at` finds the share by its tunnel's host name; `base_url` is the portal's address.

    A browser without a grant goes to the portal and comes back with a ticket, which has to be for the nonce in its
    cookie: nobody can be let in by somebody else's ticket without noticing (RFC 6749 section 10.12).
    """

    def __init__(self, grants: Grants, share_at: Callable[[str], Guarded | None], base_url: Callable[[], str]) -> None:
        self._grants = grants
        self._share_at = share_at
        self._base_url = base_url

    def admit(self, client: Client, name: str, head: RequestHead) -> Admitted | bytes:
        """Everybody passes where everybody may; elsewhere whoever has a grant. Our cookies go no further."""
        share = self._share_at(name)
        if share is None or share.access != "signed_in":
            return Admitted(_without_cookies(head) if _cookies(head) else head)
        cookies = _cookies(head)
        path = head.target.partition(b"?")[0]
        if path == ENTER:
            return self._enter(share, head, cookies)
        if path.startswith(OWN):
            return _said(NOTHING, head)
        token = cookies.get(GRANT_COOKIE, b"").decode("latin-1")
        grant = self._grants.find(token, share.id) if token else None
        if grant is None:
            return self._ask(share, head, cookies) if _is_navigation(head) else _said(SIGN_IN, head)
        if _is_foreign(head):
            return _said(FOREIGN, head)
        self._grants.came(grant, client)
        return Admitted(_without_cookies(head), quote(grant.actor.name, safe="@.-_+").encode())

    def left(self, client: Client) -> None:
        """The connection is over."""
        self._grants.left(client)

    def _ask(self, share: Guarded, head: RequestHead, cookies: dict[bytes, bytes]) -> bytes:
        nonce = cookies.get(STATE_COOKIE, b"")
        if not _NONCE.match(nonce):  # else another tab of this browser is on its way too
            nonce = secrets.token_urlsafe(32).encode()
        path = safe_path(head.target.decode("latin-1")) if head.method == b"GET" else "/"
        query = f"next={quote(path, safe='/')}&state={state_of(nonce)}"
        cookie = STATE_COOKIE + b"=" + nonce + b"; Max-Age=600" + _ATTRIBUTES
        return _redirect(f"{self._base_url()}/share/{share.id}?{query}", cookie)

    def _enter(self, share: Guarded, head: RequestHead, cookies: dict[bytes, bytes]) -> bytes:
        nonce = cookies.get(STATE_COOKIE, b"")
        query = head.target.partition(b"?")[2][:MOST_PATH].decode("latin-1")
        given = parse_qs(query).get("ticket", [""])[0]
        if head.method != b"GET" or not nonce or not given:
            return _said(USED, head)
        ticket = self._grants.use(given, share.id, state_of(nonce))
        if ticket is None:
            return _said(USED, head)
        token = self._grants.give(share.id, ticket.actor).encode()
        return _redirect(
            ticket.path,
            GRANT_COOKIE + b"=" + token + _ATTRIBUTES,
            STATE_COOKIE + b"=; Max-Age=0" + _ATTRIBUTES,
        )


def state_of(nonce: bytes) -> str:
    """What the portal learns of a browser's nonce."""
    return base64.urlsafe_b64encode(hashlib.sha256(nonce).digest()).rstrip(b"=").decode()


def safe_path(text: str) -> str:
    """A path (with its query) on the same host, `/` for anything that could lead elsewhere or to the gate itself."""
    if len(text) > MOST_PATH or not _PATH.match(text) or text.encode().startswith(OWN):
        return "/"
    return text


def _is_navigation(head: RequestHead) -> bool:
    """Whether a person opens a page, so that a redirect leads somewhere."""
    if head.method not in (b"GET", b"HEAD") or head.upgrade is not None:
        return False
    mode = head.value(b"sec-fetch-mode")
    return mode == b"navigate" if mode else b"text/html" in head.value(b"accept").lower()


def _is_foreign(head: RequestHead) -> bool:
    """Whether another site's page changes something, or opens a WebSocket, in the visitor's name. Other tunnels of the
    same relay are the same site to a browser: SameSite does not stop them."""
    if head.method in _SAFE and head.upgrade is None:
        return False
    origin = head.value(b"origin")
    if origin:
        return origin.lower() != b"https://" + head.host.lower()
    return head.value(b"sec-fetch-site") not in (b"", b"same-origin", b"none")


def _cookies(head: RequestHead) -> dict[bytes, bytes]:
    """Ours only; the first of each name."""
    found: dict[bytes, bytes] = {}
    for name, value, _ in head.fields:
        if name == b"cookie":
            for pair in value.split(b";"):
                key, _, text = pair.strip(b" \t").partition(b"=")
                if key in _OURS:
                    found.setdefault(key, text)
    return found


def _without_cookies(head: RequestHead) -> RequestHead:
    fields = []
    for field in head.fields:
        if field.name != b"cookie":
            fields.append(field)
            continue
        pairs = [pair.strip(b" \t") for pair in field.value.split(b";")]
        kept = b"; ".join(pair for pair in pairs if pair and pair.partition(b"=")[0] not in _OURS)
        if kept:
            fields.append(Field(field.name, kept, b"Cookie: " + kept))
    return replace(head, fields=tuple(fields))


def _redirect(location: str, *cookies: bytes) -> bytes:
    lines = b"".join(b"Set-Cookie: " + cookie + b"\r\n" for cookie in cookies)
    return (
        b"HTTP/1.1 303 See Other\r\nLocation: " + location.encode("ascii") + b"\r\n" + lines
        + b"Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )  # fmt: skip


def _said(what: Trouble, head: RequestHead) -> bytes:
    return trouble(what, name="", head=head, keep_alive=False)
