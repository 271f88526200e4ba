"""SQL of accounts: what people change about themselves, what administrators change about them, sessions, sign-ups."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, false, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity import store
from homeport.identity.models import Passkey, Session, User

_PASSKEYS = select(func.count()).select_from(Passkey).where(Passkey.user_id == User.id).scalar_subquery()
# Made once: to put it together took as long as to ask it.
_PROFILE = select(User, _PASSKEYS).where(User.id == bindparam("user_id"))


def _by(ref: str) -> ColumnElement[bool]:
    """By id, or by the integer id of seed 002."""
    return or_(User.id == ref, User.number == int(ref)) if ref.isdecimal() and len(ref) < 10 else User.id == ref


async def find_user(db: AsyncSession, ref: str, *, hold: bool = False) -> User | None:
    """`hold`: locked until the transaction ends (PostgreSQL; SQLite has one writer at a time)."""
    query = select(User).where(_by(ref))
    return (await db.scalars(query.with_for_update() if hold else query)).first()


async def find_profile(db: AsyncSession, user_id: str) -> tuple[User, int] | None:
    """A user and how many passkeys it has: one query."""
    row = (await db.execute(_PROFILE, {"user_id": user_id})).first()
    return (row[0], row[1]) if row else None


async def hold_superadmins(db: AsyncSession) -> set[str]:
    """The ids of those who can still act as one, locked: none of them can be taken away meanwhile."""
    real = and_(User.banned_at.is_(None), User.customer_id.is_(None), User.id != store.DEVELOPER)
    query = select(User.id).where(User.role == "superadmin", real).order_by(User.id)
    return set(await db.scalars(query.with_for_update()))


async def set_columns(db: AsyncSession, user_id: str, now: datetime, **values: Any) -> None:
    await db.execute(update(User).where(User.id == user_id).values(updated_at=now, **values))


async def is_name_of_another(db: AsyncSession, name: str, user_id: str) -> bool:
    """Whether somebody else signs in by that name (lower case)."""
    query = select(User.id).where(User.username == name, User.id != user_id).limit(1)
    return (await db.scalar(query)) is not None


def _holds(search: str | None) -> ColumnElement[bool]:
    if not search:
        return true()
    wanted = search.lower()
    columns = (User.username, User.email, User.name, User.nickname)
    return or_(*(func.lower(column).contains(wanted, autoescape=True) for column in columns))


async def list_users(db: AsyncSession, *, search: str | None, page: int, per_page: int) -> tuple[Sequence[User], int]:
    """One page, in the order of their numbers, and how many match."""
    query = select(User).where(_holds(search)).order_by(User.number).limit(per_page).offset((page - 1) * per_page)
    total = await db.scalar(select(func.count()).select_from(User).where(_holds(search)))
    return (await db.scalars(query)).all(), total or 0


async def look_up(db: AsyncSession, prefix: str, customer_id: str | None, most: int) -> Sequence[User]:
    """People whose name begins so; a customer's see their own only."""
    where = and_(
        User.username.startswith(prefix, autoescape=True),
        User.banned_at.is_(None),
        true() if customer_id is None else User.customer_id == customer_id,
    )
    return (await db.scalars(select(User).where(where).order_by(User.username).limit(most))).all()


async def count_users(db: AsyncSession, customer_id: str | None) -> int:
    where = true() if customer_id is None else User.customer_id == customer_id
    return await db.scalar(select(func.count()).select_from(User).where(where)) or 0


async def count_sessions(db: AsyncSession, customer_id: str | None, now: datetime) -> int:
    """Those that have not expired."""
    query = select(func.count()).select_from(Session).join(User, User.id == Session.user_id)
    where = true() if customer_id is None else User.customer_id == customer_id
    return await db.scalar(query.where(Session.expires_at > now, where)) or 0


async def among(db: AsyncSession, user_ids: set[str], customer_id: str) -> int:
    """How many of these people belong to the customer."""
    where = and_(User.id.in_(user_ids), User.customer_id == customer_id) if user_ids else false()
    return await db.scalar(select(func.count()).select_from(User).where(where)) or 0


async def sessions_of(db: AsyncSession, user_id: str, now: datetime) -> Sequence[Session]:
    """The newest first."""
    query = select(Session).where(Session.user_id == user_id, Session.expires_at > now)
    return (await db.scalars(query.order_by(Session.created_at.desc(), Session.id))).all()


async def has_session(db: AsyncSession, user_id: str, session_id: str, now: datetime) -> bool:
    query = select(Session.id).where(Session.id == session_id, Session.user_id == user_id, Session.expires_at > now)
    return (await db.scalar(query)) is not None


async def present(db: AsyncSession, user_ids: Collection[str]) -> set[str]:
    """Those of these accounts that are there and not banned."""
    query = select(User.id).where(User.id.in_(user_ids), User.banned_at.is_(None))
    return set((await db.scalars(query)).all())
