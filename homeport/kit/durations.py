"""Durations in words."""

from __future__ import annotations


def spell(seconds: float) -> str:
    """Truncated to `5d 3h 20m`; parts that are zero are left out, seconds show below a minute only, never below `0s`
    (seed 000)."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    minutes, hours, days = whole // 60 % 60, whole // 3600 % 24, whole // 86400
    return " ".join(f"{value}{unit}" for value, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if value)
