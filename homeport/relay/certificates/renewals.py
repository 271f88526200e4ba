"""Renewals by themselves: at two thirds of the lifetime, again later after a failure, while everything goes on."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from homeport.kit.clock import Clock
from homeport.relay.certificates.orders import Orders
from homeport.relay.certificates.origin import Wish
from homeport.relay.certificates.pairs import Pair
from homeport.relay.certificates.problems import OrderOpen
from homeport.relay.certificates.shelf import Kept, Shelf

log = structlog.get_logger()

LOOK_SECONDS = 10.0  # all in memory; an app's own domain should not wait for long
JITTER = 0.02  # of the lifetime, before two thirds of it
FIRST_PAUSE = timedelta(minutes=15)
LONGEST_PAUSE = timedelta(hours=24)
MOST_NEW_AN_HOUR = 20  # certificates for apps' own domains


@dataclass(frozen=True)
class _Tried:
    failures: int
    at: datetime


class Renewals:
    """`wanted` lists the apps' own domains that are proven; `wish_for` says what to order for one, None: nothing."""

    def __init__(
        self,
        shelf: Shelf,
        orders: Orders,
        clock: Clock,
        *,
        wanted: Callable[[], Iterable[str]] = lambda: (),
        wish_for: Callable[[str], Wish | None] = lambda _: None,
    ) -> None:
        self._shelf = shelf
        self._orders = orders
        self._clock = clock
        self._wanted = wanted
        self._wish_for = wish_for
        self._tried: dict[str, _Tried] = {}  # domains that have no certificate yet
        self._begun: deque[datetime] = deque(maxlen=MOST_NEW_AN_HOUR)
        self.last_at: datetime | None = None

    def next_at(self, kept: Kept) -> datetime | None:
        """When it is renewed, or tried again; None for what does not renew itself."""
        wish = kept.origin.wish
        if wish is None or wish.needs_a_person:
            return None
        if wish.automatic and wish.domain not in set(self._wanted()):
            return None
        due = due_at(kept.domain, kept.pair)
        if kept.origin.tried_at is not None and kept.origin.failures:
            due = max(due, kept.origin.tried_at + pause_after(kept.origin.failures))
        return due

    async def run(self) -> None:
        """Look for what is due, again and again, until it is cancelled."""
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("looking for renewals failed")
            await self._clock.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Renew what is due and order what is missing; returns when all of it has ended."""
        self.last_at = self._clock.now()
        for kept in self._shelf.list():
            at = self.next_at(kept)
            if at is not None and at <= self._clock.now():
                await self._renew(kept)
        missing = [domain for domain in self._wanted() if self._shelf.find_for(domain) is None]
        self._tried = {domain: tried for domain, tried in self._tried.items() if domain in missing}
        for domain in missing:
            await self._obtain(domain)

    async def _renew(self, kept: Kept) -> None:
        assert kept.origin.wish is not None
        error = await self._order(kept.origin.wish)
        if error is not None:
            await self._shelf.note(kept.domain, kept.origin.failed(self._clock.now(), error))

    async def _obtain(self, domain: str) -> None:
        now = self._clock.now()
        tried = self._tried.get(domain)
        if tried is not None and now < tried.at + pause_after(tried.failures):
            return
        if len(self._begun) == MOST_NEW_AN_HOUR and now < self._begun[0] + timedelta(hours=1):
            return
        wish = self._wish_for(domain)
        if wish is None:
            return
        self._begun.append(now)
        if await self._order(wish) is not None:
            self._tried[domain] = _Tried(tried.failures + 1 if tried else 1, self._clock.now())

    async def _order(self, wish: Wish) -> str | None:
        """None when it worked, or when a person's own order is under way; else why not."""
        try:
            order = self._orders.begin(wish)
        except OrderOpen:
            return None
        await self._orders.wait(order, None)
        return None if order.problem is None else order.problem.message


def due_at(domain: str, pair: Pair) -> datetime:
    """Two thirds into its life, less a jitter that each certificate has of its own: many do not come at once."""
    lifetime = pair.not_after - pair.not_before
    digest = hashlib.sha256(f"{domain} {pair.leaf.serial_number}".encode()).digest()
    share = int.from_bytes(digest[:4]) / 2**32
    return pair.not_before + lifetime * (2 / 3 - JITTER * share)


def pause_after(failures: int) -> timedelta:
    """A quarter of an hour, doubled with each failure, up to a day."""
    return min(FIRST_PAUSE * (1 << min(failures - 1, 10)), LONGEST_PAUSE)
