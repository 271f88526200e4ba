"""What administrators see of leases: every field in both spellings that clients read (digest F.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from homeport.kit.clock import rfc3339_ms
from homeport.relay.lease import Lease, Metadata
from homeport.relay.policy import Policy, PortPolicy

_OTHER_SPELLING = {
    "expires_at": "ExpiresAt",
    "first_seen_at": "FirstSeenAt",
    "last_seen_at": "LastSeenAt",
    "hostname": "Hostname",
    "udp_enabled": "UDPEnabled",
    "tcp_enabled": "TCPEnabled",
    "tcp_addr": "TCPAddr",
    "metadata": "Metadata",
    "ready": "Ready",
    "bps": "BPS",
    "client_ip": "ClientIP",
    "reported_ip": "ReportedIP",
    "is_approved": "IsApproved",
    "is_banned": "IsBanned",
    "is_denied": "IsDenied",
    "is_ip_banned": "IsIPBanned",
}


def snapshot(policy: Policy, leases: Iterable[Lease], domain: str) -> dict[str, Any]:
    """The relay's state as `GET /admin/snapshot` gives it; `leases` is left out when there are none."""
    answer: dict[str, Any] = {
        "approval_mode": policy.approval_mode,
        "landing_page_enabled": policy.landing_page_enabled,
        "udp": ports(policy.udp),
        "tcp_port": ports(policy.tcp_port),
    }
    if rows := [both_spellings(tunnel(lease, policy, domain)) for lease in leases]:
        answer["leases"] = rows
    return answer


def ports(policy: PortPolicy) -> dict[str, Any]:
    return {"enabled": policy.enabled, "max_leases": policy.max_leases}


def tunnel(lease: Lease, policy: Policy, domain: str) -> dict[str, Any]:
    """One lease as administrators see it, `connections` and bytes since it was first registered.

    `bps` is bytes a second, 0 no limit; `is_approved` is what counts (in auto mode all are but those denied).
    """
    decision = policy.decision(lease.key)
    return {
        "id": lease.id,
        "identity_key": lease.key,
        "name": lease.identity.name,
        "address": lease.identity.address,
        "hostname": lease.hostname,
        "owner_id": lease.owner_id,
        "first_seen_at": rfc3339_ms(lease.first_seen_at),
        "last_seen_at": rfc3339_ms(lease.last_seen_at),
        "expires_at": rfc3339_ms(lease.expires_at),
        "metadata": _metadata(lease.metadata),
        "client_ip": lease.client_ip,
        "reported_ip": lease.reported_ip,
        "udp_enabled": lease.udp_enabled,
        "tcp_enabled": lease.tcp_enabled,
        "udp_addr": f"{domain}:{lease.udp_port}" if lease.udp_port else "",
        "tcp_addr": f"{domain}:{lease.tcp_port}" if lease.tcp_port else "",
        "ready": lease.sessions.ready if lease.sessions is not None else 0,
        "open": len(lease.bridges),
        "connections": lease.traffic.connections,
        "received_bytes": lease.traffic.received,
        "sent_bytes": lease.traffic.sent,
        "bps": decision.bps or 0,
        "is_approved": not decision.denied and (decision.approved or policy.approval_mode == "auto"),
        "is_denied": decision.denied,
        "is_banned": decision.banned,
        "is_ip_banned": policy.refused(lease.client_ip),
        "waits": policy.waits(lease.key),
    }


def both_spellings(row: dict[str, Any]) -> dict[str, Any]:
    return row | {other: row[name] for name, other in _OTHER_SPELLING.items()}


def _metadata(metadata: Metadata) -> dict[str, Any]:
    """Empty fields are left out."""
    given = {
        "description": metadata.description,
        "owner": metadata.owner,
        "thumbnail": metadata.thumbnail,
        "tags": list(metadata.tags),
        "hide": metadata.hide,
    }
    return {name: value for name, value in given.items() if value}
