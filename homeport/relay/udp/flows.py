"""The visitors of one public UDP port: each address and port of theirs is a flow with a number."""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Any

FLOW_IDLE = 30.0  # seconds without a datagram from the visitor
MOST_FLOWS = 1024  # of one lease
MOST_FLOWS_PER_SOURCE = 128  # of one IPv4 address or one IPv6 /64
FIRST_ANSWER_BYTES = 4096  # to an address that has not been seen to hear us
FIRST_ANSWER_RATIO = 3  # or this many times what came from there, as QUIC has it (RFC 9000 section 8)

Ancillary = tuple[int, int, bytes]  # level, type and data, as sockets have it


@dataclass(slots=True)
class Flow:
    """`proven`: the visitor sent again after an answer, so that its address is not just made up. `origin` tells the
    kernel which of our addresses answers come from."""

    id: int
    address: Any
    source: str
    heard_at: float
    received: int = 0
    answered: int = 0
    proven: bool = False
    origin: tuple[Ancillary, ...] = ()


class Flows:
    """Times are monotonic seconds. Bounded; a full table gives up the oldest flow that is not proven, or no new one
    begins. Only what a visitor sends keeps a flow: nobody can be flooded for longer than they ask for it."""

    def __init__(
        self, *, most: int = MOST_FLOWS, most_per_source: int = MOST_FLOWS_PER_SOURCE, idle: float = FLOW_IDLE
    ) -> None:
        self._most = most
        self._most_per_source = most_per_source
        self._idle = idle
        self._by_address: OrderedDict[Any, Flow] = OrderedDict()  # who was silent for longest first
        self._unproven: OrderedDict[Any, Flow] = OrderedDict()
        self._by_id: dict[int, Flow] = {}
        self._sources: Counter[str] = Counter()
        self._last = 0

    def __len__(self) -> int:
        return len(self._by_address)

    def heard(self, address: Any, size: int, now: float) -> tuple[Flow, bool] | None:
        """The flow of a datagram from `address`, and whether it is a new one; None when there is no room for it."""
        flow = self._by_address.get(address)
        if flow is not None and now - flow.heard_at < self._idle:
            if flow.answered and not flow.proven:
                flow.proven = True
                self._unproven.pop(address, None)
            self._by_address.move_to_end(address)
            if not flow.proven:
                self._unproven.move_to_end(address)
            flow.heard_at = now
            flow.received += size
            return flow, False
        self._expire(now)
        source = _source(address[0])
        if self._sources[source] >= self._most_per_source or not self._room():
            return None
        self._last += 1
        flow = Flow(self._last, address, source, now, size)
        self._by_address[address] = self._unproven[address] = self._by_id[flow.id] = flow
        self._sources[source] += 1
        return flow, True

    def answering(self, flow_id: int, size: int, now: float) -> Flow | None:
        """The flow that an answer of `size` bytes may go to: None for one that is not (or no longer) there, and for
        more than may go to an address that is not proven."""
        flow = self._by_id.get(flow_id)
        if flow is None or now - flow.heard_at >= self._idle:
            return None
        if not flow.proven:
            allowed = max(FIRST_ANSWER_BYTES, FIRST_ANSWER_RATIO * flow.received)
            if flow.answered + size > allowed:
                return None
        flow.answered += max(1, size)  # an empty datagram is an answer too
        return flow

    def clear(self) -> None:
        """Forget them all; numbers are not used again."""
        self._by_address.clear()
        self._unproven.clear()
        self._by_id.clear()
        self._sources.clear()

    def _room(self) -> bool:
        if len(self._by_address) >= self._most:
            oldest = next(iter(self._unproven.values()), None)
            if oldest is None:
                return False
            self._drop(oldest)
        return True

    def _expire(self, now: float) -> None:
        while self._by_address:
            oldest = next(iter(self._by_address.values()))
            if now - oldest.heard_at < self._idle:
                return
            self._drop(oldest)

    def _drop(self, flow: Flow) -> None:
        del self._by_address[flow.address]
        self._unproven.pop(flow.address, None)
        del self._by_id[flow.id]
        self._sources[flow.source] -= 1
        if not self._sources[flow.source]:
            del self._sources[flow.source]


def _source(host: str) -> str:
    """Whom an address is counted for: a host of IPv6 has a whole /64 of them."""
    if ":" not in host:
        return host
    address = ipaddress.IPv6Address(host.partition("%")[0])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
