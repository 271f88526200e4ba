"""Tickets: each opens one WebSocket, once and soon, so that no lasting credential stands in an address."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from homeport.identity.access import Actor
from homeport.kit.clock import Clock

LASTS = 30  # seconds
MOST = 10_000
EACH = 20  # of one credential; another one takes the place of its oldest


@dataclass(frozen=True)
class _Ticket:
    actor: Actor
    until: float


class Tickets:
    """In memory only. A ticket stands for the credential that asked for it and ends with it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: OrderedDict[bytes, _Ticket] = OrderedDict()

    def give(self, actor: Actor) -> str:
        """A ticket: 256 bits."""
        now = self._clock.monotonic()
        while self._open and next(iter(self._open.values())).until <= now:
            self._open.popitem(last=False)
        own = [key for key, one in self._open.items() if one.actor.credential_id == actor.credential_id]
        if len(own) >= EACH:
            del self._open[own[0]]
        if len(self._open) >= MOST:
            self._open.popitem(last=False)
        ticket = secrets.token_urlsafe(32)
        self._open[_digest(ticket)] = _Ticket(actor, now + LASTS)
        return ticket

    def use(self, ticket: str) -> Actor | None:
        """Whose it is, once; None for one that is unknown, used, too old, or of a credential that has expired."""
        found = self._open.pop(_digest(ticket), None)
        if found is None or found.until <= self._clock.monotonic():
            return None
        expires_at = found.actor.expires_at
        return None if expires_at is not None and expires_at <= self._clock.now() else found.actor

    def forget(self, credential_id: str) -> None:
        """The credential is no more."""
        self._drop([key for key, one in self._open.items() if one.actor.credential_id == credential_id])

    def forget_user(self, user_id: str) -> None:
        """What the person may do has changed."""
        self._drop([key for key, one in self._open.items() if one.actor.id == user_id])

    def _drop(self, keys: list[bytes]) -> None:
        for key in keys:
            del self._open[key]


def _digest(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode()).digest()
