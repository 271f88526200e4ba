"""The journals of all units: a snapshot, or followed by any number of viewers, with one journalctl a unit."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import structlog

from homeport.kit.clock import Clock
from homeport.services.logs.viewer import Viewer
from homeport.services.units.entries import FIELDS, JournalEntry, JournalLines
from homeport.services.units.problems import JournalUnavailable
from homeport.services.units.reader import RECENT, Ending, UnitJournal, ended, gap
from homeport.services.units.tools import Tools

log = structlog.get_logger()

SNAPSHOT_LIMIT = 10.0  # seconds
SNAPSHOT_KEPT = 16 * 1024 * 1024  # bytes of journalctl's output
QUEUE = 1000  # entries waiting for one viewer


class Following:
    """An async iterator over one viewer's entries; `ending` says how the stream ended once it has."""

    def __init__(self, journal: UnitJournal, viewer: Viewer[JournalEntry], past: list[JournalEntry], grep: str) -> None:
        self._journal = journal
        self._viewer = viewer
        self._past = past
        self._grep = grep.casefold()

    @property
    def ending(self) -> Ending:
        return self._journal.ending or ended()

    async def __aiter__(self) -> AsyncIterator[JournalEntry]:
        for entry in self._past:
            yield entry
        known = {entry.cursor for entry in self._past if entry.cursor}
        self._past = []
        async for entry in self._viewer:
            if entry.cursor in known or (self._grep and self._grep not in entry.message.casefold()):
                continue
            yield entry


class Journals:
    """Which unit's journal may be read is not asked here: Units does that."""

    def __init__(self, tools: Tools, clock: Clock, *, queue: int = QUEUE) -> None:
        self._tools = tools
        self._clock = clock
        self._queue = queue
        self._journals: dict[str, UnitJournal] = {}

    async def tail(self, unit: str, *, lines: int, since: datetime | None = None, grep: str = "") -> list[JournalEntry]:
        """The last `lines` entries not older than `since` that contain `grep` (any case), oldest first.

        Raises JournalUnavailable.
        """
        argv = [
            "journalctl", "-u", unit, "-n", str(lines), "--reverse", "--no-pager", "--output=json", "--all",
            f"--output-fields={FIELDS}",
        ]  # fmt: skip
        if since is not None:
            argv.append(f"--since=@{int(since.timestamp())}")
        if grep:
            argv += [f"--grep={re.escape(grep)}", "--case-sensitive=no"]
        outcome = await self._tools.run(argv, limit=SNAPSHOT_LIMIT, kept=SNAPSHOT_KEPT)
        cut = JournalLines()
        found = [*cut.receive(outcome.stdout), *cut.end()]
        said = outcome.stderr.decode("utf-8", "replace")[:1000].strip()
        if outcome.exit_code != 0 and (found or said or outcome.exit_code != 1):  # 1 without a word: nothing matched
            log.warning("the journal could not be read", unit=unit, exit_code=outcome.exit_code, said=said)
            raise JournalUnavailable(f"The journal of {unit} cannot be read here; the portal's log says why.")
        oldest = since.timestamp() * 1e6 if since else 0
        return [entry for entry in reversed(found) if entry.at is None or entry.at >= oldest][-lines:]

    @asynccontextmanager
    async def follow(
        self, unit: str, *, lines: int = RECENT, since: datetime | None = None, grep: str = ""
    ) -> AsyncIterator[Following]:
        """The tail, then every new entry. The reader is shared, and lives while it has viewers.

        Raises JournalUnavailable where a tail that the reader does not keep cannot be read.
        """
        journal = self._journals.get(unit)
        if journal is None or journal.ending:
            journal = self._journals[unit] = UnitJournal(unit, self._tools, self._clock)
        journal.users += 1
        viewer = Viewer[JournalEntry](gap, self._queue)
        try:
            past: list[JournalEntry] = []
            if since is not None or grep or lines > RECENT:
                await journal.join(viewer, 0)
                past = await self.tail(unit, lines=lines, since=since, grep=grep) if lines else []
            else:
                await journal.join(viewer, lines)
            yield Following(journal, viewer, past, grep)
        finally:
            journal.leave(viewer)
            journal.users -= 1
            if journal.users == 0:
                if self._journals.get(unit) is journal:
                    del self._journals[unit]
                await journal.close()

    async def close(self) -> None:
        """End every reader; viewers see the end of their log."""
        journals = list(self._journals.values())
        self._journals.clear()
        await asyncio.gather(*(journal.close() for journal in journals))
