"""The SQL of tunnels for services."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity import Actor
from homeport.services.models import ServiceRow, ShareRow

Shared = tuple[ShareRow, ServiceRow]


def _manageable(actor: Actor) -> ColumnElement[bool]:
    """An actor's own; all of a customer's for its administrators, and all for those of the portal."""
    own = ShareRow.owner_id == actor.id
    if not actor.role.is_admin or not actor.grants("*"):
        return own
    return true() if actor.customer_id is None else or_(own, ShareRow.customer_id == actor.customer_id)


async def every_share(session: AsyncSession) -> Sequence[Shared]:
    """All of them with their services, for the portal's own start; not those of services that are being deleted."""
    query = select(ShareRow, ServiceRow).join(ServiceRow, ServiceRow.id == ShareRow.service_id)
    return [(row[0], row[1]) for row in await session.execute(query.where(ServiceRow.deleting.is_(False)))]


async def shares_of(session: AsyncSession, service_id: str) -> Sequence[ShareRow]:
    """Newest first."""
    query = select(ShareRow).where(ShareRow.service_id == service_id).order_by(ShareRow.created_at.desc(), ShareRow.id)
    return (await session.scalars(query)).all()


async def list_shares(session: AsyncSession, actor: Actor, *, everybodys: bool) -> Sequence[Shared]:
    """The actor's own, newest first; with `everybodys` all that the actor may end."""
    which = _manageable(actor) if everybodys else ShareRow.owner_id == actor.id
    query = select(ShareRow, ServiceRow).join(ServiceRow, ServiceRow.id == ShareRow.service_id)
    query = query.where(which, ServiceRow.deleting.is_(False)).order_by(ShareRow.created_at.desc(), ShareRow.id)
    return [(row[0], row[1]) for row in await session.execute(query)]


async def find_share(session: AsyncSession, share_id: str) -> Shared | None:
    """Whosever it is."""
    query = select(ShareRow, ServiceRow).join(ServiceRow, ServiceRow.id == ShareRow.service_id)
    row = (await session.execute(query.where(ShareRow.id == share_id))).first()
    return (row[0], row[1]) if row else None


async def find_manageable(session: AsyncSession, actor: Actor, share_id: str) -> Shared | None:
    """One that the actor may end."""
    query = select(ShareRow, ServiceRow).join(ServiceRow, ServiceRow.id == ShareRow.service_id)
    row = (await session.execute(query.where(ShareRow.id == share_id, _manageable(actor)))).first()
    return (row[0], row[1]) if row else None


async def find_by_name(session: AsyncSession, name: str) -> ShareRow | None:
    return await session.scalar(select(ShareRow).where(ShareRow.name == name))


async def count_of(session: AsyncSession, owner_id: str, now: datetime) -> int:
    """How many of this owner's have not expired."""
    live = or_(ShareRow.expires_at.is_(None), ShareRow.expires_at > now)
    query = select(func.count()).select_from(ShareRow).where(ShareRow.owner_id == owner_id, live)
    return await session.scalar(query) or 0


async def delete_share(session: AsyncSession, share_id: str) -> None:
    await session.execute(delete(ShareRow).where(ShareRow.id == share_id))


async def delete_expired(session: AsyncSession, before: datetime) -> None:
    """Those that expired before that instant."""
    await session.execute(delete(ShareRow).where(ShareRow.expires_at < before))
