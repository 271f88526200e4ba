"""How often a code may be wrong (spec/host.md B.5): five times in two minutes, then five minutes of waiting.

Whoever guesses codes has the password already, and may have more networks than there are codes: so an account takes no
more than 30 an hour from everywhere together.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field

from homeport.identity.client_address import network_of
from homeport.identity.problems import TooManyCodes
from homeport.kit.clock import Clock

MOST = 5
WITHIN = 120  # seconds
PAUSE = 300  # seconds
MOST_ANYWHERE = 30
WITHIN_ANYWHERE = 3600  # seconds
REMEMBERED = 10_000


@dataclass
class _Wrong:
    at: list[float] = field(default_factory=list)
    until: float = 0.0


class Guesses:
    """Counts per account *and* address (an IPv6 /64 is one), in memory: a stranger cannot lock the owner out, and who
    knows the password can for an hour, but for passkeys and the sessions that there are."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wrong: OrderedDict[tuple[str, str], _Wrong] = OrderedDict()
        self._anywhere: OrderedDict[str, list[float]] = OrderedDict()

    def begin(self, user_id: str, address: str) -> None:
        """Before a code is looked at: it counts as wrong until `right`, so that many at once are no more than five.

        Raises TooManyCodes.
        """
        key, now = (user_id, network_of(address)), self._clock.monotonic()
        wrong = self._wrong.pop(key, None) or _Wrong()
        self._wrong[key] = wrong
        while len(self._wrong) > REMEMBERED:
            self._wrong.popitem(last=False)
        if wrong.until > now:
            raise TooManyCodes(math.ceil(wrong.until - now))
        anywhere = [at for at in self._anywhere.pop(user_id, ()) if now - at < WITHIN_ANYWHERE]
        self._anywhere[user_id] = anywhere
        while len(self._anywhere) > REMEMBERED:
            self._anywhere.popitem(last=False)
        if len(anywhere) >= MOST_ANYWHERE:
            raise TooManyCodes(math.ceil(anywhere[0] + WITHIN_ANYWHERE - now))
        anywhere.append(now)
        wrong.at = [*(at for at in wrong.at if now - at < WITHIN), now]
        if len(wrong.at) >= MOST:
            wrong.until = now + PAUSE

    def right(self, user_id: str, address: str) -> None:
        """The code was right: the address's count begins anew, and of the account's this one goes."""
        self._wrong.pop((user_id, network_of(address)), None)
        if anywhere := self._anywhere.get(user_id):
            anywhere.pop()
