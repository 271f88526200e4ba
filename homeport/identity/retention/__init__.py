"""What identity does not keep for ever: old audit records, and credentials, invites and addresses that are over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement

from homeport.identity.audit import AuditLog
from homeport.identity.models import ApiKey, EnrolmentToken, Invite, Registration, Session
from homeport.identity.retention import store
from homeport.kit.clock import Clock, rfc3339_ms
from homeport.kit.retention import Keeper, Rule
from homeport.storage import Database

AUDIT_RULE = Rule("retention_audit_log_days", "days", 90, 3650, "Audit records, and the activity made of them.")

STEP = 20_000  # records that go in one transaction
ACTIVITY_RULE = Rule("retention_activity_max", "records", 500, 100_000, "How far back the activity feed goes.")


class OldRecords:
    """The audit log's older days. The rest of the log stays verifiable."""

    name = "audit_log"
    rule: Rule | None = AUDIT_RULE

    def __init__(self, database: Database, clock: Clock, audit: AuditLog, *, step: int = STEP) -> None:
        self._database = database
        self._step = step
        self._clock = clock
        self._audit = audit

    async def preview(self, kept: int) -> int:
        if not kept:
            return 0
        async with self._database.read() as db:
            return await store.count_records_before(db, await self._first(db, kept))

    async def purge(self, kept: int) -> int:
        if not kept:
            return 0
        async with self._database.read() as db:
            first = await self._first(db, kept)
            begin = await store.first_record(db)
        dropped = 0
        while begin < first:  # in steps, between which others write
            begin = min(begin + self._step, first)
            dropped += await self._audit.drop_before(begin)
        return dropped

    async def _first(self, db: Any, days: int) -> int:
        return await store.first_record_since(db, rfc3339_ms(self._clock.now() - timedelta(days=days)))


class Ended:
    """Rows of one table that are over."""

    rule: Rule | None = None

    def __init__(
        self,
        name: str,
        database: Database,
        clock: Clock,
        table: type[Any],
        over: Callable[[datetime], ColumnElement[bool]],
    ) -> None:
        self.name = name
        self._database = database
        self._clock = clock
        self._table = table
        self._over = over

    async def preview(self, kept: int) -> int:  # noqa: ARG002 - nothing can be set
        async with self._database.read() as db:
            return await store.count(db, self._table, self._over(self._clock.now()))

    async def purge(self, kept: int) -> int:  # noqa: ARG002
        async with self._database.write() as db:
            return await store.remove(db, self._table, self._over(self._clock.now()))


class Addresses(Ended):
    """Where registrations came from, and all of those whose invite is gone."""

    async def purge(self, kept: int) -> int:  # noqa: ARG002
        async with self._database.write() as db:
            return await store.forget_addresses(db, self._clock.now())


def keepers(database: Database, clock: Clock, audit: AuditLog) -> Sequence[Keeper]:
    """All of identity's."""
    return (
        OldRecords(database, clock, audit),
        Ended("tokens", database, clock, Session, store.sessions_over),
        Ended("api_keys", database, clock, ApiKey, store.keys_over),
        Ended("invite_codes", database, clock, Invite, store.invites_over),
        Addresses("registrations", database, clock, Registration, store.addresses_over),
        Ended("enrolment_tokens", database, clock, EnrolmentToken, store.enrolment_over),
    )
