"""Slows repeated failed sign-ins down, without letting a stranger lock anybody out."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from homeport.identity.problems import TooManyAttempts
from homeport.kit.clock import Clock

FREE_FAILURES = 5
LONGEST_WAIT = 300  # seconds
FORGOTTEN_AFTER = 900  # seconds without a failure
REMEMBERED = 10_000
AT_ONCE = 8  # sign-ins of one address that are being checked at the same moment


@dataclass
class _Failures:
    count: int
    last: float


class Throttle:
    """Counts failures per account *and* address: who guesses waits, the owner elsewhere does not notice.

    After five failures each further one doubles the wait: 1, 2, 4 … 300 seconds. An IPv6 address counts as its /64.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()
        self._checking: Counter[str] = Counter()

    @contextmanager
    def attempt(self, account: str, address: str) -> Iterator[None]:
        """Around one check of a password. Raises TooManyAttempts instead of letting it begin."""
        network = _network(address)
        wait = self._wait(account, network)
        if wait > 0:
            raise TooManyAttempts(math.ceil(wait))
        if self._checking[network] >= AT_ONCE:
            raise TooManyAttempts(1)
        self._checking[network] += 1
        try:
            yield
        finally:
            self._checking[network] -= 1
            if not self._checking[network]:
                del self._checking[network]

    def failed(self, account: str, address: str) -> None:
        key = (account, _network(address))
        known = self._failures.pop(key, None)
        now = self._clock.monotonic()
        count = known.count if known and now - known.last < FORGOTTEN_AFTER else 0
        self._failures[key] = _Failures(count + 1, now)
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, account: str, address: str) -> None:
        self._failures.pop((account, _network(address)), None)

    def _wait(self, account: str, network: str) -> float:
        known = self._failures.get((account, network))
        if known is None or known.count < FREE_FAILURES:
            return 0
        passed = self._clock.monotonic() - known.last
        if passed >= FORGOTTEN_AFTER:
            return 0
        return min(2.0 ** min(known.count - FREE_FAILURES, 20), LONGEST_WAIT) - passed


def _network(address: str) -> str:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)
