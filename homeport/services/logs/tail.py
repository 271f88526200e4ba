"""Reads logs from their ends: as much as is asked for, never whole files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from homeport.services.logs import LogEntry
from homeport.services.logs.generations import SUFFIXES, generations, instances
from homeport.wire.log_line import LONGEST_LINE, parse_line

BLOCK = 64 * 1024  # bytes read at once
MOST = 16 * 1024 * 1024  # bytes of one instance that one call looks at
TICK = timedelta(seconds=1)  # a file's time of change is coarser than the instants of its lines

Position = tuple[int, int]  # inode, and the offset up to which lines were taken


def tail(
    directory: Path, lines: int, since: datetime | None = None, until: Mapping[str, Position] | None = None
) -> list[LogEntry]:
    """The last `lines` entries of all instances, merged by time, oldest first. Blocks: call it in a thread.

    With `until`, only what stands before these positions; instances that are not in it are left out.
    """
    names = instances(directory) if until is None else set(until)
    changed = sorted(((_changed_at(directory, name), name) for name in names), reverse=True)
    found: list[LogEntry] = []
    for changed_at, name in changed:
        oldest = found[0].timestamp if len(found) >= lines else since
        if oldest is not None and changed_at + TICK < oldest:
            break  # this file and those after it were last written before anything that is wanted
        found += _tail_of(directory, name, lines, since, until[name] if until is not None else None)
        found.sort(key=lambda entry: entry.timestamp)
        del found[:-lines]
    return found


def _changed_at(directory: Path, instance: str) -> datetime:
    for suffix in SUFFIXES:
        try:
            return datetime.fromtimestamp((directory / f"{instance}.log{suffix}").stat().st_mtime, UTC)
        except FileNotFoundError:
            continue
    return datetime.fromtimestamp(0, UTC)


def _tail_of(
    directory: Path, instance: str, lines: int, since: datetime | None, until: Position | None
) -> list[LogEntry]:
    """Oldest first."""
    found: list[LogEntry] = []
    looked_at = 0
    with generations(directory, instance) as fds:
        ends = {fd: os.fstat(fd) for fd in fds}
        if until is not None:
            inodes = [ends[fd].st_ino for fd in fds]
            # Rotated away since: all that is left is younger than the position.
            fds = fds[: inodes.index(until[0]) + 1] if until[0] in inodes else []
        for fd in reversed(fds):
            end = until[1] if until is not None and ends[fd].st_ino == until[0] else ends[fd].st_size
            for line in _backwards(fd, end):
                looked_at += len(line)
                parsed = parse_line(line)
                if parsed is None:
                    continue
                if (since is not None and parsed.timestamp < since) or looked_at > MOST:
                    return found[::-1]
                found.append(LogEntry(parsed.timestamp, parsed.stream, parsed.message, instance))
                if len(found) == lines:
                    return found[::-1]
    return found[::-1]


def _backwards(fd: int, end: int) -> Iterator[bytes]:
    """Whole lines before `end`, from young to old; what stands after the last line end is still being written."""
    end = last_line_end(fd, end)
    rest = b""  # the end of a line that begins in the block before
    while end > 0:
        start = max(0, end - BLOCK)
        block = os.pread(fd, end - start, start) + rest
        end = start
        rest, *whole = block.split(b"\n")
        if not whole and len(rest) > LONGEST_LINE:
            rest = b""  # no line of ours
            continue
        yield from (line for line in reversed(whole) if line)
    if rest:
        yield rest


def last_line_end(fd: int, end: int) -> int:
    """The offset after the last line end before `end`."""
    start = max(0, end - LONGEST_LINE)
    at = os.pread(fd, end - start, start).rfind(b"\n")
    return start + at + 1 if at >= 0 else (0 if start == 0 else end)
