"""When a tunnel's picture is to be taken or fetched: rarely, and after failures ever more rarely."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

EVERY = 6 * 3600.0  # seconds until a picture is taken anew
COOLDOWN = 30.0  # seconds after a failure; twice as long after each further one
AT_LEAST = 60.0  # seconds between two pictures of an identity, however often it registers
MOST = 16_384  # identities that are remembered


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last one, by monotonic seconds; `source` as in the gallery."""

    source: str
    at: float
    due: float
    failures: int = 0


class Timetable:
    """By an identity's key. A lease's end does not forget it: who registers again and again gains nothing by that."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._last: OrderedDict[str, Attempt] = OrderedDict()

    def due(self, key: str, source: str, now: float) -> bool:
        last = self._last.get(key)
        if last is None:
            return True
        return now >= (last.due if last.source == source else min(last.due, last.at + COOLDOWN))

    def done(self, key: str, source: str, now: float) -> None:
        self._note(key, Attempt(source, now, now + EVERY))

    def failed(self, key: str, source: str, now: float) -> None:
        last = self._last.get(key)
        failures = last.failures + 1 if last is not None and last.source == source else 1
        self._note(key, Attempt(source, now, now + min(EVERY, COOLDOWN * 2 ** min(failures - 1, 16)), failures))

    def anew(self, key: str, now: float) -> None:
        """The identity registered: its page may be another one by now."""
        last = self._last.get(key)
        if last is not None and not last.failures:
            self._last[key] = replace(last, due=min(last.due, max(now, last.at + AT_LEAST)))

    def _note(self, key: str, attempt: Attempt) -> None:
        self._last[key] = attempt
        self._last.move_to_end(key)
        while len(self._last) > self._most:
            self._last.popitem(last=False)
