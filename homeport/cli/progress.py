"""A job's progress as the person sees it: one line a finished step, and a spinner beside the one that runs."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Self

from rich.status import Status
from rich.text import Text

from homeport.cli.output import safe, stderr_console

_LAST_LINES = 15
_MARKS = {"success": ("✓", "green"), "failed": ("✗", "red"), "skipped": ("–", "dim")}


class Progress:
    """Hears a job's messages and writes to stderr. `quiet` writes nothing; `verbose` adds what the build prints."""

    def __init__(self, *, verbose: bool, quiet: bool) -> None:
        self._console = stderr_console()
        self._console.quiet = quiet
        self._verbose = verbose
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._began: dict[str, float] = {}
        self._spinner: Status | None = self._console.status("Waiting for its turn…") if not quiet else None

    def __enter__(self) -> Self:
        if self._spinner:
            self._spinner.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._spinner:
            self._spinner.stop()

    def hear(self, message: dict[str, Any]) -> None:
        """Show one message of the job's stream."""
        kind, step, status = message.get("type"), str(message.get("step") or ""), message.get("status")
        text = safe(str(message.get("message") or ""))
        if kind == "log":
            self._lines.append(text)
            if self._verbose:
                self._console.print(Text(f"  {text}", style="dim"))
        elif kind == "step" and status == "running":
            self._began[step] = time.monotonic()
            if self._spinner:
                self._spinner.update(Text(f"{step}…"))
        elif kind == "step" and status in _MARKS:
            mark, style = _MARKS[str(status)]
            took = f"{time.monotonic() - self._began[step]:.1f}s" if step in self._began else ""
            self._console.print(Text.assemble((mark, style), f" {step:<7}", (f"{took:>6}  ", "dim"), text))

    def last_words(self) -> None:
        """After a failure: the last lines the build printed, unless they were shown already."""
        if not self._verbose:
            for line in self._lines:
                self._console.print(Text(f"  {line}", style="dim"))
