"""Bytes per second, shared by everything that belongs to one identity, in both directions."""

from __future__ import annotations

SLICE = 0.1  # seconds of the rate that are taken at once: what is limited still flows evenly


class TokenBucket:
    """Holds at most one second's worth and starts empty. `rate` is bytes a second, None no limit; it may change at any
    time, for what is open as well. Times are `time.monotonic()`'s."""

    __slots__ = ("__weakref__", "_at", "_rate", "_tokens")

    def __init__(self, rate: int | None, now: float) -> None:
        self._rate = rate
        self._tokens = 0.0
        self._at = now

    @property
    def rate(self) -> int | None:
        return self._rate

    def set_rate(self, rate: int | None, now: float) -> None:
        """From now on; what was saved up above the new rate is lost."""
        self._refill(now)
        if self._rate is None:
            self._tokens, self._at = 0.0, now
        self._rate = rate
        if rate is not None:
            self._tokens = min(self._tokens, float(rate))

    def largest(self, want: int) -> int:
        """How much of `want` bytes may be read at once: a tenth of a second's worth, at least one byte."""
        return want if self._rate is None else max(1, min(want, int(self._rate * SLICE)))

    def take(self, size: int, now: float) -> float:
        """Spend `size` bytes that were moved; seconds to wait before moving more (0: go on)."""
        if self._rate is None:
            return 0.0
        self._refill(now)
        self._tokens -= size
        return 0.0 if self._tokens >= 0 else -self._tokens / self._rate

    def _refill(self, now: float) -> None:
        if self._rate is not None:
            self._tokens = min(float(self._rate), self._tokens + (now - self._at) * self._rate)
        self._at = now
