"""A share that runs: its door, its agents, and how they are doing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from homeport.relay.lease import Metadata
from homeport.services.shares.doors import Door

if TYPE_CHECKING:  # what the agent brings along, an idle portal does without
    from homeport.relay.agent import AgentIdentity, State, Status, Target

WORDS: dict[State, str] = {
    "connecting": "connecting", "waiting": "connecting", "online": "online", "offline": "error", "failed": "error",
    "expired": "expired", "stopped": "expired",
}  # fmt: skip
RANK = ("online", "connecting", "error", "expired")


@dataclass(frozen=True)
class Wanted:
    """What an agent is made from. `relays` are URLs, none for the portal's own; `tcp`: a raw TCP port instead of TLS
    with HTTP in it."""

    identity: AgentIdentity
    relays: tuple[str, ...]
    target: Target
    metadata: Metadata
    tcp: bool


class RunningAgent(Protocol):
    """Keeps a tunnel at one or several relays open."""

    async def start(self) -> None:
        """Begin, without waiting for relays."""
        ...

    async def stop(self) -> None:
        """Say goodbye to the relays, and cut what is open."""
        ...

    def statuses(self) -> Sequence[Status]:
        """One of each relay."""
        ...


AgentMaker = Callable[[Wanted], Awaitable[RunningAgent]]


@dataclass(frozen=True)
class Health:
    """All relays of a share together: as well as the best of them."""

    status: str
    url: str | None = None
    hostname: str | None = None
    since: datetime | None = None
    error: str | None = None
    tcp_address: str | None = None
    udp_address: str | None = None
    visitors: int = 0
    visitors_now: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    relays: tuple[Status, ...] = ()


CONNECTING = Health("connecting")
EXPIRED = Health("expired")


@dataclass(eq=False)
class Running:
    """`agent` is None while it is being made, and where it could not be: then `error` says why."""

    id: str
    door: Door
    expires_at: datetime | None
    policy_key: str
    agent: RunningAgent | None = None
    error: str | None = None
    ending: bool = False
    tried_at: float = 0.0  # when it was last well, or began

    def health(self) -> Health:
        if self.agent is None:
            return Health("error", error=self.error) if self.error else CONNECTING
        statuses = tuple(self.agent.statuses())
        if not statuses:
            return CONNECTING
        best = min(statuses, key=lambda one: RANK.index(WORDS[one.state]))
        return Health(
            status=WORDS[best.state],
            url=best.url or None,
            hostname=best.hostname or None,
            since=best.since if best.state == "online" else None,
            error=best.error or best.warning or _waits(best),
            tcp_address=best.tcp_addr or None,
            udp_address=best.udp_addr or None,
            visitors=sum(one.connections for one in statuses),
            visitors_now=sum(one.open for one in statuses),
            bytes_in=sum(one.received for one in statuses),
            bytes_out=sum(one.sent for one in statuses),
            relays=statuses,
        )


def _waits(status: Status) -> str | None:
    return "It waits for the relay's administrator." if status.state == "waiting" else None
