"""What is known about credentials that were just used, so that most requests ask the database nothing."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from homeport.identity.access import Actor
from homeport.kit.clock import Clock

ENTRIES = 4096
# Another process (`homeport reset-password`, a second portal) ends a credential in the database only: this is how
# long it can go unnoticed here. What this process ends is forgotten at once.
SECONDS = 5.0


@dataclass(frozen=True)
class Known:
    """A credential's actor; `proof` is what a presented secret must hash to (empty for a session)."""

    actor: Actor
    proof: bytes
    until: float


class CredentialCache:
    """Lookup (session id or a key's public part) to what is known; the least lately used goes first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: OrderedDict[str, Known] = OrderedDict()
        self.generation = 0

    def find(self, lookup: str) -> Known | None:
        known = self._known.get(lookup)
        if known is None:
            return None
        if self._clock.monotonic() >= known.until:
            del self._known[lookup]
            return None
        self._known.move_to_end(lookup)
        return known

    def remember(self, lookup: str, actor: Actor, proof: bytes, generation: int) -> Known:
        """Keep it, unless something was forgotten since `generation` was read before the query."""
        known = Known(actor, proof, self._clock.monotonic() + SECONDS)
        if generation == self.generation:
            self._known[lookup] = known
            if len(self._known) > ENTRIES:
                self._known.popitem(last=False)
        return known

    def forget(self, credential_id: str) -> None:
        """At once, and for a query under way too: what it found before is not kept."""
        self.generation += 1
        for lookup in [name for name, known in self._known.items() if known.actor.credential_id == credential_id]:
            del self._known[lookup]

    def forget_user(self, user_id: str) -> None:
        """All credentials of a user, at once: what the user may do has changed."""
        self.generation += 1
        for lookup in [name for name, known in self._known.items() if known.actor.id == user_id]:
            del self._known[lookup]


class LastUses:
    """When each credential was last used: kept here and written once a minute, so that no request waits for it."""

    def __init__(self) -> None:
        self._at: dict[str, datetime] = {}

    def note(self, credential_id: str, at: datetime) -> None:
        self._at[credential_id] = at

    def latest(self, credential_id: str, known: datetime | None) -> datetime | None:
        return self._at.get(credential_id, known)

    def take(self) -> dict[str, datetime]:
        """Everything noted since the last call."""
        taken, self._at = self._at, {}
        return taken
