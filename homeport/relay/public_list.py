"""The tunnels that everybody may know of, and the data that a page of the portal carries of them (digest E, H)."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
from fastapi import APIRouter
from pydantic import BaseModel

from homeport import __version__
from homeport.identity import Verb
from homeport.identity.guard import require
from homeport.kit.clock import Clock, rfc3339_ms
from homeport.kit.routes import Router
from homeport.relay.lease import Lease
from homeport.relay.leases import Leases
from homeport.relay.policy import Policy
from homeport.relay.snapshot import both_spellings, tunnel
from homeport.settings import Settings

LISTED_WITHOUT_SESSIONS = timedelta(minutes=3)  # since an agent was last seen
MOST = 500  # newest first
MANY = 50  # leases, hidden ones too: then the page's data are made once in
FRESH_SECONDS = 1.0
# What seed 004's pages and other people's read of a public tunnel.
_PUBLIC = (
    "name", "hostname", "first_seen_at", "last_seen_at", "expires_at", "metadata", "ready", "udp_enabled",
    "tcp_enabled", "tcp_addr", "Hostname", "FirstSeenAt", "LastSeenAt", "ExpiresAt", "Metadata", "Ready", "UDPEnabled",
    "TCPEnabled", "TCPAddr",
)  # fmt: skip
# A data block ends where a script would, whatever its type.
_UNSAFE = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}


class PublicTunnel(BaseModel):
    """`online`: somebody serves it now. `thumbnail` is a path here, or empty."""

    name: str
    hostname: str
    url: str
    description: str
    owner: str
    thumbnail: str
    tags: list[str]
    online: bool
    first_seen_at: str
    last_seen_at: str


class ThisRelay(BaseModel):
    url: str
    version: str
    protocol_version: str


class PublicTunnels(BaseModel):
    tunnels: list[PublicTunnel]
    relay: ThisRelay


class PublicList:
    """`picture` gives the path of a tunnel's thumbnail, or nothing."""

    def __init__(
        self,
        leases: Leases,
        policy: Policy,
        settings: Callable[[], Settings],
        clock: Clock,
        picture: Callable[[Lease], str],
    ) -> None:
        self._leases = leases
        self._policy = policy
        self._settings = settings
        self._clock = clock
        self._picture = picture
        self._head: tuple[float, bool, str] | None = None  # until when, whether the list was on, the text

    def leases(self) -> list[Lease]:
        """Neither hidden nor refused, and served lately; the newest first. None while the list is turned off."""
        if not self._policy.landing_page_enabled:
            return []
        since = self._clock.now() - LISTED_WITHOUT_SESSIONS
        found = [
            lease
            for lease in self._leases.all()
            if not lease.metadata.hide
            and self._policy.routable(lease.key)
            and (lease.last_seen_at >= since or (lease.sessions is not None and lease.sessions.ready))
        ]
        found.sort(key=lambda lease: lease.first_seen_at, reverse=True)
        return found[:MOST]

    def rows(self) -> list[dict[str, Any]]:
        """As other makers' pages read them, every field in both spellings."""
        domain = self._settings().domain
        answer = []
        for lease in self.leases():
            row = both_spellings(tunnel(lease, self._policy, domain))
            row["metadata"] = row["Metadata"] = self._metadata(lease, row["metadata"])
            answer.append({name: row[name] for name in _PUBLIC})
        return answer

    def _metadata(self, lease: Lease, given: dict[str, Any]) -> dict[str, Any]:
        """With a thumbnail of ours or none: whoever looks at the list asks no other site for pictures."""
        path = self._picture(lease)
        rest = {name: value for name, value in given.items() if name != "thumbnail"}
        return {**rest, "thumbnail": path} if path else rest

    def page_head(self) -> str:
        """For the `<head>` of the portal's page: what the relay is, and its public tunnels as data. Among many leases
        (10 ms for 500) at most a second old: everybody may ask, as often as they like."""
        now, shown = self._clock.monotonic(), self._policy.landing_page_enabled
        if self._head is None or self._head[1] != shown or now >= self._head[0]:
            self._head = (now + FRESH_SECONDS, shown, self._rendered(shown))
        text = self._head[2]
        if self._leases.count < MANY:
            self._head = None
        return text

    def _rendered(self, shown: bool) -> str:
        settings = self._settings()
        landing = "true" if shown else "false"
        data = orjson.dumps(self.rows()).decode().translate(_UNSAFE)
        title = html.escape(f"Tunnels at {settings.domain}")
        return (
            f'<meta property="og:title" content="{title}" />'
            '<meta property="og:description" content="Services that people share from their own machines." />'
            f'<meta name="portal-landing-page-enabled" content="{landing}" />'
            f'<meta name="portal-release-version" content="v{__version__}" />'
            f'<script id="__SSR_DATA__" type="application/json">{data}</script>'
        )

    def routes(self) -> APIRouter:
        router = Router(tags=["tunnels"])

        @router.get("/api/tunnels/public", dependencies=[require(Verb.PUBLIC, changes=False)])
        async def list_public_tunnels() -> PublicTunnels:
            """Tunnels that are not hidden: for anybody."""
            settings = self._settings()
            return PublicTunnels(
                tunnels=[self._shown(lease) for lease in self.leases()],
                relay=ThisRelay(url=settings.base_url, version=__version__, protocol_version=settings.relay_protocol),
            )

        return router

    def _shown(self, lease: Lease) -> PublicTunnel:
        metadata = lease.metadata
        return PublicTunnel(
            name=lease.identity.name,
            hostname=lease.hostname,
            url=self._settings().app_url(lease.identity.name),
            description=metadata.description,
            owner=metadata.owner,
            thumbnail=self._picture(lease),
            tags=list(metadata.tags),
            online=bool(lease.sessions is not None and lease.sessions.ready) or bool(lease.bridges),
            first_seen_at=rfc3339_ms(lease.first_seen_at),
            last_seen_at=rfc3339_ms(lease.last_seen_at),
        )
