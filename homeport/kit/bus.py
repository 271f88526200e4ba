"""Events go up: a part publishes what happened, the parts above it subscribe."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

import structlog

Event = TypeVar("Event")
log = structlog.get_logger()


class Bus:
    """In-process delivery, in order, on the event loop's thread. A handler that fails is logged and hurts no other."""

    def __init__(self) -> None:
        self._handlers: dict[type, list[Callable[[Any], None]]] = defaultdict(list)

    def subscribe(self, kind: type[Event], handler: Callable[[Event], None]) -> None:
        """Call `handler` with each event of exactly this class. Handlers do not block: they enqueue."""
        self._handlers[kind].append(handler)

    def publish(self, event: object) -> None:
        for handler in self._handlers.get(type(event), ()):
            try:
                handler(event)
            except Exception:
                log.exception("event handler failed", event_kind=type(event).__name__)
