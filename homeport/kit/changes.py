"""What a browser tab is told: something was created, changed or deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Change:
    """`data` is the row as the API sends it; `customer_id` says who, besides the portal's own people, may see it."""

    topic: str
    action: Literal["created", "changed", "deleted"]
    id: str
    data: Mapping[str, Any]
    customer_id: str | None = None
