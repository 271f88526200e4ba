"""All SQL of client certificates and enrolment tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from homeport.identity.models import ClientCertificate, EnrolmentToken, User

PERSON, AGENT, PLUGIN_AGENT = "person", "agent", "plugin-agent"
_MACHINES = ClientCertificate.kind.in_((AGENT, PLUGIN_AGENT))


async def find_by_serial(
    db: AsyncSession, serial: str, now: datetime
) -> tuple[ClientCertificate, User | None, ClientCertificate | None] | None:
    """A certificate, the person whom it stands for, and the agent that it was delegated by if that is still good."""
    delegator = aliased(ClientCertificate)
    query = (
        select(ClientCertificate, User, delegator)
        .outerjoin(User, User.id == ClientCertificate.user_id)
        .outerjoin(
            delegator,
            and_(
                delegator.label == ClientCertificate.delegated_by,
                delegator.kind == AGENT,
                delegator.revoked_at.is_(None),
                delegator.expires_at > now,
            ),
        )
        .where(ClientCertificate.serial == serial)
    )
    row = (await db.execute(query)).first()
    return (row[0], row[1], row[2]) if row else None


async def find_machine(db: AsyncSession, ref: str) -> ClientCertificate | None:
    """An agent by label or id: the one that is not revoked, else the newest."""
    query = (
        select(ClientCertificate)
        .where(_MACHINES, or_(ClientCertificate.label == ref, ClientCertificate.id == ref))
        .order_by(ClientCertificate.revoked_at.is_not(None), ClientCertificate.created_at.desc())
        .limit(1)
    )
    return (await db.scalars(query)).first()


async def has_machine(db: AsyncSession, label: str, now: datetime) -> bool:
    """Whether an agent of that label is good now."""
    query = select(ClientCertificate.id).where(
        _MACHINES,
        ClientCertificate.label == label,
        ClientCertificate.revoked_at.is_(None),
        ClientCertificate.expires_at > now,
    )
    return (await db.scalar(query.limit(1))) is not None


async def list_machines(db: AsyncSession) -> Sequence[ClientCertificate]:
    """Every agent that ever was, the newest first."""
    order = (ClientCertificate.created_at.desc(), ClientCertificate.id)
    return (await db.scalars(select(ClientCertificate).where(_MACHINES).order_by(*order))).all()


async def list_of_person(db: AsyncSession, user_id: str) -> Sequence[ClientCertificate]:
    """A person's own, the newest first."""
    query = select(ClientCertificate).where(ClientCertificate.kind == PERSON, ClientCertificate.user_id == user_id)
    return (await db.scalars(query.order_by(ClientCertificate.created_at.desc(), ClientCertificate.id))).all()


async def list_of_people(db: AsyncSession) -> Sequence[tuple[ClientCertificate, User]]:
    """Everybody's own, each with its person, the newest first."""
    query = select(ClientCertificate, User).join(User, User.id == ClientCertificate.user_id)
    order = (ClientCertificate.created_at.desc(), ClientCertificate.id)
    rows = (await db.execute(query.where(ClientCertificate.kind == PERSON).order_by(*order))).all()
    return [(row[0], row[1]) for row in rows]


async def find_of_anybody(db: AsyncSession, ref: str) -> tuple[ClientCertificate, User] | None:
    """A person's own by id, and the person."""
    query = select(ClientCertificate, User).join(User, User.id == ClientCertificate.user_id)
    row = (await db.execute(query.where(ClientCertificate.kind == PERSON, ClientCertificate.id == ref))).first()
    return (row[0], row[1]) if row else None


async def find_of_person(db: AsyncSession, ref: str, user_id: str) -> ClientCertificate | None:
    query = select(ClientCertificate).where(
        ClientCertificate.kind == PERSON, ClientCertificate.user_id == user_id, ClientCertificate.id == ref
    )
    return (await db.scalars(query)).first()


async def delegated(db: AsyncSession, label: str) -> Sequence[ClientCertificate]:
    """What an agent has delegated and is not revoked."""
    query = select(ClientCertificate).where(
        ClientCertificate.kind == PLUGIN_AGENT,
        ClientCertificate.delegated_by == label,
        ClientCertificate.revoked_at.is_(None),
    )
    return (await db.scalars(query)).all()


async def count_delegated(db: AsyncSession, label: str, now: datetime) -> int:
    """How many an agent has delegated that are good, and how many it is about to."""
    good = select(func.count()).where(
        ClientCertificate.kind == PLUGIN_AGENT,
        ClientCertificate.delegated_by == label,
        ClientCertificate.revoked_at.is_(None),
        ClientCertificate.expires_at > now,
    )
    open_ = select(func.count()).where(
        EnrolmentToken.delegated_by == label, EnrolmentToken.used_at.is_(None), EnrolmentToken.expires_at > now
    )
    return (await db.scalar(good) or 0) + (await db.scalar(open_) or 0)


async def forget_replaced(db: AsyncSession, label: str, kept: int) -> None:
    """Leaves the newest `kept` of a label's revoked certificates: one that nobody remembers is refused as well."""
    old = (
        select(ClientCertificate.id)
        .where(_MACHINES, ClientCertificate.label == label, ClientCertificate.revoked_at.is_not(None))
        .order_by(ClientCertificate.created_at.desc(), ClientCertificate.id)
        .offset(kept)
    )
    await db.execute(delete(ClientCertificate).where(ClientCertificate.id.in_(old)))


async def revoke(db: AsyncSession, ids: Sequence[str], now: datetime) -> list[str]:
    """Those that were not revoked yet."""
    gone = (
        update(ClientCertificate)
        .where(ClientCertificate.id.in_(ids), ClientCertificate.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(ClientCertificate.id)
    )
    return list((await db.scalars(gone)).all())


async def retire_expired(db: AsyncSession, label: str, now: datetime) -> None:
    """An expired certificate makes room for another of the same label."""
    await db.execute(
        update(ClientCertificate)
        .where(
            _MACHINES,
            ClientCertificate.label == label,
            ClientCertificate.revoked_at.is_(None),
            ClientCertificate.expires_at <= now,
        )
        .values(revoked_at=ClientCertificate.expires_at)
    )


async def take_token(db: AsyncSession, sha256: bytes, now: datetime) -> EnrolmentToken | None:
    """The token, which is used from now on; None when it is unknown, used or expired."""
    taken = (
        update(EnrolmentToken)
        .where(EnrolmentToken.sha256 == sha256, EnrolmentToken.used_at.is_(None), EnrolmentToken.expires_at > now)
        .values(used_at=now)
        .returning(EnrolmentToken)
    )
    return (await db.scalars(taken)).first()


async def find_token(db: AsyncSession, sha256: bytes, now: datetime) -> EnrolmentToken | None:
    """A token that can be used."""
    query = select(EnrolmentToken).where(
        EnrolmentToken.sha256 == sha256, EnrolmentToken.used_at.is_(None), EnrolmentToken.expires_at > now
    )
    return (await db.scalars(query)).first()


async def delete_tokens(db: AsyncSession, label: str) -> int:
    """Those for a label and those that an agent of that label has made; how many."""
    gone = delete(EnrolmentToken).where(or_(EnrolmentToken.label == label, EnrolmentToken.delegated_by == label))
    return len((await db.scalars(gone.returning(EnrolmentToken.sha256))).all())


async def delete_old_tokens(db: AsyncSession, now: datetime) -> None:
    """Those that nobody can use any more."""
    await db.execute(delete(EnrolmentToken).where(EnrolmentToken.expires_at <= now))
