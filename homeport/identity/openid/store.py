"""All SQL of signing in elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity.models import OidcMark, Session, User

# A session that began at the provider, or stands for an access token of it.
METHODS = ("oidc", "bearer")


async def find_linked(db: AsyncSession, issuer: str, subject: str) -> User | None:
    """The account of that person there; held until the transaction ends (PostgreSQL)."""
    query = select(User).where(User.oidc_issuer == issuer, User.oidc_subject == subject).with_for_update()
    return (await db.scalars(query)).first()


async def taken_usernames(db: AsyncSession, names: Iterable[str]) -> set[str]:
    return set(await db.scalars(select(User.username).where(User.username.in_(list(names)))))


async def has_email(db: AsyncSession, email: str) -> bool:
    """Whether it is somebody's address, or a user name that could be taken for it."""
    query = select(User.id).where((User.email == email) | (User.username == email)).limit(1)
    return (await db.scalar(query)) is not None


async def find_marks(db: AsyncSession, ids: Iterable[str]) -> dict[str, datetime]:
    rows = await db.execute(select(OidcMark.id, OidcMark.at).where(OidcMark.id.in_(list(ids))))
    return {row.id: row.at for row in rows}


async def mark(db: AsyncSession, mark_id: str, at: datetime, expires_at: datetime) -> None:
    """Anew, or with the later of both times; others may mark the same at this moment (PostgreSQL)."""
    try:
        async with db.begin_nested():
            db.add(OidcMark(id=mark_id, at=at, expires_at=expires_at))
    except IntegrityError:
        known = await db.get_one(OidcMark, mark_id, with_for_update=True)
        known.at, known.expires_at = max(known.at, at), max(known.expires_at, expires_at)


async def mark_once(db: AsyncSession, mark_id: str, at: datetime, expires_at: datetime) -> None:
    """Raises IntegrityError when it is there already."""
    db.add(OidcMark(id=mark_id, at=at, expires_at=expires_at))
    await db.flush()


async def delete_expired_marks(db: AsyncSession, now: datetime) -> None:
    await db.execute(delete(OidcMark).where(OidcMark.expires_at <= now))


async def end_sessions(
    db: AsyncSession, issuer: str, sid: str | None, subject: str | None
) -> Sequence[tuple[str, str]]:
    """Delete the sessions of one session there, else of a subject there: pairs of session and user id."""
    whose = select(User.id).where(User.oidc_issuer == issuer)
    if subject is not None:
        whose = whose.where(User.oidc_subject == subject)
    gone = delete(Session).where(Session.user_id.in_(whose), Session.method.in_(METHODS))
    if sid is not None:
        gone = gone.where(Session.oidc_sid == sid)
    rows = await db.execute(gone.returning(Session.id, Session.user_id))
    return [(row.id, row.user_id) for row in rows]


async def set_id_token(db: AsyncSession, session_id: str, sealed: str) -> None:
    await db.execute(update(Session).where(Session.id == session_id).values(oidc_id_token=sealed))


async def find_id_token(db: AsyncSession, session_id: str) -> tuple[str, str | None] | None:
    """How the session began, and its sealed ID token."""
    row = (await db.execute(select(Session.method, Session.oidc_id_token).where(Session.id == session_id))).first()
    return (row.method, row.oidc_id_token) if row else None
