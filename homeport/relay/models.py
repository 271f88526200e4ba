"""The relay's tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from homeport.storage.tables import Base, Instant


class LeaseRow(Base):
    """A lease as it outlives a restart; its sessions do not."""

    __tablename__ = "relay_leases"

    identity_key: Mapped[str] = mapped_column(String(110), primary_key=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(63))
    address: Mapped[str] = mapped_column(String(42))
    hostname: Mapped[str] = mapped_column(String(253))
    route_hostname: Mapped[str] = mapped_column(String(253))
    hostname_hash: Mapped[str] = mapped_column(String(64))
    ech_config_list: Mapped[bytes] = mapped_column(LargeBinary)
    notes: Mapped[dict[str, Any]] = mapped_column("metadata", JSON)
    client_ip: Mapped[str] = mapped_column(String(45))
    reported_ip: Mapped[str] = mapped_column(String(45))
    owner_id: Mapped[str | None] = mapped_column(String(40), index=True)
    tcp_enabled: Mapped[bool]
    udp_enabled: Mapped[bool]
    tcp_port: Mapped[int]
    udp_port: Mapped[int]
    first_seen_at: Mapped[datetime] = mapped_column(Instant)
    last_seen_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)


class IdentityPolicyRow(Base):
    """What was decided about an identity, whether it has a lease or not. `bps` is bytes a second, None no limit."""

    __tablename__ = "relay_identity_policies"

    identity_key: Mapped[str] = mapped_column(String(110), primary_key=True)
    approved: Mapped[bool]
    denied: Mapped[bool]
    banned: Mapped[bool]
    bps: Mapped[int | None] = mapped_column(BigInteger)
    changed_at: Mapped[datetime] = mapped_column(Instant)


class BannedNetworkRow(Base):
    """An address or network (CIDR, canonical) that may not reach the relay's tunnels or register any."""

    __tablename__ = "relay_banned_networks"

    network: Mapped[str] = mapped_column(String(49), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(Instant)


class PeerRow(Base):
    """Another relay: its newest descriptor word for word, and whether it has answered us at that address itself."""

    __tablename__ = "relay_peers"

    url: Mapped[str] = mapped_column(String(300), primary_key=True)
    address: Mapped[str] = mapped_column(String(42), index=True)
    descriptor: Mapped[str] = mapped_column(Text)
    confirmed: Mapped[bool]
    issued_at_ns: Mapped[str] = mapped_column(String(20))  # beyond what an SQL integer of every engine holds
    expires_at: Mapped[datetime] = mapped_column(Instant)
    seen_at: Mapped[datetime] = mapped_column(Instant)
