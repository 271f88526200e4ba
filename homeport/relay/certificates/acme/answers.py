"""Who puts the answers to challenges where a directory looks for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Record:
    """A TXT record that a person has to set."""

    name: str
    value: str


class Answers(Protocol):
    """One way to prove names. For each name `present`, then once `ready`, and `withdraw` whatever came of it."""

    async def present(self, domain: str, token: str, authorization: str) -> None:
        """Put the answer in place. Raises AcmeFailed when that is not possible."""
        ...

    async def ready(self) -> None:
        """Returns when the directory may look."""
        ...

    async def withdraw(self, domain: str, token: str, authorization: str) -> None:
        """Take the answer away; fine when it never stood."""
        ...


Tell = Callable[[Record], None]
