"""Orders for certificates: each a task of its own, remembered while the portal runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import structlog

from homeport.identity.audit import PORTAL, Act
from homeport.kit.clock import Clock, rfc3339
from homeport.kit.ids import new_id
from homeport.kit.problems import Problem
from homeport.relay.certificates.acme.answers import Record
from homeport.relay.certificates.acme.issuer import Issuer
from homeport.relay.certificates.origin import Origin, Wish
from homeport.relay.certificates.problems import OrderNotFound, OrderOpen
from homeport.relay.certificates.shelf import Shelf

log = structlog.get_logger()

MOST_OPEN = 16
MOST_REMEMBERED = 50

Status = Literal["pending", "waiting", "valid", "invalid"]


@dataclass
class Order:
    """`waiting`: a person has to set `records` and say so. `problem`: why it is invalid."""

    id: str
    wish: Wish
    created_at: datetime
    status: Status = "pending"
    records: list[Record] = field(default_factory=list)
    problem: Problem | None = None
    finished_at: datetime | None = None
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)  # it waits for a person, or has ended

    @property
    def is_open(self) -> bool:
        return self.status in {"pending", "waiting"}


class Orders:
    """`record` appends to the audit log what came of each order."""

    def __init__(self, shelf: Shelf, issuer: Issuer, clock: Clock, record: Callable[[Act], Awaitable[None]]) -> None:
        self._shelf = shelf
        self._issuer = issuer
        self._clock = clock
        self._record = record
        self._orders: dict[str, Order] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, wish: Wish) -> Order:
        """An order that is under way. Raises OrderOpen for a second one of a name."""
        open_ = [order for order in self._orders.values() if order.is_open]
        if any(order.wish.domain == wish.domain for order in open_):
            raise OrderOpen(f"An order for {wish.domain} is open already: wait for it, see `homeport tls orders`.")
        if len(open_) >= MOST_OPEN:
            raise OrderOpen(f"{MOST_OPEN} orders are open already: wait until one has ended.")
        order = Order(new_id("ord"), wish, self._clock.now())
        self._orders[order.id] = order
        for old in list(self._orders.values())[: -MOST_REMEMBERED or None]:
            if not old.is_open:
                del self._orders[old.id]
        task = asyncio.create_task(self._run(order), name=f"order {wish.domain}")
        self._tasks[order.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(order.id, None))
        return order

    def get(self, order_id: str) -> Order:
        """Raises OrderNotFound."""
        try:
            return self._orders[order_id]
        except KeyError:
            raise OrderNotFound("There is no such order; they are forgotten when the portal stops.") from None

    def list(self) -> list[Order]:
        """The newest first."""
        return sorted(self._orders.values(), key=lambda order: order.created_at, reverse=True)

    def go_on(self, order_id: str) -> Order:
        """The records stand: the directory may look. Raises OrderNotFound, OrderOpen when it does not wait."""
        order = self.get(order_id)
        if order.status != "waiting":
            raise OrderOpen(f"This order does not wait for records: it is {order.status}.")
        order.status = "pending"
        order.changed.clear()
        order.go_on.set()
        return order

    @staticmethod
    async def wait(order: Order, seconds: float | None) -> Order:
        """Until it has ended or waits for a person, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                await order.changed.wait()
        except TimeoutError:
            return order
        return order

    async def close(self) -> None:
        """End what is under way; it begins anew when somebody asks, or at the next look for renewals."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, order: Order) -> None:
        wish = order.wish

        def tell(record: Record) -> None:
            order.records.append(record)
            order.status = "waiting"
            asyncio.get_running_loop().call_soon(self._told, order)

        details = {"names": list(wish.names), "challenge": wish.challenge, "directory": wish.directory_url}
        act = Act("obtain_certificate", PORTAL, target_type="certificate", target_id=wish.domain, details=details)
        try:
            pair = await self._issuer.issue(wish, tell, order.go_on)
            origin = Origin("letsencrypt", wish.names, self._clock.now(), wish)
            await self._shelf.put(wish.domain, pair, origin)
            details["valid_until"] = rfc3339(pair.not_after)
            order.status = "valid"
            log.info("a certificate was obtained", domain=wish.domain, valid_until=details["valid_until"])
        except Problem as problem:
            order.problem = problem
        except Exception:
            log.exception("an order for a certificate broke", domain=wish.domain)
            order.problem = Problem("The order broke through a fault of the portal; its log tells more.")
        finally:
            if order.status != "valid":
                order.status = "invalid"
            order.finished_at = self._clock.now()
        if order.problem is not None:
            log.warning("no certificate was obtained", domain=wish.domain, reason=order.problem.message)
            act.result, details["error"] = "failed", order.problem.message[:500]
        try:
            await self._record(act)
        finally:
            order.changed.set()

    @staticmethod
    def _told(order: Order) -> None:
        """After all records of the order are known, for they are told one after the other without a pause."""
        if order.status == "waiting":
            order.changed.set()
