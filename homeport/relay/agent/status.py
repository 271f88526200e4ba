"""How a tunnel is doing, as people and programs are told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

State = Literal["connecting", "online", "waiting", "offline", "failed", "expired", "stopped"]

# From best to worst: an agent with several relays is as well as the best of its tunnels.
RANK: tuple[State, ...] = ("online", "waiting", "connecting", "offline", "failed", "expired", "stopped")


@dataclass(slots=True)
class Traffic:
    """Since the start, in plain bytes: `received` from visitors, `sent` to them; `open` are connections just now."""

    received: int = 0
    sent: int = 0
    connections: int = 0
    open: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """Of one tunnel at one moment.

    `state`: `connecting` for the first time; `online`: visitors are served; `waiting` for the relay's administrator;
    `offline`: tried again and again, `error` says why; `failed`: given up; `expired`: its time is over; `stopped`.
    `since` (UTC) is when the state began. `url` is empty before the first registration, `tcp_addr` and `udp_addr`
    (host:port) where the relay gave none. `ready` sessions wait for visitors. `warning`: what is not as it should be
    with the certificate. Bytes are as in Traffic.
    """

    state: State
    url: str
    since: datetime
    error: str = ""
    relay: str = ""
    hostname: str = ""
    tcp_addr: str = ""
    udp_addr: str = ""
    ready: int = 0
    warning: str = ""
    received: int = 0
    sent: int = 0
    connections: int = 0
    open: int = 0
