"""Follows log files as they grow, through rotation, for as many instances as there are."""

from __future__ import annotations

import os
from pathlib import Path

from homeport.services.logs import LogEntry
from homeport.services.logs.generations import SUFFIXES, instances, open_generations
from homeport.services.logs.tail import Position, last_line_end
from homeport.wire.log_line import LONGEST_LINE, parse_line

AT_ONCE = 1024 * 1024  # bytes of one instance in one look


class InstanceReader:
    """One instance's log, from a place on. Blocks: call it in a thread."""

    def __init__(self, directory: Path, instance: str) -> None:
        self._directory = directory
        self._instance = instance
        self._fd = -1
        self._inode = 0
        self._offset = 0
        self.more = False  # the last look ended before the file did

    @property
    def position(self) -> Position:
        """Up to here every line was handed out."""
        return self._inode, self._offset

    def skip(self) -> None:
        """Go to the end: what stands there now is somebody else's to read."""
        fds = open_generations(self._directory, self._instance)
        self._use(fds)
        if self._fd >= 0:
            self._offset = last_line_end(self._fd, os.fstat(self._fd).st_size)

    def read(self) -> list[LogEntry] | None:
        """What is new; None when every file of it is gone."""
        if self._fd < 0 and not self._next():
            return None
        found = self._take()
        # Nobody writes to a file that was renamed: what we read of it after seeing the rename is its end.
        while not self.more and self._rotated():
            found += self._take()
            if self.more:
                break
            if not self._next():
                return found if found or self._fd >= 0 else None
            found += self._take()
        return found

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _rotated(self) -> bool:
        try:
            return (self._directory / f"{self._instance}.log{SUFFIXES[0]}").stat().st_ino != self._inode
        except FileNotFoundError:
            return True

    def _next(self) -> bool:
        """Go to the file after ours, or to the oldest there is; False when there is none."""
        fds = open_generations(self._directory, self._instance)
        inodes = [os.fstat(fd).st_ino for fd in fds]
        if self._fd >= 0 and self._inode in inodes:
            after = inodes.index(self._inode) + 1
            if after == len(fds):  # renamed, and the new one is not made yet
                offset = self._offset
                self._use(fds)
                self._offset = offset
                return False
            for fd in fds[:after]:
                os.close(fd)
            fds = fds[after:]
        if not fds:
            self.close()
            return False
        for fd in fds[1:]:
            os.close(fd)
        self._use(fds[:1])
        return True

    def _use(self, fds: list[int]) -> None:
        """Read the last of these from its beginning; close the others and the one before."""
        for fd in fds[:-1]:
            os.close(fd)
        self.close()
        if fds:
            self._fd, self._offset = fds[-1], 0
            self._inode = os.fstat(self._fd).st_ino

    def _take(self) -> list[LogEntry]:
        if os.fstat(self._fd).st_size < self._offset:
            self._offset = 0  # somebody emptied the file
        data = os.pread(self._fd, AT_ONCE, self._offset)
        self.more = len(data) == AT_ONCE
        end = data.rfind(b"\n") + 1
        if not end and len(data) > LONGEST_LINE:
            end = len(data)  # no line of ours
        self._offset += end
        return [
            LogEntry(parsed.timestamp, parsed.stream, parsed.message, self._instance)
            for line in data[:end].split(b"\n")
            if line and (parsed := parse_line(line))
        ]


class DirectoryReader:
    """All logs of one service. Blocks: call it in a thread, one call at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._readers: dict[str, InstanceReader] = {}
        self._existed = directory.is_dir()

    def skip(self) -> None:
        """Go to the ends of the logs there are."""
        for instance in instances(self._directory):
            reader = self._readers[instance] = InstanceReader(self._directory, instance)
            reader.skip()

    def positions(self) -> dict[str, Position]:
        return {instance: reader.position for instance, reader in self._readers.items()}

    def read(self) -> tuple[list[LogEntry], bool] | None:
        """New entries by time, and whether there is more already; None when the directory was removed."""
        if not self._directory.is_dir():
            return None if self._existed else ([], False)
        self._existed = True
        for instance in instances(self._directory) - self._readers.keys():
            self._readers[instance] = InstanceReader(self._directory, instance)
        found: list[LogEntry] = []
        sources = 0
        for instance, reader in list(self._readers.items()):
            entries = reader.read()
            if entries is None:
                reader.close()
                del self._readers[instance]
            elif entries:
                found += entries
                sources += 1
        if sources > 1:
            found.sort(key=lambda entry: entry.timestamp)
        return found, any(reader.more for reader in self._readers.values())

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
