"""What an app prints, as lines of its log file: masked, cut, stamped, rotated."""

from __future__ import annotations

import os
import time

LONGEST = 16 * 1024  # bytes of message in one line
MASK = "••••••••".encode()
KEPT = 2  # rotated files: <log>.1 is the younger


class LogFile:
    """One log that rotates by size. It never raises: what cannot be written is counted and told when it can again."""

    def __init__(self, path: str, limit: int) -> None:
        self.path = path
        self.limit = limit
        self._fd = -1
        self._size = 0
        self._lost = 0
        self._second = -1
        self._date = b""
        self._last = 0

    def write(self, stream: bytes, parts: list[tuple[bytes, bytes]]) -> None:
        """Append lines: `(F or P, message)` each."""
        lines = [b"%b %b %b %b\n" % (self._stamp(), stream, mark, message) for mark, message in parts]
        if self._lost:
            told = b"%d lines were lost: the log could not be written" % self._lost
            lines.insert(0, b"%b system F %b\n" % (self._stamp(), told))
        try:
            self._append(b"".join(lines))
        except OSError:
            self._lost += len(parts)
        else:
            self._lost = 0

    def say(self, message: str) -> None:
        """A line of the supervisor's own."""
        self.write(b"system", [(b"F", message.encode("utf-8", "replace"))])

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _append(self, data: bytes) -> None:
        if self._fd >= 0 and self._size + len(data) > self.limit and self._size:
            self.close()
            for age in range(KEPT, 0, -1):
                older = f"{self.path}.{age}"
                newer = f"{self.path}.{age - 1}" if age > 1 else self.path
                if os.path.exists(newer):
                    os.replace(newer, older)
        if self._fd < 0:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(self.path, flags, 0o640)
            self._size = os.fstat(self._fd).st_size
            if self._size and os.pread(self._fd, 1, self._size - 1) != b"\n":
                data = b"\n" + data  # an earlier writer was cut off in the middle of a line
        view = memoryview(data)
        while view:
            written = os.write(self._fd, view)
            self._size += written
            view = view[written:]

    def _stamp(self) -> bytes:
        """Now, never the same twice: a line is found again by its instant."""
        now = max(time.time_ns(), self._last + 1)
        self._last = now
        second, nanoseconds = divmod(now, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
        return b"%b.%09dZ" % (self._date, nanoseconds)


class Pipe:
    """One output stream of one run of the app: bytes in, lines to the log."""

    def __init__(self, fd: int, stream: bytes, log: LogFile, needles: list[bytes]) -> None:
        self.fd = fd
        self._stream = stream
        self._log = log
        self._needles = needles
        # A secret may have arrived in part: this much stays back where a line is cut.
        self._margin = max((len(needle) for needle in needles), default=1) - 1
        self._rest = b""
        os.set_blocking(fd, False)

    def pump(self) -> bool:
        """Read once what is there. False when the app closed its end."""
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            return True
        self._feed(data)
        return bool(data)

    def drain(self) -> None:
        """Read to the last byte that is there, write what is left without a line end, and close."""
        for _ in range(64):  # far more than a pipe holds: should somebody still write, it is nobody of ours
            try:
                data = os.read(self.fd, 65536)
            except BlockingIOError:
                break
            if not data:
                break
            self._feed(data)
        self._margin = 0
        self._feed(b"")
        if self._rest:
            self._write([(b"F", self._rest)])
            self._rest = b""
        os.close(self.fd)

    def _feed(self, data: bytes) -> None:
        data = self._rest + data
        for needle in self._needles:
            if needle in data:
                data = data.replace(needle, MASK)
        *whole, rest = data.split(b"\n")
        parts: list[tuple[bytes, bytes]] = []
        for line in whole:
            while len(line) > LONGEST:
                at = _cut(line)
                parts.append((b"P", line[:at]))
                line = line[at:]
            parts.append((b"F", line.removesuffix(b"\r")))
        while len(rest) > LONGEST + self._margin:
            at = _cut(rest)
            parts.append((b"P", rest[:at]))
            rest = rest[at:]
        self._rest = rest
        if parts:
            self._write(parts)

    def _write(self, parts: list[tuple[bytes, bytes]]) -> None:
        repaired = []
        for mark, line in parts:
            if not line.isascii():
                line = line.decode("utf-8", "replace").encode()
                # Each bad byte grows to three: a line of 16 KiB must stay one.
                while len(line) > LONGEST:
                    at = _cut(line)
                    repaired.append((b"P", line[:at]))
                    line = line[at:]
            repaired.append((mark, line))
        self._log.write(self._stream, repaired)


def _cut(line: bytes) -> int:
    """Where to cut a line that is too long: not within a UTF-8 character."""
    at = LONGEST
    while at > LONGEST - 4 and line[at] & 0xC0 == 0x80:
        at -= 1
    return at if line[at] & 0xC0 != 0x80 else LONGEST
