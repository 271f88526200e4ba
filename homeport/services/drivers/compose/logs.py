"""What containers print, as log files: masked, in order, and continued where the last portal stopped."""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import structlog

from homeport.kit.clock import Clock
from homeport.services.docker import Engine
from homeport.services.docker.problems import EngineRefused, EngineUnavailable
from homeport.services.drivers.process.supervisor.lines import KEPT, LONGEST, MASK, LogFile

if TYPE_CHECKING:
    from aiohttp import ClientResponse

log = structlog.get_logger()

RETRY_SECONDS = 1.0
AGAIN_SECONDS = 0.2  # between the end of one run's output and the look whether there is another
SHORTEST_SECRET = 4  # shorter values are words of any text
TAIL = 1024 * 1024  # bytes of a log file in which the last line of each stream is looked for
_HEADER = struct.Struct(">BxxxL")
_STREAMS = {1: b"stdout", 2: b"stderr"}
_LARGEST_FRAME = 1024 * 1024
_LINE = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z (?:(stdout|stderr) [FP] )?", re.DOTALL)


class Line(NamedTuple):
    """As the engine keeps it; `at` in nanoseconds since 1970. `whole` is false for a piece of a long line."""

    at: int
    stream: bytes
    message: bytes
    whole: bool


class _Stamped(LogFile):
    """Lines carry the engine's own time; never the same twice: a line is found again by its instant."""

    at = 0

    def _stamp(self) -> bytes:
        self._last = max(self.at, self._last + 1)
        second, nanoseconds = divmod(self._last, 1_000_000_000)
        date = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
        return b"%b.%09dZ" % (date, nanoseconds)


class Collector:
    """Follows one container at a time into one file. `secrets` are masked before they are stored."""

    def __init__(self, engine: Engine, clock: Clock, path: Path, limit_mb: int) -> None:
        self._engine = engine
        self._clock = clock
        self._path = path
        self._limit = limit_mb << 20
        self._needles: list[bytes] = []
        self._held: dict[bytes, bytes] = {}  # by stream: the end of a piece, in which a secret may begin
        self._task: asyncio.Task[None] | None = None
        self.container_id: str | None = None

    def follow(self, container_id: str, secrets: Collection[str]) -> None:
        """Begin, or go on; another container than before takes the place of it."""
        values = {line for one in secrets for line in one.splitlines() if len(line) >= SHORTEST_SECRET}
        self._needles = [one.encode() for one in sorted(values, key=len, reverse=True)]
        if self.container_id == container_id and self._task is not None and not self._task.done():
            return
        before, self._task = self._task, None
        self.container_id = container_id
        self._task = asyncio.create_task(self._run(container_id, before), name=f"log of {self._path.stem}")

    async def drain(self, seconds: float) -> None:
        """Wait until the output of a container that ended is read to its end, and no longer than that."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=seconds)

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self, container_id: str, before: asyncio.Task[None] | None) -> None:
        if before is not None:  # the one that it takes the place of was read to its end, or nearly
            before.cancel()
            await asyncio.wait({before})
        file = _Stamped(str(self._path), self._limit)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            seen = await asyncio.to_thread(positions, self._path)
            while True:
                try:
                    state = (await self._engine.ask("GET", f"/containers/{container_id}/json"))["State"]
                    await self._read(container_id, file, seen)
                    if not (state["Running"] or state["Restarting"]):
                        return
                except EngineRefused as refusal:
                    if refusal.engine_status in {404, 409}:  # it was removed
                        return
                    log.warning("a log cannot be read", container=container_id[:12], reason=refusal.message)
                    await self._clock.sleep(RETRY_SECONDS)
                except EngineUnavailable:
                    await self._clock.sleep(RETRY_SECONDS)
                await self._clock.sleep(AGAIN_SECONDS)
        finally:
            file.close()

    async def _read(self, container_id: str, file: _Stamped, seen: dict[bytes, int]) -> None:
        """To the end of this run's output."""
        tty = (await self._engine.ask("GET", f"/containers/{container_id}/json"))["Config"]["Tty"]
        known = dict(seen)  # the pieces of a long line share an instant, and may come one by one
        since = min(seen.values())
        second, nanoseconds = divmod(since, 1_000_000_000)
        query: dict[str, str | bool] = {
            "follow": True, "stdout": True, "stderr": True, "timestamps": True, "since": f"{second}.{nanoseconds:09d}",
        }  # fmt: skip
        async with self._engine.stream("GET", f"/containers/{container_id}/logs", query=query) as answer:
            async for batch in _batches(answer, tty=tty):
                fresh = [line for line in batch if line.at > known[line.stream]]
                if fresh:
                    for line in fresh:
                        seen[line.stream] = line.at
                    await asyncio.to_thread(self._write, file, fresh)

    def _write(self, file: _Stamped, lines: list[Line]) -> None:
        for line in lines:
            message = self._held.pop(line.stream, b"") + line.message
            for needle in self._needles:
                message = message.replace(needle, MASK)
            if not line.whole and (margin := max((len(one) for one in self._needles), default=1) - 1):
                message, self._held[line.stream] = message[:-margin], message[-margin:]
            message = message.decode("utf-8", "replace").encode()
            pieces = [message[at : at + LONGEST] for at in range(0, len(message), LONGEST)] or [b""]
            last = b"F" if line.whole else b"P"
            file.at = line.at
            file.write(line.stream, [*((b"P", piece) for piece in pieces[:-1]), (last, pieces[-1])])


def positions(path: Path) -> dict[bytes, int]:
    """The instant of the last line of each stream in a log and its rotated files; where a stream has none, that of the
    oldest line that was looked at, or 0 where there is no log. Blocks."""
    found: dict[bytes, int] = {}
    oldest = 0
    for age in range(KEPT + 1):
        one = path if age == 0 else path.with_name(f"{path.name}.{age}")
        try:
            with one.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - TAIL))
                text = file.read(TAIL)
        except FileNotFoundError:
            continue
        for raw in reversed(text.split(b"\n")):
            if (match := _LINE.match(raw)) and match[3]:
                oldest = _nanoseconds(match)
                found.setdefault(match[3], oldest)
        if len(found) == len(_STREAMS):
            break
    return {stream: found.get(stream, max(0, oldest - 1)) for stream in _STREAMS.values()}


def _nanoseconds(match: re.Match[bytes]) -> int:
    second = datetime.strptime(match[1].decode(), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    return int(second.timestamp()) * 1_000_000_000 + int((match[2] or b"").ljust(9, b"0"))


async def _batches(answer: ClientResponse, *, tty: bool) -> AsyncIterator[list[Line]]:
    """What came at once. With a terminal there are lines; without, frames: stream, length, one line of that stream."""
    rest = b""
    async for chunk in answer.content.iter_any():
        rest += chunk
        found: list[Line] = []
        if tty:
            *whole, rest = rest.split(b"\n")
            found = [line for raw in whole if (line := _line(b"stdout", raw + b"\n"))]
            if len(rest) > _LARGEST_FRAME:
                raise EngineUnavailable("Docker Engine sent a log line that is too long.")
        else:
            at = 0
            while len(rest) - at >= _HEADER.size:
                stream, length = _HEADER.unpack_from(rest, at)
                if length > _LARGEST_FRAME:
                    raise EngineUnavailable("Docker Engine sent a log line that is too long.")
                if len(rest) - at - _HEADER.size < length:
                    break
                start = at + _HEADER.size
                at = start + length
                if line := _line(_STREAMS.get(stream, b"stdout"), rest[start:at]):
                    found.append(line)
            rest = rest[at:]
        if found:
            yield found


def _line(stream: bytes, raw: bytes) -> Line | None:
    match = _LINE.match(raw)
    if match is None:
        return None
    start = match.start(3) if match[3] else match.end()  # an app may print what looks like a line of ours
    message = raw[start:]
    return Line(_nanoseconds(match), stream, message.removesuffix(b"\n").removesuffix(b"\r"), message.endswith(b"\n"))
