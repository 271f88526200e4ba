"""One unit's journal as it grows: one journalctl, handed to every viewer."""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import orjson
import structlog

from homeport.kit.clock import Clock, rfc3339_ms
from homeport.services.logs.viewer import Viewer
from homeport.services.units.entries import FIELDS, JournalEntry, JournalLines
from homeport.services.units.tools import Tools, end

log = structlog.get_logger()

RECENT = 100  # entries kept for viewers that join (seed 000)
RECENT_SIZE = 1024 * 1024  # characters of their messages
SETTLES_IN = 3.0  # seconds: a past that the reader does not show by then was taken from the journal meanwhile
AT_START = 2.0  # seconds: a reader that fails earlier than this never worked
PAUSE = 1.0  # seconds before a reader that broke is replaced
KILL_AFTER = 5.0
STDERR_KEPT = 4096


@dataclass(frozen=True)
class Ending:
    """How a stream ends: the close code, its reason, and the last message (seed 000)."""

    code: int
    reason: str
    message: str

    def text(self) -> str:
        """The last frame; its time has milliseconds and Z."""
        return orjson.dumps({"timestamp": rfc3339_ms(datetime.now(UTC)), "message": self.message}).decode()


def ended() -> Ending:
    return Ending(1000, "Log stream ended", "[Log stream ended]")


def failed(unit: str) -> Ending:
    return Ending(1011, "Failed to spawn journalctl", f"[Error: Failed to start log stream for {unit}]")


def gap(lines: int) -> JournalEntry:
    """Told to a viewer that was too slow."""
    return JournalEntry(rfc3339_ms(datetime.now(UTC)), f"[{lines} lines dropped: this viewer was too slow]")


class UnitJournal:
    """Runs from the first viewer to the last. A reader that breaks is replaced, and goes on where it was.

    `ending` is set when the stream is over.
    """

    def __init__(self, unit: str, tools: Tools, clock: Clock) -> None:
        self.unit = unit
        self.users = 0  # viewers that have it, or are about to; counted by Journals
        self.ending: Ending | None = None
        self._tools = tools
        self._clock = clock
        self._viewers: set[Viewer[JournalEntry]] = set()
        self._recent: deque[JournalEntry] = deque(maxlen=RECENT)
        self._recent_size = 0
        self._cursor = ""
        self._settled = asyncio.Event()  # the past has been read
        self._newest: JournalEntry | None = None  # of the past
        self._settling: asyncio.Task[None] | None = None
        self._task = asyncio.create_task(self._run(), name=f"journal of {unit}")

    async def join(self, viewer: Viewer[JournalEntry], lines: int) -> None:
        """Give `viewer` its tail (as far as it is kept here), and from now on every new entry."""
        if lines < RECENT and not self._settled.is_set():
            self._settling = self._settling or asyncio.create_task(self._settle(), name=f"the past of {self.unit}")
            await self._settled.wait()
        viewer.begin(list(self._recent)[-lines:] if lines else [])
        self._viewers.add(viewer)  # no await in between: nothing is missed and nothing comes twice
        if self.ending:
            viewer.end()

    def leave(self, viewer: Viewer[JournalEntry]) -> None:
        self._viewers.discard(viewer)

    async def close(self) -> None:
        """SIGTERM to the reader, SIGKILL if that does not end it."""
        tasks = [self._task, *([self._settling] if self._settling else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._finish(ended())

    async def _settle(self) -> None:
        """What the reader printed until now is not all there was: it takes its time to begin. The past ends with the
        newest entry that another reader finds now."""
        argv = ("journalctl", "-u", self.unit, "-n", "1", "--output=json", "--all", f"--output-fields={FIELDS}")
        outcome = await self._tools.run(argv, limit=SETTLES_IN)
        cut = JournalLines()
        found = [entry for entry in (*cut.receive(outcome.stdout), *cut.end()) if entry.cursor]
        if found and not any(map(partial(_reaches, found[-1]), self._recent)):
            self._newest = found[-1]
            with suppress(TimeoutError):
                async with asyncio.timeout(SETTLES_IN):
                    await self._settled.wait()
        self._settled.set()

    async def _run(self) -> None:
        while True:
            started = self._clock.monotonic()
            exit_code, said = await self._read()
            if exit_code == 0:
                return self._finish(ended())
            log.warning("the journal's reader failed", unit=self.unit, exit_code=exit_code, said=said)
            if exit_code is None or self._clock.monotonic() - started < AT_START:
                return self._finish(failed(self.unit))
            await self._clock.sleep(PAUSE)

    async def _read(self) -> tuple[int | None, str]:
        """One reader from its start to its end: exit code (None: it could not be made), and what it complained of."""
        place = ("--no-tail", f"--after-cursor={self._cursor}") if self._cursor else ("-n", str(RECENT))
        argv = ("journalctl", "-u", self.unit, "-f", *place, "--output=json", "--all", f"--output-fields={FIELDS}")
        try:
            process = await self._tools.spawn(argv)
        except OSError as problem:
            return None, str(problem)
        assert process.stdout is not None
        assert process.stderr is not None
        errors = asyncio.create_task(_last_words(process.stderr), name=f"journal of {self.unit}: errors")
        lines = JournalLines()
        try:
            while block := await process.stdout.read(65536):
                self._take(list(lines.receive(block)))
                await asyncio.sleep(0)  # a full pipe is read without a pause: the viewers get their turn
            self._take(list(lines.end()))
            return await process.wait(), (await errors).strip()
        finally:
            errors.cancel()
            await end(process, signal.SIGTERM, KILL_AFTER)

    def _take(self, entries: list[JournalEntry]) -> None:
        if not entries:
            return
        for entry in entries:
            if len(self._recent) == RECENT:
                self._recent_size -= len(self._recent[0].message)
                self._settled.set()
            self._recent.append(entry)
            self._recent_size += len(entry.message)
            self._cursor = entry.cursor or self._cursor
            if self._newest is not None and _reaches(self._newest, entry):
                self._settled.set()
        while self._recent_size > RECENT_SIZE:
            self._recent_size -= len(self._recent.popleft().message)
        for viewer in self._viewers:
            viewer.push(entries)

    def _finish(self, ending: Ending) -> None:
        self.ending = self.ending or ending
        self._settled.set()
        for viewer in self._viewers:
            viewer.end()


def _reaches(newest: JournalEntry, entry: JournalEntry) -> bool:
    return entry.cursor == newest.cursor or (entry.at or 0) > (newest.at or 0)


async def _last_words(stream: asyncio.StreamReader) -> str:
    kept = b""
    while block := await stream.read(4096):
        kept = (kept + block)[-STDERR_KEPT:]
    return kept.decode("utf-8", "replace")
