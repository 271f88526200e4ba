"""All SQL of what identity lets go: which rows are over, how many, and away with them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Delete, Update, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity.models import ApiKey, AuditRecord, EnrolmentToken, Invite, Registration, Session

ENDED_KEPT = timedelta(days=30)  # so that a person can still see what a key or an invite was
REGISTRATIONS_KEPT = timedelta(days=2)  # twice as long as the limit of one a day needs the address
TOKENS_KEPT = timedelta(days=1)


def sessions_over(now: datetime) -> ColumnElement[bool]:
    return Session.expires_at <= now


def keys_over(now: datetime) -> ColumnElement[bool]:
    before = now - ENDED_KEPT
    return or_(ApiKey.revoked_at <= before, ApiKey.expires_at <= before)


def invites_over(now: datetime) -> ColumnElement[bool]:
    before = now - ENDED_KEPT
    return or_(Invite.revoked_at <= before, Invite.expires_at <= before)


def enrolment_over(now: datetime) -> ColumnElement[bool]:
    before = now - TOKENS_KEPT
    return or_(EnrolmentToken.used_at <= before, EnrolmentToken.expires_at <= before)


def addresses_over(now: datetime) -> ColumnElement[bool]:
    """Registrations whose address is still known, or whose invite is gone."""
    old = Registration.created_at <= now - REGISTRATIONS_KEPT
    return and_(old, or_(Registration.network != "", Registration.invite_id.is_(None)))


async def count(db: AsyncSession, table: type[Any], over: ColumnElement[bool]) -> int:
    return await db.scalar(select(func.count()).select_from(table).where(over)) or 0


async def remove(db: AsyncSession, table: type[Any], over: ColumnElement[bool]) -> int:
    return await _changed(db, delete(table).where(over))


async def forget_addresses(db: AsyncSession, now: datetime) -> int:
    """Who came by an invite stays as long as the invite; from where does not."""
    over = addresses_over(now)
    removed = await _changed(db, delete(Registration).where(over, Registration.invite_id.is_(None)))
    return removed + await _changed(db, update(Registration).where(over).values(network=""))


async def first_record(db: AsyncSession) -> int:
    """The number of the oldest audit record; 1 when there is none."""
    return await db.scalar(select(func.min(AuditRecord.id))) or 1


async def first_record_since(db: AsyncSession, since: str) -> int:
    """The first audit record of that time (as the log writes it) or later; beyond the last when there is none."""
    first = await db.scalar(select(func.min(AuditRecord.id)).where(AuditRecord.created_at >= since))
    if first is not None:
        return first
    return (await db.scalar(select(func.max(AuditRecord.id))) or 0) + 1


async def count_records_before(db: AsyncSession, record_id: int) -> int:
    return await count(db, AuditRecord, AuditRecord.id < record_id)


async def _changed(db: AsyncSession, statement: Delete | Update) -> int:
    result: CursorResult[Any] = await db.execute(  # type: ignore[assignment]  # a change gives a cursor result
        statement.execution_options(synchronize_session=False)
    )
    return result.rowcount
