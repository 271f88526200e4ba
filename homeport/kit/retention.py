"""What a part says of things it does not keep for ever, so that one place can count them and let them go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Unit = Literal["days", "records"]


@dataclass(frozen=True)
class Rule:
    """How much an administrator lets a part keep: days, where 0 means for ever, or the newest records, where 0 means
    none. `key` is the option's name; spec/portal.md B5."""

    key: str
    unit: Unit
    default: int
    most: int
    meaning: str


class Keeper(Protocol):
    """One kind of thing. `rule` is None where nothing can be set: what has ended is of no more use."""

    @property
    def name(self) -> str: ...

    @property
    def rule(self) -> Rule | None: ...

    async def preview(self, kept: int) -> int:
        """How many `purge` would let go. `kept` is the rule's value; it means nothing without a rule."""
        ...

    async def purge(self, kept: int) -> int:
        """Let them go; how many those were."""
        ...
