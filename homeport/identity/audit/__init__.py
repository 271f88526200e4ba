"""Who did what, when, from where, and how it ended: one record an act, each bound to the one before it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import structlog
from sqlalchemy.exc import SQLAlchemyError

from homeport.identity.access import ANONYMOUS, Actor
from homeport.identity.audit import store
from homeport.identity.models import AuditEnd, AuditRecord
from homeport.kit.clock import Clock, rfc3339_ms
from homeport.kit.problems import Problem
from homeport.kit.sealing import load_keys
from homeport.storage import Database

KEY_FILE = "audit.key"
BATCH = 500  # records written, or read to be verified, at a time
_NOTHING = bytes(32)
_MOST_PROBLEMS = 20
_LONGEST_DETAILS = 4000
_SAID = 20

log = structlog.get_logger()

PORTAL = Actor(id="", kind="anonymous", name="the portal", role=ANONYMOUS.role, scopes=())
MACHINE = Actor(id="", kind="anonymous", name="the shell of this machine", role=ANONYMOUS.role, scopes=())


@dataclass
class Act:
    """Something that was done, or refused. `target_type` and `target_id` say to what; `details` holds no secret.

    `result`: done, refused (by permission or by a wrong password), failed (a fault: it may have been done in part).
    """

    action: str
    actor: Actor
    credential: str = "none"
    address: str = ""
    target_type: str = ""
    target_id: str = ""
    result: Literal["done", "refused", "failed"] = "done"
    status: int = 0
    details: dict[str, Any] = field(default_factory=dict)
    customer_id: str | None = None


@dataclass(frozen=True)
class AuditQuery:
    """Which records to list; None is all. `actor` is a user's id or integer id; `since` as the log writes times."""

    action: str | None = None
    actor: str | None = None
    target_type: str | None = None
    target: str | None = None
    result: str | None = None
    since: str | None = None


@dataclass(frozen=True)
class Verdict:
    """What `verify` found: how many records were read, and a sentence for each place that is not as it was written."""

    records: int
    problems: tuple[str, ...]

    @property
    def intact(self) -> bool:
        return not self.problems


class AuditBroken(Problem):
    """The log cannot be continued, as its end is not as it was written."""

    code = "audit_broken"


class AuditLog:
    """Owns the tables `audit_log` and `audit_ends`, and the key that only this portal has.

    Appending waits for the disk; records that come together are written together.
    """

    def __init__(self, database: Database, clock: Clock, key_dir: Path) -> None:
        self._database = database
        self._clock = clock
        self._key_file = key_dir / KEY_FILE
        self._key = b""
        self._waiting: list[tuple[Act, str, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Read or make the key. Raises KeyUnreadable."""
        keys = await asyncio.to_thread(load_keys, self._key_file)
        self._key = next(iter(keys.values()))
        async with self._database.write() as db:
            if not await store.ends(db):
                for name in ("first", "last"):
                    db.add(self._end(name, 0, _NOTHING))

    async def append(self, act: Act) -> None:
        """On disk when this returns."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((act, rfc3339_ms(self._clock.now()), waiter))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="audit writer")
        await asyncio.shield(waiter)

    async def page(self, wanted: AuditQuery, limit: int, offset: int) -> tuple[Sequence[AuditRecord], int]:
        """The newest first, and how many match."""
        async with self._database.read() as db:
            return await store.page(db, wanted, limit, offset)

    async def verify(self) -> Verdict:
        """Read the whole log and check every record, the chain, and both of its ends; others may write meanwhile."""
        problems: list[str] = []
        count = 0
        try:
            async with self._database.read() as db:
                ends = await store.ends(db)
            first, last = self._checked_end(ends, "first", problems), self._checked_end(ends, "last", problems)
            place, mac = (first.record_id, first.mac) if first else (0, _NOTHING)
            while len(problems) < _MOST_PROBLEMS:
                rows, ends = await self._after(place)
                first = self._checked_end(ends, "first", [])
                if first and first.record_id > place:  # retention dropped what comes next, or some of `rows`
                    place, mac = first.record_id, first.mac
                    continue
                if rows:
                    problems += self.check(place, mac, rows)
                    place, mac, count = rows[-1].id, rows[-1].mac, count + len(rows)
                    continue
                if last and not problems:
                    last = self._checked_end(ends, "last", problems)
                    if last and (place, mac) != (last.record_id, last.mac):
                        if (await self._after(place))[0]:  # written between the look at the records and at the end
                            continue
                        problems.append(f"The log ends with record {place}; it was written up to {last.record_id}.")
                break
        except (SQLAlchemyError, TypeError, ValueError, AttributeError) as problem:
            problems.append(f"A record cannot be read ({type(problem).__name__}).")
        return Verdict(count, tuple(problems[:_MOST_PROBLEMS]))

    async def _after(self, place: int) -> tuple[Sequence[AuditRecord], Mapping[str, AuditEnd]]:
        """The records after that one, and then the ends: those are noted together with what is written or dropped."""
        async with self._database.read() as db:
            return await store.after(db, place, BATCH), await store.ends(db)

    def check(self, place: int, mac: bytes, rows: Sequence[AuditRecord]) -> list[str]:
        """A sentence for each of `rows` that is not as it was written after record `place`, whose mac is `mac`."""
        problems = []
        for row in rows:
            if row.id != place + 1:
                problems.append(f"Between the records {place} and {row.id} something is missing.")
            elif not hmac.compare_digest(self._mac(mac, row), row.mac):
                problems.append(f"Record {row.id} was changed.")
            place, mac = row.id, row.mac
        return problems

    async def drop_before(self, record_id: int) -> int:
        """Remove the records before that one (retention); how many. The log stays verifiable from there."""
        async with self._database.write() as db:
            gone = await store.mac_of(db, record_id - 1)
            if gone is None:
                return 0
            dropped = await store.delete_before(db, record_id)
            await db.merge(self._end("first", record_id - 1, gone))
        return dropped

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            try:
                await self._write_batch(batch)
            except Exception as problem:
                # They were done all the same: at least the portal's own log says by whom.
                lost = [f"{act.action} {_clean(act.target_id)[:80]} by {act.actor.name}" for act, *_ in batch[:_SAID]]
                log.error("the audit log cannot be written", problem=type(problem).__name__, lost=len(batch), acts=lost)
                for *_, waiter in batch:
                    if not waiter.done():
                        waiter.set_exception(problem)
            else:
                for *_, waiter in batch:
                    if not waiter.done():
                        waiter.set_result(None)

    async def _write_batch(self, batch: Sequence[tuple[Act, str, asyncio.Future[None]]]) -> None:
        async with self._database.write() as db:
            last = await store.last_end(db)
            if last is None or not hmac.compare_digest(self._seal(last.name, last.record_id, last.mac), last.seal):
                raise AuditBroken("The end of the audit log was changed: `homeport audit verify` tells more.")
            number, mac = last.record_id, last.mac
            for act, at, _ in batch:
                number += 1
                record = _record(act, at, number)
                record.mac = mac = self._mac(mac, record)
                db.add(record)
            await db.merge(self._end("last", number, mac))

    def _mac(self, before: bytes, record: AuditRecord) -> bytes:
        covered = json.dumps([getattr(record, name) for name in _COVERED], ensure_ascii=True).encode()
        return hmac.digest(self._key, before + covered, hashlib.sha256)

    def _end(self, name: str, record_id: int, mac: bytes) -> AuditEnd:
        return AuditEnd(name=name, record_id=record_id, mac=mac, seal=self._seal(name, record_id, mac))

    def _seal(self, name: str, record_id: int, mac: bytes) -> bytes:
        return hmac.digest(self._key, f"{name} {record_id} ".encode() + mac, hashlib.sha256)

    def _checked_end(self, ends: Mapping[str, AuditEnd], name: str, problems: list[str]) -> AuditEnd | None:
        end = ends.get(name)
        if end is None or not hmac.compare_digest(self._seal(name, end.record_id, end.mac), end.seal):
            problems.append(f"The note of the log's {name} record was changed.")
            return None
        return end


_COVERED = tuple(column.name for column in AuditRecord.__table__.columns if column.name != "mac")


def _record(act: Act, at: str, number: int) -> AuditRecord:
    details = json.dumps(act.details, default=str) if act.details else "{}"
    if len(details) > _LONGEST_DETAILS:
        details = json.dumps({"omitted": f"{len(details)} characters"})
    return AuditRecord(
        id=number,
        created_at=at,
        actor_id=act.actor.id[:40],
        actor_number=act.actor.number,
        actor_name=act.actor.name[:100],
        credential=act.credential[:80],
        address=act.address[:64],
        action=act.action[:80],
        target_type=act.target_type[:40],
        target_id=_clean(act.target_id)[:200],
        result=act.result,
        status=act.status,
        details=details,
        customer_id=(act.customer_id or "")[:40],
    )


def _clean(text: str) -> str:
    """Without what PostgreSQL does not store and a terminal should not print."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text[:400])
