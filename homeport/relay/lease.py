"""A lease: for a while, a host name (and perhaps ports) of this relay belongs to whoever holds a key."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TunnelIdentity:
    """Who tunnels: a label (normalised) and an address (EIP-55)."""

    name: str
    address: str

    @property
    def key(self) -> str:
        """`name:address` in lower case, which everything about the identity is filed under."""
        return f"{self.name}:{self.address.lower()}"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the holder says of the tunnel; `hide` keeps it from public lists, and from nothing else."""

    description: str = ""
    owner: str = ""
    thumbnail: str = ""
    tags: tuple[str, ...] = ()
    hide: bool = False


@dataclass(slots=True)
class Traffic:
    """Since the lease's first visitor, in bytes of the tunnel: `received` from visitors, `sent` to them."""

    received: int = 0
    sent: int = 0
    connections: int = 0  # all so far


class Sessions(Protocol):
    """The reverse sessions of a lease that wait for visitors."""

    @property
    def ready(self) -> int:
        """How many wait now."""
        ...

    def close(self) -> None:
        """End them all, and let nobody wait for one any more."""
        ...

    def dismiss(self) -> None:
        """End them all, and those who wait for one; later ones are taken."""
        ...


class Bridge(Protocol):
    """One visitor being served: a connection, or the flows of a QUIC connection."""

    address: str  # the visitor's

    def cut(self) -> None:
        """End both sides at once."""
        ...


@dataclass(eq=False, slots=True)
class Lease:
    """What the relay knows of one lease; times are UTC, ports 0 where there is none.

    `sessions` are the reverse sessions that wait for visitors, `bridges` the visitors that are being served (they
    outlive the lease's end, but not a ban). `owner_id` is the account that registered it while signed in, if one did.
    """

    id: str
    identity: TunnelIdentity
    hostname: str
    first_seen_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    metadata: Metadata = Metadata()
    route_hostname: str = ""
    hostname_hash: str = ""
    ech_config_list: bytes = b""
    client_ip: str = ""
    reported_ip: str = ""
    owner_id: str | None = None
    tcp_enabled: bool = False
    udp_enabled: bool = False
    tcp_port: int = 0
    udp_port: int = 0
    traffic: Traffic = field(default_factory=Traffic)
    bridges: set[Bridge] = field(default_factory=set)
    sessions: Sessions | None = None

    @property
    def key(self) -> str:
        return self.identity.key


class PortTransport(Protocol):
    """Gives leases public ports: of TCP, or of UDP."""

    configured: bool  # False: asking for it is answered feature_unavailable

    async def open(self, lease: Lease, port: int) -> None:
        """Listen on `port` (0.0.0.0 or the portal's bind) for the lease. Raises OSError when it cannot be had."""
        ...

    async def close(self, lease: Lease) -> None:
        """Stop listening for the lease; what is connected goes on. Nothing happens when it never listened."""
        ...
