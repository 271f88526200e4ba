"""What the shell prints: JSON for programs, tables and sentences for people."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from homeport.kit.problems import Problem

_STATUS_STYLE = {
    "running": "green",
    "success": "green",
    "healthy": "green",
    "live": "green",
    "deploying": "cyan",
    "queued": "cyan",
    "starting": "cyan",
    "building": "cyan",
    "failed": "red",
    "unhealthy": "red",
    "stopped": "dim",
    "cancelled": "dim",
    "retired": "dim",
}
_NOT_COLOUR = re.compile(r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f\x80-\x9f]")


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
    sys.stdout.flush()


def print_json_line(value: object) -> None:
    """One JSON document on one line of stdout, sent at once."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def complain(problem: Problem, *, as_json: bool) -> None:
    """The problem on stderr: one sentence, or the API's error body as one JSON line."""
    if as_json:
        body = {
            "error": problem.message,
            "code": problem.code,
            "status": problem.status,
            "message": problem.message,
            "details": problem.details,
        }
        sys.stderr.write(json.dumps(body, ensure_ascii=False) + "\n")
        return
    sys.stderr.write(f"homeport: {safe(problem.message)}\n")
    fields = (problem.details or {}).get("fields")
    if isinstance(fields, dict) and len(fields) > 1:
        sys.stderr.writelines(f"  {safe(str(name))}: {safe(str(reason))}\n" for name, reason in fields.items())


def safe(text: str) -> str:
    """`text` with nothing in it that could drive a terminal, colours aside."""
    return _NOT_COLOUR.sub("", text)


def stdout_console() -> Console:
    """The console for tables; wide enough that nothing is folded when no terminal reads it."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 240, highlight=False)


def stderr_console() -> Console:
    """The console for progress, which never mixes with what a verb answers."""
    from rich.console import Console

    return Console(stderr=True, width=None if sys.stderr.isatty() else 240, highlight=False)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A plain table; the sentence `empty` (on stderr) when there are no rows."""
    from rich.table import Table
    from rich.text import Text

    cells = [["–" if cell is None or cell == "" else str(cell) for cell in row] for row in rows]
    if not cells:
        sys.stderr.write(f"{empty}\n")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.upper(), no_wrap=True, overflow="fold" if column == "url" else "ellipsis")
    for row in cells:
        table.add_row(*(Text(safe(cell), style=_STATUS_STYLE.get(cell, "")) for cell in row))
    stdout_console().print(table)


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Names and values, one a line; fields without a value are left out."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields:
        if value is not None and value != "":
            table.add_row(name, Text(safe(str(value)), style=_STATUS_STYLE.get(str(value), "")))
    stdout_console().print(table)


def ago(timestamp: Any) -> str:
    """`3m ago` for an RFC 3339 instant; empty for none."""
    if not isinstance(timestamp, str):
        return ""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(timestamp)).total_seconds()
    return f"{duration(max(0.0, seconds))} ago"


def duration(seconds: float) -> str:
    """The largest unit that fits: `42s`, `7m`, `3h`, `12d`."""
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{letter}"
    return f"{int(seconds)}s"
