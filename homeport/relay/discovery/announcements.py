"""How often one address may announce a relay: five times a minute, ten at once (digest G.4)."""

from __future__ import annotations

from collections import OrderedDict

from homeport.identity.client_address import network_of
from homeport.relay.problems import RateLimited

A_SECOND = 5 / 60
AT_ONCE = 10.0
MOST_ADDRESSES = 65_536
IDLE_SECONDS = 30 * 60.0


class Announcements:
    """A bucket for each address (the /64 of an IPv6 one). Times are those of a monotonic clock."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, when; the longest unused first

    def take(self, address: str, now: float) -> None:
        """Raises RateLimited."""
        key = network_of(address)
        tokens, at = self._buckets.pop(key, (AT_ONCE, now))
        tokens = min(AT_ONCE, tokens + (now - at) * A_SECOND)
        allowed = tokens >= 1
        self._buckets[key] = (tokens - 1 if allowed else tokens, now)
        while self._buckets:
            _, used = next(iter(self._buckets.values()))
            if len(self._buckets) <= MOST_ADDRESSES and now - used < IDLE_SECONDS:
                break
            self._buckets.popitem(last=False)
        if not allowed:
            wait = int((1 - tokens) / A_SECOND) + 1
            raise RateLimited("Too many announcements came from this address.", details={"retry_after": wait})
