"""Log lines on disk, as the Container Runtime Interface writes them: `2026-03-29T14:30:00.123456789Z stdout F message`.

The third word is `F` for a full line, `P` for a part of a line that was cut because it was too long.
(kubernetes: KubeletLoggingFormat, "CRI log format".)
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

LONGEST_MESSAGE = 16 * 1024  # bytes of message in one line
LONGEST_LINE = LONGEST_MESSAGE + 64  # bytes, with everything before the message; longer lines are not ours


class LogLine(NamedTuple):
    """One line as it stands in the file; `timestamp` is aware UTC with microseconds (the file has nanoseconds)."""

    timestamp: datetime
    stream: str
    partial: bool
    message: str


def parse_line(line: bytes) -> LogLine | None:
    """One line without its line end, or None where it is not a log line (torn by a crash, or written by a stranger)."""
    parts = line.split(b" ", 3)
    if len(parts) != 4 or parts[2] not in {b"F", b"P"} or not parts[0].endswith(b"Z"):
        return None
    try:
        timestamp = datetime.fromisoformat(parts[0].decode("ascii"))
        stream = parts[1].decode("ascii")
    except ValueError:
        return None
    return LogLine(timestamp, stream, parts[2] == b"P", parts[3].decode("utf-8", "replace"))


def format_line(timestamp_ns: int, stream: str, message: str, *, partial: bool = False) -> bytes:
    """One line with its line end. `timestamp_ns` is nanoseconds since 1970; a line end in `message` becomes a space."""
    seconds, nanoseconds = divmod(timestamp_ns, 1_000_000_000)
    instant = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    text = message.replace("\n", " ")
    return f"{instant}.{nanoseconds:09d}Z {stream} {'P' if partial else 'F'} {text}\n".encode()
