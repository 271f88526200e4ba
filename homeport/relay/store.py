"""All SQL of leases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.relay.lease import Lease, Metadata, TunnelIdentity
from homeport.relay.models import LeaseRow


async def save(db: AsyncSession, lease: Lease) -> None:
    """The identity's one lease: replaces the one before."""
    await db.merge(
        LeaseRow(
            identity_key=lease.key,
            id=lease.id,
            name=lease.identity.name,
            address=lease.identity.address,
            hostname=lease.hostname,
            route_hostname=lease.route_hostname,
            hostname_hash=lease.hostname_hash,
            ech_config_list=lease.ech_config_list,
            client_ip=lease.client_ip,
            owner_id=lease.owner_id,
            tcp_enabled=lease.tcp_enabled,
            udp_enabled=lease.udp_enabled,
            tcp_port=lease.tcp_port,
            udp_port=lease.udp_port,
            first_seen_at=lease.first_seen_at,
            **_renewed(lease),
        )
    )


async def save_renewed(db: AsyncSession, lease: Lease) -> None:
    """What a renewal may have changed."""
    await db.execute(update(LeaseRow).where(LeaseRow.id == lease.id).values(**_renewed(lease)))


async def delete_leases(db: AsyncSession, ids: Sequence[str]) -> None:
    for identifier in ids:
        await db.execute(delete(LeaseRow).where(LeaseRow.id == identifier))


async def list_leases(db: AsyncSession) -> list[Lease]:
    """All that are kept, expired ones too, in the order in which they began."""
    rows = (await db.execute(select(LeaseRow).order_by(LeaseRow.first_seen_at, LeaseRow.id))).scalars()
    return [
        Lease(
            row.id,
            TunnelIdentity(row.name, row.address),
            row.hostname,
            row.first_seen_at,
            row.last_seen_at,
            row.expires_at,
            Metadata(**{**row.notes, "tags": tuple(row.notes.get("tags", ()))}),
            row.route_hostname,
            row.hostname_hash,
            row.ech_config_list,
            row.client_ip,
            row.reported_ip,
            row.owner_id,
            row.tcp_enabled,
            row.udp_enabled,
            row.tcp_port,
            row.udp_port,
        )
        for row in rows
    ]


def _renewed(lease: Lease) -> dict[str, Any]:
    return {
        "notes": asdict(lease.metadata),
        "reported_ip": lease.reported_ip,
        "last_seen_at": lease.last_seen_at,
        "expires_at": lease.expires_at,
    }
