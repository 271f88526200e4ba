"""A log file of lines that have their instant already: masked, cut, rotated, and resumed after a restart. Blocks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from homeport.kit.masking import Masker
from homeport.services.logs.generations import SUFFIXES
from homeport.wire.log_line import LONGEST_LINE, LONGEST_MESSAGE, format_line

TAIL = 4 * LONGEST_LINE


class Line(NamedTuple):
    """One line as an app printed it; `at` is nanoseconds since 1970."""

    at: int
    stream: str
    message: bytes


class Journal:
    """Appends to `path`, keeping two older generations of `limit` bytes each."""

    def __init__(self, path: Path, limit: int, masker: Masker) -> None:
        self._path = path
        self._limit = limit
        self._masker = masker
        self.last = self._find_last()
        """The instant of the youngest line on disk, in nanoseconds; 0 where there is none."""

    def write(self, lines: Iterable[Line]) -> None:
        """Those that are younger than the last one written; others were written before a restart."""
        data = bytearray()
        for line in lines:
            if line.at <= self.last:
                continue
            self.last = line.at
            text = self._masker.mask_bytes(line.message).decode("utf-8", "replace")
            *parts, rest = _cut(text)
            for part in parts:
                data += format_line(line.at, line.stream, part, partial=True)
            data += format_line(line.at, line.stream, rest)
        if not data:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists() and self._path.stat().st_size + len(data) > self._limit:
            self._rotate()
        with self._path.open("ab") as file:
            file.write(data)

    def _rotate(self) -> None:
        for older, newer in zip(reversed(SUFFIXES), list(reversed(SUFFIXES))[1:], strict=False):
            if (young := self._path.with_name(self._path.name + newer)).exists():
                young.replace(self._path.with_name(self._path.name + older))

    def _find_last(self) -> int:
        for suffix in SUFFIXES:
            path = self._path.with_name(self._path.name + suffix)
            if not path.exists():
                continue
            with path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - TAIL))
                for line in reversed(file.read().splitlines()):
                    if instant := nanoseconds(line.partition(b" ")[0]):
                        return instant
        return 0


def nanoseconds(stamp: bytes) -> int:
    """Since 1970, from `2026-03-29T14:30:00.123456789Z`; 0 for anything else."""
    head, _, rest = stamp.partition(b".")
    fraction = rest.removesuffix(b"Z")
    if not fraction.isdigit() or not rest.endswith(b"Z"):
        return 0
    try:
        seconds = datetime.fromisoformat(head.decode("ascii")).replace(tzinfo=UTC)
    except ValueError:
        return 0
    return int(seconds.timestamp()) * 1_000_000_000 + int(fraction[:9].ljust(9, b"0"))


def _cut(text: str) -> list[str]:
    """Pieces of at most LONGEST_MESSAGE bytes, none cut within a character."""
    data = text.encode()
    pieces = []
    while len(data) > LONGEST_MESSAGE:
        piece = data[:LONGEST_MESSAGE].decode("utf-8", "ignore")
        pieces.append(piece)
        data = data[len(piece.encode()) :]
    return [*pieces, data.decode()]
