"""What a measurement hands over: numbers with their unit and goal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured number. `at_most` or `at_least` is its goal, None when it is only shown."""

    what: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def met(self) -> bool:
        """Whether the goal is met; true without one."""
        return (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: percentile(v, 0.99) is the value that 99 % do not exceed."""
    ordered = sorted(values)
    rank = max(1, -(-int(share * 10_000) * len(ordered) // 10_000))
    return ordered[min(rank, len(ordered)) - 1]
