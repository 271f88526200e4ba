"""The SQL of tunnels for services."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, delete, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity import Actor
from homeport.services.models import ServiceRow, ShareRow

Shared = tuple[ShareRow, ServiceRow]

# Made once: to put a statement of these two together took longer than to ask it.
_SHARED = (
    select(ShareRow, ServiceRow)
    .join(ServiceRow, ServiceRow.id == ShareRow.service_id)
    .where(ServiceRow.deleting.is_(False))
    .order_by(ShareRow.created_at.desc(), ShareRow.id)
)
_OWN = _SHARED.where(ShareRow.owner_id == bindparam("owner_id"))
_IDENTITIES = (
    select(ShareRow.name, ShareRow.address)
    .join(ServiceRow, ServiceRow.id == ShareRow.service_id)
    .where(ServiceRow.deleting.is_(False))
)


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
    query = _SHARED.where(_manageable(actor)) if everybodys else _OWN
    return [(row[0], row[1]) for row in await session.execute(query, {} if everybodys else {"owner_id": actor.id})]


async def identities(session: AsyncSession) -> Sequence[tuple[str, str]]:
    """Name and address of all of them; not those of services that are being deleted."""
    return [(row.name, row.address) for row in await session.execute(_IDENTITIES)]


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
