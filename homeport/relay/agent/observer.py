"""Who looks on: hears the plain bytes of each connection, as they pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Visitor:
    """One connection through the tunnel, as its target and its observer are told.

    `number` counts the agent's connections from 1. `kind`: `tls` was ended here (what passes is plain), `tcp` is
    bytes as they came. The relay's protocol does not say whose connection it is.
    """

    number: int
    kind: Literal["tls", "tcp"]
    hostname: str
    relay: str


class Tap(Protocol):
    """Hears one connection. Called on the event loop while bytes pass: quick, without waiting, never raising.

    `data` is borrowed: it is overwritten after the call, so keep `bytes(data)` of what is kept.
    """

    def received(self, data: memoryview) -> None:
        """From the visitor, before the target has it."""
        ...

    def sent(self, data: memoryview) -> None:
        """From the target, before the visitor has it."""
        ...

    def closed(self) -> None:
        """The connection is over; once, whatever happened."""
        ...


class Observer(Protocol):
    """Asked at the beginning of each connection, when its target is about to be reached."""

    def opened(self, visitor: Visitor) -> Tap | None:
        """Who hears this connection; None: nobody."""
        ...
