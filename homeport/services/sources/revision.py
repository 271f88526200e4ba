"""Which state of a source a release was made from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Revision:
    """`id` is a commit, or a digest of what was uploaded; `summary` one line for people; `authored_at` is UTC."""

    id: str
    summary: str
    authored_at: datetime | None = None
    branch: str | None = None
