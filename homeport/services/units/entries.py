"""The journal's lines however their bytes are cut: bytes in, entries out (systemd.journal-fields(7))."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

FIELDS = "MESSAGE,_HOSTNAME,SYSLOG_IDENTIFIER,_COMM,_PID,SYSLOG_PID"
LONGEST_LINE = 1024 * 1024  # bytes of one JSON document; an entry beyond it is told as such
LONGEST_MESSAGE = 32 * 1024  # characters
_SHORT_ISO = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*)\s+(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One entry, of one line or several. `timestamp` is `2026-03-13T14:30:45+0000`, empty where there is none;
    `cursor` is its place in the journal, `at` microseconds since 1970."""

    timestamp: str
    message: str
    cursor: str = ""
    at: int | None = None

    def text(self) -> str:
        """The frame of seed 000."""
        return orjson.dumps({"timestamp": self.timestamp, "message": self.message}).decode()

    def body(self) -> dict[str, str]:
        """As a plain reply has it."""
        return {"timestamp": self.timestamp, "message": self.message, "stream": "journal"}


class JournalLines:
    """Cuts the reader's output into entries. Never raises for what it is given."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._dropping = False

    def receive(self, data: bytes) -> Iterator[JournalEntry]:
        """The entries that are whole with this block."""
        self._rest += data
        if b"\n" in data:
            *lines, rest = bytes(self._rest).split(b"\n")
            self._rest = bytearray(rest)
            for line in lines:
                if self._dropping:
                    self._dropping = False
                elif entry := read_line(line):
                    yield entry
        if len(self._rest) > LONGEST_LINE:
            self._rest.clear()
            if not self._dropping:
                yield JournalEntry("", f"[An entry of more than {LONGEST_LINE // 1024} KiB was left out]")
            self._dropping = True

    def end(self) -> Iterator[JournalEntry]:
        """The last line, which has no newline when the reader was cut off."""
        if self._rest and not self._dropping and (entry := read_line(bytes(self._rest))):
            yield entry
        self._rest.clear()


def read_line(line: bytes) -> JournalEntry | None:
    """None for a blank line. What is no JSON is shown as it is, with its time where it begins with one (short-iso)."""
    text = line.decode("utf-8", "replace").rstrip("\r\n")
    if not text.strip():
        return None
    if text.startswith("{"):
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError:
            found = None
        if isinstance(found, dict):
            return _entry(found)
    match = _SHORT_ISO.match(text)
    return JournalEntry(match[1], _cut(match[2])) if match else JournalEntry("", _cut(text))


def short_iso(at: int) -> str:
    """Microseconds since 1970 as journalctl's short-iso writes them, in UTC."""
    return datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def _entry(found: Mapping[str, Any]) -> JournalEntry:
    stamp = found.get("__REALTIME_TIMESTAMP")
    at = int(stamp) if isinstance(stamp, str) and stamp.isdecimal() and len(stamp) < 18 else None
    who = _text(found.get("SYSLOG_IDENTIFIER")) or _text(found.get("_COMM")) or "unknown"
    pid = _text(found.get("_PID")) or _text(found.get("SYSLOG_PID"))
    host = _text(found.get("_HOSTNAME")) or "localhost"
    message = _text(found.get("MESSAGE")).rstrip("\r\n")
    head = f"{host} {who}[{pid}]" if pid else f"{host} {who}"
    cursor = found.get("__CURSOR")
    return JournalEntry(
        short_iso(at) if at is not None else "",
        _cut(f"{head}: {message}"),
        cursor if isinstance(cursor, str) else "",
        at,
    )


def _text(value: Any) -> str:
    """A field: text, its bytes as numbers where it is not plain text, or several of these when it is there twice."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        if all(isinstance(one, int) and 0 <= one < 256 for one in value):
            return bytes(value).decode("utf-8", "replace")
        return "\n".join(_text(one) for one in value)
    return ""


def _cut(message: str) -> str:
    return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 1] + "…"
