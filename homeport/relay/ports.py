"""Which public port a tunnel is given: the one it had, else the lowest that is free (digest C.7, L.14)."""

from __future__ import annotations

import heapq

RESERVED_SECONDS = 300.0  # how long a port waits for the tunnel that had it
ASIDE_SECONDS = 60.0  # how long a port that could not be listened on is left alone


class PortPool:
    """Ports from `first` to `last`. Times are monotonic seconds; nothing here listens or waits."""

    def __init__(self, first: int, last: int) -> None:
        self._free = list(range(first, last + 1))  # a heap
        self._ports = frozenset(self._free)
        self._taken: dict[int, str] = {}
        self._reserved: dict[int, tuple[str, float]] = {}  # in the order of their ends
        self._aside: dict[int, float] = {}  # as well

    def __len__(self) -> int:
        """How many are taken."""
        return len(self._taken)

    def take(self, holder: str, now: float) -> int | None:
        """A port for `holder`, None when there is none. One that is reserved for others is given only at the last."""
        self._refresh(now)
        port = next((port for port, (whose, _) in self._reserved.items() if whose == holder), None)
        if port is None and self._free:
            port = heapq.heappop(self._free)
        elif port is None and self._reserved:
            port = next(iter(self._reserved))
        if port is not None:
            self._reserved.pop(port, None)
            self._taken[port] = holder
        return port

    def claim(self, port: int, holder: str) -> bool:
        """Take exactly this port, as before a restart; False where it is not to be had."""
        if port not in self._ports or port in self._taken:
            return False
        if port in self._free:
            self._free.remove(port)
            heapq.heapify(self._free)
        self._reserved.pop(port, None)
        self._aside.pop(port, None)
        self._taken[port] = holder
        return True

    def release(self, port: int, now: float) -> None:
        """It waits for its holder first, then it is everybody's. Nothing happens to a port that is not taken."""
        if (holder := self._taken.pop(port, None)) is not None:
            self._reserved[port] = (holder, now + RESERVED_SECONDS)

    def set_aside(self, port: int, now: float) -> None:
        """Somebody else listens on it: nobody is given it for a while, not even who had it."""
        if self._taken.pop(port, None) is not None:
            self._aside[port] = now + ASIDE_SECONDS

    def _refresh(self, now: float) -> None:
        for port, (_, until) in list(self._reserved.items()):
            if until > now:
                break
            del self._reserved[port]
            heapq.heappush(self._free, port)
        for port, until in list(self._aside.items()):
            if until > now:
                break
            del self._aside[port]
            heapq.heappush(self._free, port)
