"""How long to wait before the next try: exponential, with full jitter, so that not all clients come at once."""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """`random` gives numbers in [0, 1). The first wait is at most `first` seconds; the most doubles, to `longest`."""

    def __init__(self, random: Callable[[], float], *, first: float = 0.5, longest: float = 20.0) -> None:
        self._random = random
        self._first = first
        self._longest = longest
        self._tries = 0

    def reset(self) -> None:
        """It worked."""
        self._tries = 0

    def next(self) -> float:
        """Seconds; never so few that it becomes a loop."""
        bound = min(self._longest, self._first * float(1 << min(self._tries, 16)))
        self._tries += 1
        return max(0.05, self._random() * bound)
