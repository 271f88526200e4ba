"""Tunnels as the API shows them."""

from __future__ import annotations

import io
from typing import Any

from homeport.identity import Actor
from homeport.kit.clock import rfc3339
from homeport.relay.lease import Lease
from homeport.services.models import ServiceRow, ShareRow
from homeport.services.shares.running import WORDS, Health


def share_row(share: ShareRow, service: ServiceRow, health: Health, actor: Actor) -> dict[str, Any]:
    """A tunnel for a service. Where it leads is as much as the caller may know of a service that is another's."""
    return {
        "id": share.id,
        "kind": "share",
        "name": share.name,
        "hostname": health.hostname,
        "url": None if health.tcp_address else _with_path(health.url, service),  # a port speaks no HTTP
        "status": health.status,
        "error": health.error,
        "service_id": service.id,
        "service_name": service.name,
        "access": share.access,
        "description": share.description,
        "hide": share.hide,
        "owner": share.owner_name,
        "mine": share.owner_id == actor.id,
        "can_end": may_end(actor, share.owner_id, share.customer_id),
        "relays": [
            {"url": one.relay, "status": WORDS[one.state], "hostname": one.hostname or None, "error": one.error or None}
            for one in health.relays
        ],
        "created_at": rfc3339(share.created_at),
        "since": rfc3339(health.since) if health.since else None,
        "expires_at": rfc3339(share.expires_at) if share.expires_at else None,
        "visitors": health.visitors,
        "visitors_now": health.visitors_now,
        "bytes_in": health.bytes_in,
        "bytes_out": health.bytes_out,
        "tcp_address": health.tcp_address,
        "udp_address": health.udp_address,
        "qr": None,
    }


def lease_row(lease: Lease, url: str, domain: str, actor: Actor) -> dict[str, Any]:
    """A tunnel of an agent elsewhere, at this portal's relay."""
    ready = lease.sessions.ready if lease.sessions else 0
    return {
        "id": lease.id,
        "kind": "lease",
        "name": lease.identity.name,
        "hostname": lease.hostname,
        "url": url,
        "status": "online" if ready or lease.bridges else "connecting",
        "error": None if ready or lease.bridges else "Its agent has no connection waiting.",
        "service_id": None,
        "service_name": None,
        "access": "everyone",
        "description": lease.metadata.description,
        "hide": lease.metadata.hide,
        "owner": lease.metadata.owner or None,
        "mine": lease.owner_id == actor.id,
        "can_end": may_end(actor, lease.owner_id, None),
        "relays": [],
        "created_at": rfc3339(lease.first_seen_at),
        "since": rfc3339(lease.first_seen_at),
        "expires_at": None,  # it is renewed for as long as its agent runs
        "visitors": lease.traffic.connections,
        "visitors_now": len(lease.bridges),
        "bytes_in": lease.traffic.received,
        "bytes_out": lease.traffic.sent,
        "tcp_address": f"{domain}:{lease.tcp_port}" if lease.tcp_port else None,
        "udp_address": f"{domain}:{lease.udp_port}" if lease.udp_port else None,
        "qr": None,
    }


def may_end(actor: Actor, owner_id: str | None, customer_id: str | None) -> bool:
    """Its owner, the administrators of its customer, and those of the portal."""
    if owner_id is not None and owner_id == actor.id:
        return True
    if not actor.role.is_admin or not actor.grants("*"):
        return False
    return actor.customer_id is None or (customer_id is not None and actor.customer_id == customer_id)


def with_qr(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its address as a picture: SVG in a data: URL."""
    return {**row, "qr": _qr(row["url"])} if row["url"] else row


def _qr(url: str) -> str:
    import segno

    out = io.BytesIO()
    segno.make_qr(url, error="m").save(out, kind="svg", scale=4, border=3, light="#fff", dark="#000", xmldecl=False)
    import base64

    return "data:image/svg+xml;base64," + base64.b64encode(out.getvalue()).decode()


def _with_path(url: str | None, service: ServiceRow) -> str | None:
    """Web pages of endpoints may begin below the root."""
    path = (service.endpoint or {}).get("path") if service.kind == "endpoint" else None
    return f"{url.rstrip('/')}{path}" if url and path else url
