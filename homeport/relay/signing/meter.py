"""What one holder has had signed: how many this minute, which nonces are used up, what the audit log has not heard."""

from __future__ import annotations

from enum import Enum, auto

MINUTE = 60.0  # seconds
GENERATION = 30.0  # seconds; a request may be 30 s ahead and is refused when 30 s behind: 60 s at most
MOST_NONCES = 1 << 18  # of one holder in one generation; whoever needs more has to wait for the next one


class Verdict(Enum):
    """What becomes of one request."""

    SIGN = auto()
    USED = auto()  # the nonce came before
    TOO_MANY = auto()


class Meter:
    """Times are the clock's monotonic seconds. `limit` signatures in each minute (0: no limit)."""

    __slots__ = (
        "_count",
        "_generations",
        "_minute_at",
        "_nonces_at",
        "address",
        "name",
        "refused",
        "signed",
        "used_at",
    )

    def __init__(self, name: str, address: str, now: float) -> None:
        self.name = name  # of the tunnel: its host name, or empty
        self.address = address  # where the last request came from
        self.signed = 0  # since the audit log heard
        self.refused = 0
        self.used_at = now
        self._count = 0
        self._minute_at = now
        self._nonces_at = now
        self._generations: tuple[set[int], set[int], set[int]] = (set(), set(), set())

    def take(self, nonce: str, limit: int, now: float) -> Verdict:
        """One more, if it may be."""
        self.used_at = now
        if now - self._minute_at >= MINUTE:
            self._count, self._minute_at = 0, now
        newest, older, oldest = self._generations
        if now - self._nonces_at >= GENERATION:
            # Each generation is looked at for 60 s after its last nonce: two more follow it.
            if now - self._nonces_at >= 3 * GENERATION:
                newest, older, oldest = set(), set(), set()
            else:
                newest, older, oldest = set(), newest, older
            self._generations, self._nonces_at = (newest, older, oldest), now
        mark = hash(nonce)  # SipHash with a key of this process: nobody finds two nonces of one mark
        if mark in newest or mark in older or mark in oldest:
            self.refused += 1
            return Verdict.USED
        if (limit and self._count >= limit) or len(newest) >= MOST_NONCES:
            self.refused += 1
            return Verdict.TOO_MANY
        newest.add(mark)
        self._count += 1
        self.signed += 1
        return Verdict.SIGN

    def retry_after(self, now: float) -> int:
        """Whole seconds until the minute is over."""
        return max(1, int(self._minute_at + MINUTE - now) + 1)
