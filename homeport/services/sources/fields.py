"""Reads fields out of a document of plain values, gathering every fault instead of stopping at the first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_MISSING = object()


class Fields:
    """`reasons` maps a path such as `metadata.name` to what is wrong with it. Keys never asked for are faults too."""

    def __init__(self, data: Any, path: str = "", reasons: dict[str, str] | None = None) -> None:
        self._data = data
        self._prefix = path
        self._asked: set[str] = set()
        self.reasons: dict[str, str] = {} if reasons is None else reasons
        if not isinstance(data, dict):
            self.refuse("", "must be a mapping of keys and values")

    def refuse(self, path: str, reason: str) -> None:
        self.reasons.setdefault(".".join(part for part in (self._prefix, path) if part) or "document", reason)

    def has(self, path: str) -> bool:
        return self._find(path) is not _MISSING

    def raw(self, path: str) -> Any:
        """The value as it stands, None where there is none."""
        found = self._find(path)
        return None if found is _MISSING else found

    def _find(self, path: str) -> Any:
        self._asked.add(path)
        found: Any = self._data
        for key in path.split("."):
            if not isinstance(found, dict) or key not in found:
                return _MISSING
            found = found[key]
        return found

    def text(
        self,
        path: str,
        *,
        default: str | None = None,
        most: int = 200,
        pattern: re.Pattern[str] | None = None,
        rule: str = "does not fit",
    ) -> str:
        found = self._find(path)
        if found is _MISSING or (found is None and default is not None):
            if default is None:
                self.refuse(path, "is required")
            return default or ""
        if not isinstance(found, str):
            self.refuse(path, "must be text")
            return ""
        if len(found) > most or (default is None and not found.strip()):
            self.refuse(path, f"must have 1 to {most} characters")
        elif found and pattern is not None and not pattern.fullmatch(found):
            self.refuse(path, rule)
        return found.strip()

    def one_of(self, path: str, allowed: Sequence[str], *, default: str | None = None, missing: str = "") -> str:
        found = self._find(path)
        if found is _MISSING and (default is not None or missing):
            if default is None:
                self.refuse(path, missing)
            return default or ""
        if not isinstance(found, str) or found not in allowed:
            self.refuse(path, f"must be one of: {', '.join(allowed)}")
            return ""
        return found

    def flag(self, path: str, *, default: bool = False) -> bool:
        found = self._find(path)
        if found is _MISSING:
            return default
        if not isinstance(found, bool):
            self.refuse(path, "must be true or false")
            return default
        return found

    def integer(self, path: str, *, default: int | None, least: int, most: int) -> int | None:
        found = self._find(path)
        if found is _MISSING:
            return default
        if isinstance(found, bool) or not isinstance(found, int) or not least <= found <= most:
            self.refuse(path, f"must be a whole number from {least} to {most}")
            return default
        return found

    def number(self, path: str, *, default: float, least: float, most: float) -> float:
        found = self._find(path)
        if found is _MISSING:
            return default
        if isinstance(found, bool) or not isinstance(found, int | float) or not least <= found <= most:
            self.refuse(path, f"must be a number from {least:g} to {most:g}")
            return default
        return float(found)

    def texts(self, path: str, *, most: int = 40) -> tuple[str, ...]:
        found = self._find(path)
        if found is _MISSING:
            return ()
        if not isinstance(found, list) or len(found) > most or not all(isinstance(one, str) for one in found):
            self.refuse(path, f"must be a list of at most {most} texts")
            return ()
        return tuple(found)

    def items(self, path: str, *, most: int = 100) -> list[Fields]:
        """The mappings of a list, each with the same reasons."""
        found = self._find(path)
        if found is _MISSING:
            return []
        if not isinstance(found, list) or len(found) > most:
            self.refuse(path, f"must be a list of at most {most}")
            return []
        prefix = f"{self._prefix}.{path}" if self._prefix else path
        return [Fields(one, f"{prefix}[{number}]", self.reasons) for number, one in enumerate(found)]

    def first_port(self, path: str) -> int | None:
        ports = [item.integer("port", default=None, least=1, most=65535) for item in self.items(path, most=10)]
        return ports[0] if ports else None

    def finish(self) -> None:
        """Refuse every key that nobody asked for: a misspelt key is never ignored."""
        self._unasked(self._data, "")

    def _unasked(self, data: Any, path: str) -> None:
        if not isinstance(data, dict):
            return
        for key, value in data.items():
            here = f"{path}.{key}" if path else str(key)
            if here in self._asked:
                if any(asked.startswith(f"{here}.") for asked in self._asked):
                    self._unasked(value, here)
            elif any(asked.startswith(f"{here}.") for asked in self._asked):
                if isinstance(value, dict):
                    self._unasked(value, here)
                else:
                    self.refuse(here, "must be a mapping of keys and values")
            else:
                self.refuse(here, "is not a known key")
