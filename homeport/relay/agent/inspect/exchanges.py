"""Requests with their answers, the newest few hundred."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from homeport.wire.http_head import Field, RequestHead, ResponseHead

KEPT = 200
KEPT_BYTES = 32 * 1024 * 1024  # of heads and bodies in all
BODY_BYTES = 64 * 1024  # of one body

State = Literal["open", "complete", "upgraded", "broken"]
Changed = Callable[["Exchange"], None]


@dataclass(slots=True)
class Body:
    """The first BODY_BYTES of a body, and how many bytes (without chunk sizes) there were in all."""

    size: int = 0
    forgotten: bool = False  # nobody can look at it any more, though it may still be coming
    kept: bytearray = field(default_factory=bytearray, repr=False)

    @property
    def whole(self) -> bool:
        return len(self.kept) == self.size

    def add(self, data: bytes) -> None:
        """One more piece."""
        self.size += len(data)
        if len(self.kept) < BODY_BYTES and not self.forgotten:
            self.kept += data[: BODY_BYTES - len(self.kept)]

    def forget(self) -> None:
        """Keep nothing of it."""
        self.forgotten, self.kept = True, bytearray()


@dataclass(slots=True, eq=False)
class Exchange:
    """One request. `number` counts from 1, `began_at` is UTC, durations are seconds since then: `first_byte` when the
    answer's head was there, `took` when it was over. `replay_of` is the number of the request that was sent again."""

    number: int
    began_at: datetime
    began: float
    head: RequestHead
    replay_of: int | None = None
    request: Body = field(default_factory=Body)
    request_complete: bool = False
    answer: ResponseHead | None = None
    response: Body = field(default_factory=Body)
    state: State = "open"
    reason: str = ""
    first_byte: float | None = None
    took: float | None = None

    @property
    def bytes_kept(self) -> int:
        return (
            _length(self.head.fields)
            + len(self.head.target)
            + len(self.request.kept)
            + len(self.response.kept)
            + (_length(self.answer.fields) if self.answer is not None else 0)
        )


class ExchangeLog:
    """The newest `kept` exchanges and at most `kept_bytes` of them. Subscribers hear of each that begins or changes its
    state, and are never waited for."""

    def __init__(self, *, kept: int = KEPT, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept = kept
        self._kept_bytes = kept_bytes
        self._exchanges: OrderedDict[int, Exchange] = OrderedDict()
        self._listeners: list[Changed] = []
        self._numbers = 0

    def __len__(self) -> int:
        return len(self._exchanges)

    def begin(self, head: RequestHead, at: datetime, now: float, *, replay_of: int | None = None) -> Exchange:
        """A request whose head is there; `now` is monotonic seconds."""
        self._numbers += 1
        exchange = Exchange(self._numbers, at, now, head, replay_of)
        self._exchanges[exchange.number] = exchange
        self.changed(exchange)
        return exchange

    def changed(self, exchange: Exchange) -> None:
        """It has got further."""
        self._make_room()
        for listener in tuple(self._listeners):
            listener(exchange)

    def find(self, number: int) -> Exchange | None:
        return self._exchanges.get(number)

    def list(self) -> list[Exchange]:
        """The newest first."""
        return list(reversed(self._exchanges.values()))

    def clear(self) -> None:
        """Forget them all; numbers go on."""
        while self._exchanges:
            self._forget_oldest()

    def subscribe(self, changed: Changed) -> Callable[[], None]:
        """Call what is returned to hear no more."""
        self._listeners.append(changed)
        return lambda: self._listeners.remove(changed)

    def _make_room(self) -> None:
        while len(self._exchanges) > self._kept:
            self._forget_oldest()
        total = sum(exchange.bytes_kept for exchange in self._exchanges.values())
        while total > self._kept_bytes and len(self._exchanges) > 1:
            total -= self._forget_oldest()

    def _forget_oldest(self) -> int:
        """The bytes that were kept of it."""
        _, exchange = self._exchanges.popitem(last=False)
        kept = exchange.bytes_kept
        exchange.request.forget()
        exchange.response.forget()
        return kept


def _length(fields: tuple[Field, ...]) -> int:
    return sum(len(each.line) for each in fields)
