"""Who was let through to a tunnel that is for people who are signed in: tickets that open it once, grants that last."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Protocol

from homeport.identity import Actor
from homeport.identity.sockets import OpenSockets
from homeport.kit.clock import Clock

TICKET_SECONDS = 30.0
IDLE_SECONDS = 3600.0  # a grant that nobody uses
LONGEST_SECONDS = 12 * 3600.0
MOST = 10_000  # tickets, and grants; the oldest goes first
EACH = 20  # of one credential for one share


class Cut(Protocol):
    """A connection that was let through."""

    def cut(self) -> None:
        """End it at once."""
        ...


@dataclass(frozen=True)
class Ticket:
    """`state` is what the browser that asked has to bring along, `path` where it goes then."""

    share_id: str
    actor: Actor
    state: str
    path: str
    until: float


@dataclass(eq=False)
class Grant:
    """One browser, let through to one share by one credential; ends with it. Also one of identity's open things."""

    share_id: str
    actor: Actor
    digest: bytes
    until: float
    used_at: float
    grants: Grants
    clients: set[Cut] = field(default_factory=set)

    def end(self, code: int, reason: str) -> None:  # noqa: ARG002  # a WebSocket would say them
        """The credential is gone, or may less than before."""
        self.grants.drop(self)


class Grants:
    """In memory: after a restart browsers come back for another, without being asked. Event loop's thread only."""

    def __init__(self, clock: Clock, sockets: OpenSockets) -> None:
        self._clock = clock
        self._sockets = sockets
        self._tickets: OrderedDict[bytes, Ticket] = OrderedDict()
        self._grants: OrderedDict[bytes, Grant] = OrderedDict()  # the one that was not used for longest first
        self._by_client: dict[Cut, set[Grant]] = {}

    def ticket(self, share_id: str, actor: Actor, state: str, path: str) -> str:
        """256 bits that let one browser in, once, within 30 seconds."""
        now = self._clock.monotonic()
        while self._tickets and (len(self._tickets) >= MOST or next(iter(self._tickets.values())).until <= now):
            self._tickets.popitem(last=False)
        own = [key for key, one in self._tickets.items() if one.actor.credential_id == actor.credential_id]
        if len(own) >= EACH:
            del self._tickets[own[0]]
        text = secrets.token_urlsafe(32)
        self._tickets[digest(text)] = Ticket(share_id, actor, state, path, now + TICKET_SECONDS)
        return text

    def use(self, text: str, share_id: str, state: str) -> Ticket | None:
        """The ticket, once; None for one that is unknown, used, too old, or another share's or browser's."""
        found = self._tickets.pop(digest(text), None)
        if found is None or found.until <= self._clock.monotonic() or found.share_id != share_id:
            return None
        if not secrets.compare_digest(found.state, state) or self._expired(found.actor):
            return None
        return found

    def give(self, share_id: str, actor: Actor) -> str:
        """What the browser shows from now on: 256 bits."""
        now = self._clock.monotonic()
        for grant in [one for one in self._grants.values() if self._over(one, now)]:
            self.drop(grant)
        own = [
            one for one in self._grants.values()
            if one.share_id == share_id and one.actor.credential_id == actor.credential_id
        ]  # fmt: skip
        if len(own) >= EACH:
            self.drop(own[0])
        if len(self._grants) >= MOST:
            self.drop(next(iter(self._grants.values())))
        text = secrets.token_urlsafe(32)
        grant = Grant(share_id, actor, digest(text), now + LONGEST_SECONDS, now, self)
        self._grants[grant.digest] = grant
        self._sockets.watch(grant)
        return text

    def find(self, text: str, share_id: str) -> Grant | None:
        """Whoever shows this; None for what is unknown, over, or another share's."""
        grant = self._grants.get(digest(text))
        if grant is None or grant.share_id != share_id:
            return None
        now = self._clock.monotonic()
        if self._over(grant, now):
            self.drop(grant)
            return None
        grant.used_at = now
        self._grants.move_to_end(grant.digest)
        return grant

    def came(self, grant: Grant, client: Cut) -> None:
        """The connection uses the grant, and ends with it."""
        grant.clients.add(client)
        self._by_client.setdefault(client, set()).add(grant)

    def left(self, client: Cut) -> None:
        """The connection is over."""
        for grant in self._by_client.pop(client, ()):
            grant.clients.discard(client)

    def drop(self, grant: Grant) -> None:
        """It opens nothing any more, and what came in by it is cut."""
        if self._grants.pop(grant.digest, None) is None:
            return
        self._sockets.unwatch(grant)
        for client in list(grant.clients):
            client.cut()

    def forget(self, share_id: str) -> None:
        """The share is no more."""
        for grant in [one for one in self._grants.values() if one.share_id == share_id]:
            self.drop(grant)
        for key in [key for key, one in self._tickets.items() if one.share_id == share_id]:
            del self._tickets[key]

    def sweep(self) -> None:
        """Drop what is over: connections that outlive their grant are cut."""
        now = self._clock.monotonic()
        for grant in [one for one in self._grants.values() if self._over(one, now)]:
            self.drop(grant)

    def __len__(self) -> int:
        return len(self._grants)

    def _over(self, grant: Grant, now: float) -> bool:
        idle = now - grant.used_at >= IDLE_SECONDS and not grant.clients
        return idle or now >= grant.until or self._expired(grant.actor)

    def _expired(self, actor: Actor) -> bool:
        return actor.expires_at is not None and actor.expires_at <= self._clock.now()


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
