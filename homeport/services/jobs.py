"""Jobs and their streams: what a deploy says, kept on disk before anybody is shown it."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import structlog

from homeport.kit.bus import Bus
from homeport.kit.changes import Change
from homeport.kit.clock import Clock, rfc3339, rfc3339_ms
from homeport.services import store
from homeport.services.models import JobMessageRow, JobRow
from homeport.storage import Database

log = structlog.get_logger()

STEPS = ("fetch", "detect", "plan", "build", "start", "gate", "switch", "retire")
FINISHED = ("success", "failed", "cancelled")
FLUSH_SECONDS = 0.1
MAX_LINES = 10_000  # of one job; more are counted, not kept
MAX_LINE = 4_000  # characters
MAX_PENDING = 5_000  # lines that wait for the disk; beyond it, in a tenth of a second, they are dropped
PAGE = 500


@dataclass
class _Pending:
    at: datetime
    type: str
    step: str | None
    stream: str | None
    message: str
    status: str | None


class JobStreams:
    """The streams of all jobs. Messages reach the disk in batches, then the viewers: no number is given twice."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._pending: dict[str, list[_Pending]] = defaultdict(list)
        self._dropped: Counter[str] = Counter()
        self._seq: dict[str, int] = {}
        self._grown: dict[str, asyncio.Event] = {}
        self._wake = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._task = asyncio.create_task(self._run(), name="job streams")

    async def close(self) -> None:
        """Write what waits."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.flush()

    def say(
        self,
        job_id: str,
        message: str,
        *,
        type: str = "log",  # noqa: A002 - the word of the stream's messages
        step: str | None = None,
        stream: str | None = "stdout",
        status: str | None = None,
    ) -> None:
        """Queue one message."""
        pending = self._pending[job_id]
        if type == "log":
            said = self._seq.get(job_id, 0) + len(pending)
            if said > MAX_LINES:
                return
            if len(pending) >= MAX_PENDING:
                self._dropped[job_id] += 1
                return
            if said == MAX_LINES:
                message = f"The log is cut here: more than {MAX_LINES} lines."
        pending.append(_Pending(self._clock.now(), type, step, stream, message[:MAX_LINE], status))
        self._wake.set()

    async def flush(self) -> None:
        """Everything said so far is on disk when this returns."""
        async with self._flushing:
            for job_id, dropped in self._dropped.items():
                note = f"{dropped} lines are left out here: they came faster than they could be stored."
                self._pending[job_id].append(_Pending(self._clock.now(), "log", None, "system", note, None))
            self._dropped.clear()
            taken, self._pending = self._pending, defaultdict(list)
            if not taken:
                return
            try:
                known = await self._store(taken)
            except Exception:
                for job_id, lines in taken.items():
                    self._pending[job_id][:0] = lines  # for the next try
                raise
            for job_id, lines in taken.items():
                if job_id in known:
                    self._seq[job_id] += len(lines)
                if any(line.type == "status" and line.status in FINISHED for line in lines) or job_id not in known:
                    self._seq.pop(job_id, None)
                self._woken(job_id)

    async def _store(self, taken: dict[str, list[_Pending]]) -> set[str]:
        """The jobs that still exist; a deleted service's messages go nowhere."""
        known = set()
        async with self._database.write() as session:
            for job_id, lines in taken.items():
                if await store.find_job(session, job_id) is None:
                    continue
                known.add(job_id)
                if job_id not in self._seq:
                    self._seq[job_id] = await store.last_seq(session, job_id)
                first = self._seq[job_id] + 1
                session.add_all(
                    JobMessageRow(job_id=job_id, seq=seq, **vars(line)) for seq, line in enumerate(lines, first)
                )
        return known

    def _woken(self, job_id: str) -> None:
        if grown := self._grown.pop(job_id, None):
            grown.set()

    def forget(self, job_id: str) -> None:
        """The job was deleted: end its viewers."""
        self._pending.pop(job_id, None)
        self._seq.pop(job_id, None)
        self._woken(job_id)

    async def follow(self, job_id: str, since: int) -> AsyncIterator[dict[str, Any]]:
        """Every message after `since`, then each new one, until the job's last."""
        while True:
            grown = self._grown.setdefault(job_id, asyncio.Event())
            async with self._database.read() as session:
                rows = await store.job_messages(session, job_id, since, PAGE)
                job = await store.find_job(session, job_id)
            for row in rows:
                since = row.seq
                yield message_body(row)
                if row.type == "status" and row.status in FINISHED:
                    return
            if not rows:
                if job is None or (job.status in FINISHED and job_id not in self._pending):
                    return
                await grown.wait()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(FLUSH_SECONDS)
            self._wake.clear()
            try:
                await self.flush()
            except Exception:
                log.exception("job messages could not be written")


def message_body(row: JobMessageRow) -> dict[str, Any]:
    """One message as the API sends it."""
    return {
        "seq": row.seq,
        "timestamp": rfc3339_ms(row.at),
        "type": row.type,
        "step": row.step,
        "stream": row.stream,
        "message": row.message,
        "status": row.status,
    }


def job_body(row: JobRow) -> dict[str, Any]:
    """One job as the API sends it."""
    done = sum(1 for name in STEPS if row.steps.get(name, {}).get("status") in ("success", "skipped"))
    return {
        "id": row.id,
        "service_id": row.service_id,
        "service_name": row.service_name,
        "type": row.type,
        "status": row.status,
        "step": row.step,
        "progress": 100 if row.status == "success" else 100 * done // len(STEPS),
        "error": row.error,
        "release_id": row.release_id,
        "created_at": rfc3339(row.created_at),
        "started_at": rfc3339_ms(row.started_at) if row.started_at else None,
        "finished_at": rfc3339_ms(row.finished_at) if row.finished_at else None,
        "steps": [
            {"name": name, "status": "pending", "started_at": None, "finished_at": None, "detail": None}
            | row.steps.get(name, {})
            for name in STEPS
        ],
    }


def publish_job(bus: Bus, row: JobRow, action: Literal["created", "changed"] = "changed") -> None:
    bus.publish(Change("job", action, row.id, job_body(row), row.customer_id))
