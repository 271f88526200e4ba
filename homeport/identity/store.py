"""All SQL of identity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity.access import Actor
from homeport.identity.models import ApiKey, ClientCertificate, Counter, Customer, Onboarding, Plan, Session, User
from homeport.identity.problems import Unauthenticated

ONBOARDING_ROW = 1
DEVELOPER = "usr_developer"  # the account of open mode, which is nobody's
_ADMINISTRATOR = and_(
    User.role.in_(("admin", "superadmin")), User.customer_id.is_(None), User.banned_at.is_(None), User.id != DEVELOPER
)


async def find_user(db: AsyncSession, user_id: str) -> User | None:
    return await db.get(User, user_id)


async def find_user_by_login(db: AsyncSession, login: str) -> User | None:
    """By user name or e-mail address, in lower case."""
    rows = await db.scalars(select(User).where(or_(User.username == login, User.email == login)).limit(2))
    users = rows.all()
    return next((user for user in users if user.username == login), users[0] if users else None)


async def next_number(db: AsyncSession, name: str) -> int:
    """The next integer id of `name` (a table); none is given twice, whatever was deleted."""
    number: int | None = await db.scalar(
        update(Counter).where(Counter.name == name).values(value=Counter.value + 1).returning(Counter.value)
    )
    if number is None:
        db.add(Counter(name=name, value=1))
        await db.flush()
        return 1
    return number


async def has_administrator(db: AsyncSession) -> bool:
    return (await db.scalar(select(User.id).where(_ADMINISTRATOR).limit(1))) is not None


async def first_administrator(db: AsyncSession) -> User | None:
    """The administrator of the first start, or whoever has been one for the longest."""
    rows = await db.scalars(select(User).where(_ADMINISTRATOR).order_by(User.created_at, User.id).limit(1))
    return rows.first()


async def find_session(db: AsyncSession, session_id: str, now: datetime) -> tuple[Session, User] | None:
    """A session that has not expired, and whose it is: one query."""
    row = (
        await db.execute(
            select(Session, User)
            .join(User, User.id == Session.user_id)
            .where(Session.id == session_id, Session.expires_at > now, User.banned_at.is_(None))
        )
    ).first()
    return (row[0], row[1]) if row else None


async def find_session_to_refresh(db: AsyncSession, sha256: bytes, now: datetime) -> tuple[Session, User] | None:
    query = (
        select(Session, User)
        .join(User, User.id == Session.user_id)
        .where(Session.refresh_sha256 == sha256, Session.expires_at > now, User.banned_at.is_(None))
        .with_for_update(of=Session)
    )
    row = (await db.execute(query)).first()
    return (row[0], row[1]) if row else None


async def note_login(db: AsyncSession, user_id: str, now: datetime) -> None:
    await db.execute(update(User).where(User.id == user_id).values(last_login_at=now))


async def admit_login(db: AsyncSession, user: User, now: datetime, *, by_password: bool) -> bool:
    """Note a sign-in, if what it was judged by is still so: not banned or removed, and the same password and second
    factor. The row is locked then: what ends this person's sessions comes before, or sees the new one."""
    where = [User.id == user.id, User.banned_at.is_(None)]
    if by_password:
        where.append(User.password_hash == user.password_hash)
        where.append(User.totp_enabled_at.is_not_distinct_from(user.totp_enabled_at))
    found = await db.scalar(update(User).where(*where).values(last_login_at=now).returning(User.id))
    return found is not None


async def rehash_password(db: AsyncSession, user: User, password_hash: str) -> bool:
    """Another hash of the same password; False when the password was changed meanwhile."""
    where = and_(User.id == user.id, User.password_hash == user.password_hash)
    return await db.scalar(update(User).where(where).values(password_hash=password_hash).returning(User.id)) is not None


async def prolong_session(db: AsyncSession, session_id: str, until: datetime) -> None:
    await db.execute(update(Session).where(Session.id == session_id).values(expires_at=until))


async def delete_session(db: AsyncSession, session_id: str) -> None:
    await db.execute(delete(Session).where(Session.id == session_id))


async def delete_sessions_of(db: AsyncSession, user_id: str, keep: str | None = None) -> Sequence[str]:
    """Ends all of a user's sessions but `keep`; their ids."""
    gone = delete(Session).where(Session.user_id == user_id, Session.id != (keep or "")).returning(Session.id)
    return (await db.scalars(gone)).all()


async def delete_sessions_beyond(db: AsyncSession, user_id: str, most: int) -> Sequence[str]:
    """Leaves a user the `most` sessions that were used last; the ids of the others."""
    order = (func.coalesce(Session.last_used_at, Session.created_at).desc(), Session.id)
    beyond = select(Session.id).where(Session.user_id == user_id).order_by(*order).offset(most)
    return (await db.scalars(delete(Session).where(Session.id.in_(beyond)).returning(Session.id))).all()


async def delete_expired_sessions(db: AsyncSession, now: datetime) -> None:
    await db.execute(delete(Session).where(Session.expires_at <= now))


async def find_api_key(db: AsyncSession, lookup: str) -> tuple[ApiKey, User] | None:
    """By the public part, and whose it is: one query. A customer's without `api_access` in its plan is not found."""
    query = (
        select(ApiKey, User)
        .join(User, User.id == ApiKey.user_id)
        .outerjoin(Customer, Customer.id == User.customer_id)
        .outerjoin(Plan, Plan.id == Customer.plan_id)
        .where(
            ApiKey.lookup == lookup,
            ApiKey.revoked_at.is_(None),
            User.banned_at.is_(None),
            or_(Plan.id.is_(None), Plan.allow_api_access),
        )
    )
    row = (await db.execute(query)).first()
    return (row[0], row[1]) if row else None


async def list_api_keys(db: AsyncSession, user_id: str) -> Sequence[ApiKey]:
    """A user's keys, the newest first."""
    query = select(ApiKey).where(ApiKey.user_id == user_id).order_by(ApiKey.created_at.desc(), ApiKey.id)
    return (await db.scalars(query)).all()


async def count_api_keys(db: AsyncSession, user_id: str) -> int:
    return await db.scalar(select(func.count()).select_from(ApiKey).where(ApiKey.user_id == user_id)) or 0


def _own_key(ref: str, user_id: str) -> ColumnElement[bool]:
    """By id, or by the integer id of seed 002."""
    number = int(ref) if ref.isdecimal() and len(ref) < 10 else 0
    return and_(ApiKey.user_id == user_id, or_(ApiKey.id == ref, ApiKey.number == number))


async def delete_api_key(db: AsyncSession, ref: str, user_id: str) -> str | None:
    """Its id; None when the user has no such key."""
    return await db.scalar(delete(ApiKey).where(_own_key(ref, user_id)).returning(ApiKey.id))


async def revoke_api_key(db: AsyncSession, ref: str, user_id: str, now: datetime) -> str | None:
    """Its id; None when the user has no such key. A key that was revoked before keeps its time."""
    return await db.scalar(
        update(ApiKey)
        .where(_own_key(ref, user_id))
        .values(revoked_at=func.coalesce(ApiKey.revoked_at, now))
        .returning(ApiKey.id)
    )


async def revoke_keys_of(db: AsyncSession, user_id: str, now: datetime, keep: str | None = None) -> Sequence[str]:
    """All of a user's keys but the shell's own and `keep`; their ids."""
    query = (
        update(ApiKey)
        .where(
            ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None), ApiKey.style != "machine", ApiKey.id != (keep or "")
        )
        .values(revoked_at=now)
        .returning(ApiKey.id)
    )
    return (await db.scalars(query)).all()


async def revoke_certificates_of(
    db: AsyncSession, user_id: str, now: datetime, keep: str | None = None
) -> Sequence[str]:
    """All certificates that stand for a user but `keep`; their ids. Those of machines are nobody's."""
    query = (
        update(ClientCertificate)
        .where(
            ClientCertificate.user_id == user_id,
            ClientCertificate.revoked_at.is_(None),
            ClientCertificate.id != (keep or ""),
        )
        .values(revoked_at=now)
        .returning(ClientCertificate.id)
    )
    return (await db.scalars(query)).all()


async def has_key_named(db: AsyncSession, user_id: str, name: str) -> bool:
    return (
        await db.scalar(select(ApiKey.id).where(ApiKey.user_id == user_id, ApiKey.name == name).limit(1))
    ) is not None


async def note_use(db: AsyncSession, used: Mapping[str, datetime]) -> None:
    """Write when each credential (id of a session, key or certificate) was last used."""
    tables: dict[str, Any] = {"ses": Session, "key": ApiKey, "crt": ClientCertificate}
    for credential_id, at in used.items():
        table = tables[credential_id.partition("_")[0]]
        await db.execute(update(table).where(table.id == credential_id).values(last_used_at=at))


async def existing_credentials(db: AsyncSession, ids: Iterable[str], now: datetime) -> set[str]:
    """Those of the given session and key ids that are still valid."""
    wanted = list(ids)
    sessions = await db.scalars(select(Session.id).where(Session.id.in_(wanted), Session.expires_at > now))
    keys = await db.scalars(
        select(ApiKey.id).where(
            ApiKey.id.in_(wanted),
            ApiKey.revoked_at.is_(None),
            or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now),
        )
    )
    certificates = await db.scalars(
        select(ClientCertificate.id).where(
            ClientCertificate.id.in_(wanted),
            ClientCertificate.revoked_at.is_(None),
            ClientCertificate.expires_at > now,
        )
    )
    return {*sessions, *keys, *certificates}


async def hold_person(db: AsyncSession, actor: Actor, now: datetime) -> None:
    """Before something is made that a person can get in by: locks the person's row, so that what ends their credentials
    comes before, or sees what was made. Raises Unauthenticated for a person or credential that has ended since."""
    query = select(User.id).where(User.id == actor.id, User.banned_at.is_(None)).with_for_update()
    good = await db.scalar(query) is not None
    if good and actor.credential_id:
        good = actor.credential_id in await existing_credentials(db, [actor.credential_id], now)
    if not good:
        raise Unauthenticated("What you signed in by has ended meanwhile.")


async def onboarding_status(db: AsyncSession) -> str | None:
    return await db.scalar(select(Onboarding.status).where(Onboarding.id == ONBOARDING_ROW))


async def set_onboarding_status(db: AsyncSession, status: str, now: datetime) -> None:
    await db.merge(Onboarding(id=ONBOARDING_ROW, status=status, changed_at=now))


async def credentials_of(db: AsyncSession, user_id: str) -> Sequence[str]:
    """The ids of a user's sessions and keys."""
    sessions = select(Session.id).where(Session.user_id == user_id)
    return (await db.scalars(sessions.union_all(select(ApiKey.id).where(ApiKey.user_id == user_id)))).all()


async def has_plans(db: AsyncSession) -> bool:
    return (await db.scalar(select(Plan.id).limit(1))) is not None


def _own_plan(customer_id: str | None) -> ColumnElement[bool]:
    if customer_id is None:
        return true()
    return Plan.id == select(Customer.plan_id).where(Customer.id == customer_id).scalar_subquery()


async def list_plans(
    db: AsyncSession, customer_id: str | None, page: int, per_page: int
) -> tuple[Sequence[tuple[Plan, int]], int]:
    """Each with how many customers have it; those that the customer's people may see (None: all)."""
    count = select(func.count()).where(Customer.plan_id == Plan.id).correlate(Plan).scalar_subquery()
    query = select(Plan, count).where(_own_plan(customer_id)).order_by(Plan.sort_order, Plan.name, Plan.id)
    rows = (await db.execute(query.limit(per_page).offset((page - 1) * per_page))).all()
    total = await db.scalar(select(func.count()).select_from(Plan).where(_own_plan(customer_id)))
    return [(row[0], row[1]) for row in rows], total or 0


async def find_plan(db: AsyncSession, ref: str, customer_id: str | None = None) -> Plan | None:
    """By id or name; the id comes first where a name looks like one."""
    query = select(Plan).where(or_(Plan.id == ref, Plan.name == ref), _own_plan(customer_id))
    rows = (await db.scalars(query.limit(2))).all()
    return next((plan for plan in rows if plan.id == ref), rows[0] if rows else None)


async def count_customers_of(db: AsyncSession, plan_id: str) -> int:
    return await db.scalar(select(func.count()).select_from(Customer).where(Customer.plan_id == plan_id)) or 0


async def find_customer_with_plan(
    db: AsyncSession, customer_id: str, *, hold: bool = False
) -> tuple[Customer, Plan] | None:
    """`hold`: locked until the transaction ends (PostgreSQL; SQLite has one writer at a time)."""
    query = select(Customer, Plan).join(Plan, Plan.id == Customer.plan_id).where(Customer.id == customer_id)
    if hold:
        query = query.with_for_update(of=Customer)
    row = (await db.execute(query)).first()
    return (row[0], row[1]) if row else None


async def list_customers(
    db: AsyncSession,
    own: str | None,
    *,
    search: str | None,
    status: str | None,
    plan_id: str | None,
    page: int,
    per_page: int,
) -> tuple[Sequence[tuple[Customer, Plan]], int]:
    """One page, newest first, and how many match; `own` limits it to one customer."""
    where = [true() if own is None else Customer.id == own]
    if search:
        where.append(
            or_(
                func.lower(Customer.name).contains(search.lower(), autoescape=True),
                func.lower(Customer.email).contains(search.lower(), autoescape=True),
            )
        )
    if status:
        where.append(Customer.status == status)
    if plan_id:
        where.append(Customer.plan_id == plan_id)
    query = select(Customer, Plan).join(Plan, Plan.id == Customer.plan_id).where(*where)
    query = query.order_by(Customer.created_at.desc(), Customer.id).limit(per_page).offset((page - 1) * per_page)
    rows = (await db.execute(query)).all()
    total = await db.scalar(select(func.count()).select_from(Customer).where(*where))
    return [(row[0], row[1]) for row in rows], total or 0


async def customer_name(db: AsyncSession, customer_id: str) -> str | None:
    return await db.scalar(select(Customer.name).where(Customer.id == customer_id))


async def users_of_customer(db: AsyncSession, customer_id: str) -> Sequence[User]:
    return (await db.scalars(select(User).where(User.customer_id == customer_id).order_by(User.username))).all()
