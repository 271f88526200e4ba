"""All SQL of the audit log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, CursorResult, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity.models import AuditEnd, AuditRecord

if TYPE_CHECKING:
    from homeport.identity.audit import AuditQuery


async def ends(db: AsyncSession) -> Mapping[str, AuditEnd]:
    return {end.name: end for end in (await db.scalars(select(AuditEnd))).all()}


async def last_end(db: AsyncSession) -> AuditEnd | None:
    """Held until the transaction ends (PostgreSQL; SQLite has one writer at a time): records are numbered in order."""
    return await db.scalar(select(AuditEnd).where(AuditEnd.name == "last").with_for_update())


async def after(db: AsyncSession, record_id: int, limit: int) -> Sequence[AuditRecord]:
    query = select(AuditRecord).where(AuditRecord.id > record_id).order_by(AuditRecord.id).limit(limit)
    return (await db.scalars(query)).all()


async def mac_of(db: AsyncSession, record_id: int) -> bytes | None:
    return await db.scalar(select(AuditRecord.mac).where(AuditRecord.id == record_id))


async def delete_before(db: AsyncSession, record_id: int) -> int:
    result: CursorResult[Any] = await db.execute(  # type: ignore[assignment]  # a DELETE gives a cursor result
        delete(AuditRecord).where(AuditRecord.id < record_id)
    )
    return result.rowcount


async def page(db: AsyncSession, wanted: AuditQuery, limit: int, offset: int) -> tuple[Sequence[AuditRecord], int]:
    """The newest first, and how many match."""
    where = _matching(wanted)
    query = select(AuditRecord).where(*where).order_by(AuditRecord.id.desc()).limit(limit).offset(offset)
    total = await db.scalar(select(func.count()).select_from(AuditRecord).where(*where))
    return (await db.scalars(query)).all(), total or 0


def _matching(wanted: AuditQuery) -> list[ColumnElement[bool]]:
    columns = (
        (AuditRecord.action, wanted.action),
        (AuditRecord.target_type, wanted.target_type),
        (AuditRecord.target_id, wanted.target),
        (AuditRecord.result, wanted.result),
    )
    where = [column == value for column, value in columns if value]
    if wanted.actor:
        is_number = wanted.actor.isdecimal() and len(wanted.actor) < 10
        where.append(
            AuditRecord.actor_number == int(wanted.actor) if is_number else AuditRecord.actor_id == wanted.actor
        )
    if wanted.since:
        where.append(AuditRecord.created_at >= wanted.since)
    return where
