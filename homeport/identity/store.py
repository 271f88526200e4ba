"""All SQL of identity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity.models import ApiKey, Onboarding, Session, User

ONBOARDING_ROW = 1


async def find_user(db: AsyncSession, user_id: str) -> User | None:
    return await db.get(User, user_id)


async def find_user_by_login(db: AsyncSession, login: str) -> User | None:
    """By user name or e-mail address, in lower case."""
    rows = await db.scalars(select(User).where(or_(User.username == login, User.email == login)).limit(2))
    users = rows.all()
    return next((user for user in users if user.username == login), users[0] if users else None)


async def has_user_with_role(db: AsyncSession, role: str) -> bool:
    return bool(await db.scalar(select(func.count()).select_from(User).where(User.role == role)))


async def first_administrator(db: AsyncSession) -> User | None:
    """The administrator of the first start, or whoever has been one for the longest."""
    rows = await db.scalars(select(User).where(User.role == "admin").order_by(User.created_at, User.id).limit(1))
    return rows.first()


async def set_password(db: AsyncSession, user_id: str, password_hash: str, now: datetime) -> None:
    await db.execute(update(User).where(User.id == user_id).values(password_hash=password_hash, updated_at=now))


async def find_session(db: AsyncSession, session_id: str, now: datetime) -> tuple[Session, User] | None:
    """A session that has not expired, and whose it is: one query."""
    row = (
        await db.execute(
            select(Session, User)
            .join(User, User.id == Session.user_id)
            .where(Session.id == session_id, Session.expires_at > now)
        )
    ).first()
    return (row[0], row[1]) if row else None


async def delete_session(db: AsyncSession, session_id: str) -> None:
    await db.execute(delete(Session).where(Session.id == session_id))


async def delete_sessions_of(db: AsyncSession, user_id: str) -> Sequence[str]:
    """Ends all of a user's sessions; their ids."""
    return (await db.scalars(delete(Session).where(Session.user_id == user_id).returning(Session.id))).all()


async def delete_expired_sessions(db: AsyncSession, now: datetime) -> None:
    await db.execute(delete(Session).where(Session.expires_at <= now))


async def find_api_key(db: AsyncSession, lookup: str) -> tuple[ApiKey, User] | None:
    """By the public part, and whose it is: one query."""
    row = (
        await db.execute(select(ApiKey, User).join(User, User.id == ApiKey.user_id).where(ApiKey.lookup == lookup))
    ).first()
    return (row[0], row[1]) if row else None


async def list_api_keys(db: AsyncSession, user_id: str) -> Sequence[ApiKey]:
    """A user's keys, the newest first."""
    query = select(ApiKey).where(ApiKey.user_id == user_id).order_by(ApiKey.created_at.desc(), ApiKey.id)
    return (await db.scalars(query)).all()


async def count_api_keys(db: AsyncSession, user_id: str) -> int:
    return await db.scalar(select(func.count()).select_from(ApiKey).where(ApiKey.user_id == user_id)) or 0


async def delete_api_key(db: AsyncSession, key_id: str, user_id: str) -> bool:
    """False when the user has no such key."""
    result: CursorResult[Any] = await db.execute(  # type: ignore[assignment]  # a DELETE gives a cursor result
        delete(ApiKey).where(ApiKey.id == key_id, ApiKey.user_id == user_id)
    )
    return result.rowcount == 1


async def note_use(db: AsyncSession, used: Mapping[str, datetime]) -> None:
    """Write when each key (id) was last used."""
    for key_id, at in used.items():
        await db.execute(update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=at))


async def existing_credentials(db: AsyncSession, ids: Iterable[str], now: datetime) -> set[str]:
    """Those of the given session and key ids that are still valid."""
    wanted = list(ids)
    sessions = await db.scalars(select(Session.id).where(Session.id.in_(wanted), Session.expires_at > now))
    keys = await db.scalars(
        select(ApiKey.id).where(ApiKey.id.in_(wanted), or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now))
    )
    return {*sessions, *keys}


async def onboarding_status(db: AsyncSession) -> str | None:
    return await db.scalar(select(Onboarding.status).where(Onboarding.id == ONBOARDING_ROW))


async def set_onboarding_status(db: AsyncSession, status: str, now: datetime) -> None:
    await db.merge(Onboarding(id=ONBOARDING_ROW, status=status, changed_at=now))
