"""What the relay tells the parts above it, on the bus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from homeport.relay.lease import Lease

Reason = Literal["expired", "unregistered", "replaced", "ended"]


@dataclass(frozen=True, slots=True)
class LeaseBegan:
    """A tunnel was registered, or registered again: it is on disk and can be reached as soon as it has sessions."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class LeaseChanged:
    """What is said of the tunnel is different now."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class LeaseEnded:
    """Nobody reaches it any more; visitors that are being served go on."""

    lease: Lease
    reason: Reason
