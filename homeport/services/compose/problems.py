"""What is wrong with a compose document: every place at once, so that nobody mends it one error at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from homeport.kit.problems import Problem

_MOST = 100


@dataclass(frozen=True)
class Violation:
    """One place that is not accepted. `line` counts from 1 in the text; None where no line is to blame."""

    path: str
    reason: str
    line: int | None = None

    def body(self) -> dict[str, str | int | None]:
        return {"path": self.path, "reason": self.reason, "line": self.line}


class ComposeRefused(Problem):
    """A compose document that is not accepted; `details["violations"]` holds every path, reason and line."""

    code = "compose_refused"
    status = 422

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)
        first = self.violations[0]
        at = f" (line {first.line})" if first.line is not None else ""
        more = len(self.violations) - 1
        super().__init__(
            f"{first.path or 'The document'}{at}: {first.reason}" + (f" And {more} more." if more else ""),
            details={"violations": [one.body() for one in self.violations]},
        )


@dataclass
class Findings:
    """What a reading has found so far: `violations` refuse the document, `notes` only tell."""

    violations: list[Violation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def refuse(self, path: str, reason: str, line: int | None) -> None:
        """The same place is named once, and no more than a hundred of them."""
        known = any(one.path == path and one.reason == reason for one in self.violations)
        if len(self.violations) < _MOST and not known:
            self.violations.append(Violation(path, reason, line))

    @property
    def ordered(self) -> tuple[Violation, ...]:
        """The violations as they stand in the document."""
        return tuple(sorted(self.violations, key=lambda one: (one.line or 0, one.path)))

    def note(self, text: str) -> None:
        if text not in self.notes and len(self.notes) < _MOST:
            self.notes.append(text)
