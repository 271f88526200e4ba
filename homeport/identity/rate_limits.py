"""How often somebody may ask: fixed windows of a minute, in memory or in Redis when several portals share them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog

from homeport.identity.problems import RateLimited
from homeport.kit.clock import Clock

if TYPE_CHECKING:
    from redis.asyncio import Redis

WINDOW = 60  # seconds
REMEMBERED = 50_000  # callers; the one whose window began first goes first

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Taken:
    """What the X-RateLimit headers say; `reset` is seconds since the epoch."""

    limit: int
    remaining: int
    reset: int

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        return (
            ("x-ratelimit-limit", str(self.limit)),
            ("x-ratelimit-remaining", str(self.remaining)),
            ("x-ratelimit-reset", str(self.reset)),
        )


class Windows(Protocol):
    """Counts requests by key within the key's running window."""

    @property
    def remembered(self) -> int:
        """How many keys this process remembers."""
        ...

    async def count(self, key: str) -> tuple[int, float]:
        """One more; how many that makes, and how many seconds the window still lasts."""
        ...


class MemoryWindows:
    """No look at other keys, no task, no lock: a look-up and an addition."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: OrderedDict[str, list[float]] = OrderedDict()  # in order of beginning: [count, end]

    @property
    def remembered(self) -> int:
        return len(self._windows)

    async def count(self, key: str) -> tuple[int, float]:
        now = self._clock.monotonic()
        window = self._windows.get(key)
        if window is None or window[1] <= now:
            if window is not None:
                del self._windows[key]
            window = self._windows[key] = [0, now + WINDOW]
            if len(self._windows) > REMEMBERED:
                self._windows.popitem(last=False)
        window[0] += 1
        return int(window[0]), window[1] - now


class RedisWindows:
    """Shared by the portals of one Redis. While Redis does not answer, each portal counts for itself."""

    def __init__(self, redis: Redis, fallback: Windows) -> None:
        self._redis = redis
        self._fallback = fallback

    @property
    def remembered(self) -> int:
        return self._fallback.remembered

    async def count(self, key: str) -> tuple[int, float]:
        from redis.exceptions import RedisError

        name = f"homeport:rate:{key}"
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.set(name, 0, px=WINDOW * 1000, nx=True)
                pipe.incr(name)
                pipe.pttl(name)
                _, count, left = await pipe.execute()
        except (RedisError, OSError, TimeoutError) as problem:
            log.warning("rate limits are counted here: Redis does not answer", problem=type(problem).__name__)
            return await self._fallback.count(key)
        return int(count), max(0, left) / 1000


class RateLimits:
    """`take` one request of somebody's minute."""

    def __init__(self, windows: Windows, clock: Clock) -> None:
        self._windows = windows
        self._clock = clock

    @property
    def remembered(self) -> int:
        """How many callers this process remembers."""
        return self._windows.remembered

    async def take(self, who: str, limit: int) -> Taken:
        """`who` names the caller and what is counted (`api:usr_1`). Raises RateLimited beyond `limit` a minute."""
        count, left = await self._windows.count(who)
        reset = int(self._clock.now().timestamp() + left) + 1
        taken = Taken(limit, max(0, limit - count), reset)
        if count > limit:
            raise RateLimited(taken.headers, max(1, int(left) + 1))
        return taken


def windows_for(redis_url: str, clock: Clock) -> Windows:
    """Shared by the portals that use one Redis; in memory without one (empty), and while it does not answer."""
    in_memory = MemoryWindows(clock)
    if not redis_url:
        return in_memory
    from redis.asyncio import Redis

    return RedisWindows(Redis.from_url(redis_url, socket_timeout=1.0, socket_connect_timeout=1.0), in_memory)
