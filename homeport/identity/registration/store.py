"""SQL of invites and registrations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity.models import EnrolmentToken, Invite, Registration


def _works(now: datetime) -> ColumnElement[bool]:
    """Not revoked, not expired, not used up."""
    return and_(
        Invite.revoked_at.is_(None),
        or_(Invite.expires_at.is_(None), Invite.expires_at > now),
        or_(Invite.max_uses.is_(None), Invite.uses < Invite.max_uses),
    )


async def list_invites(db: AsyncSession, most: int) -> Sequence[Invite]:
    """The newest first."""
    return (await db.scalars(select(Invite).order_by(Invite.id.desc()).limit(most))).all()


async def find_invite(db: AsyncSession, invite_id: int) -> Invite | None:
    return await db.get(Invite, invite_id)


async def works(db: AsyncSession, code: str, now: datetime) -> bool:
    return (await db.scalar(select(Invite.id).where(Invite.code == code, _works(now)))) is not None


async def take(db: AsyncSession, code: str, now: datetime) -> Invite | None:
    """Use it once more, if it still works: one statement, so that of two at the same moment one gets the last use."""
    query = update(Invite).where(Invite.code == code, _works(now)).values(uses=Invite.uses + 1).returning(Invite)
    return (await db.scalars(query)).first()


async def revoke(db: AsyncSession, invite_id: int, now: datetime) -> bool:
    """False when there is none; one that was revoked before keeps its time."""
    invite = await db.get(Invite, invite_id)
    if invite is None:
        return False
    invite.revoked_at = invite.revoked_at or now
    return True


async def revoke_of(db: AsyncSession, user_id: str, now: datetime) -> None:
    """All that a person has made, and the tokens of theirs by which a machine could still get a certificate."""
    await db.execute(
        delete(EnrolmentToken).where(EnrolmentToken.created_by == user_id, EnrolmentToken.used_at.is_(None))
    )
    await db.execute(
        update(Invite).where(Invite.created_by == user_id, Invite.revoked_at.is_(None)).values(revoked_at=now)
    )


async def registered_from(db: AsyncSession, network: str, since: datetime, count: int) -> datetime | None:
    """When the last `count` registrations from that network began, if all of them were after `since`."""
    query = select(Registration.created_at).where(Registration.network == network, Registration.created_at > since)
    return await db.scalar(query.order_by(Registration.created_at.desc()).limit(1).offset(count - 1))


async def registrations_of(db: AsyncSession, invite_id: int, most: int) -> Sequence[Registration]:
    """Who came by an invite, the newest first."""
    query = select(Registration).where(Registration.invite_id == invite_id).order_by(Registration.id.desc())
    return (await db.scalars(query.limit(most))).all()
