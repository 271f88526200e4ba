"""The SQL of second factors, passkeys and SSH keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity.models import BackupCode, Passkey, SshKey, User


async def totp_enabled_at(db: AsyncSession, user_id: str) -> datetime | None:
    return await db.scalar(select(User.totp_enabled_at).where(User.id == user_id))


async def set_up_totp(db: AsyncSession, user_id: str, sealed: str, now: datetime) -> bool:
    """Keep a secret that is not in use yet; False when one is in use."""
    query = (
        update(User)
        .where(User.id == user_id, User.totp_enabled_at.is_(None))
        .values(totp_secret=sealed, totp_last_step=None, updated_at=now)
        .returning(User.id)
    )
    return await db.scalar(query) is not None


async def enable_totp(db: AsyncSession, user_id: str, sealed: str, step: int, now: datetime) -> bool:
    """Take that very secret into use; False when it is another by now, or in use."""
    query = (
        update(User)
        .where(User.id == user_id, User.totp_enabled_at.is_(None), User.totp_secret == sealed)
        .values(totp_enabled_at=now, totp_last_step=step, updated_at=now)
        .returning(User.id)
    )
    return await db.scalar(query) is not None


async def use_totp_step(db: AsyncSession, user_id: str, step: int) -> bool:
    """False when that step's code, or a later one, was used before."""
    query = (
        update(User)
        .where(
            User.id == user_id,
            User.totp_enabled_at.is_not(None),
            or_(User.totp_last_step.is_(None), User.totp_last_step < step),
        )
        .values(totp_last_step=step)
        .returning(User.id)
    )
    return await db.scalar(query) is not None


async def disable_totp(db: AsyncSession, user_id: str, now: datetime) -> None:
    await db.execute(
        update(User)
        .where(User.id == user_id)
        .values(totp_secret=None, totp_enabled_at=None, totp_last_step=None, updated_at=now)
    )
    await db.execute(delete(BackupCode).where(BackupCode.user_id == user_id))


async def replace_backup_codes(db: AsyncSession, user_id: str, hashes: Iterable[bytes]) -> None:
    await db.execute(delete(BackupCode).where(BackupCode.user_id == user_id))
    db.add_all(BackupCode(user_id=user_id, sha256=one) for one in hashes)


async def use_backup_code(db: AsyncSession, user_id: str, sha256: bytes) -> bool:
    """False when there is no such code (any more)."""
    query = delete(BackupCode).where(BackupCode.user_id == user_id, BackupCode.sha256 == sha256)
    return await db.scalar(query.returning(BackupCode.user_id)) is not None


async def count_backup_codes(db: AsyncSession, user_id: str) -> int:
    return await db.scalar(select(func.count()).select_from(BackupCode).where(BackupCode.user_id == user_id)) or 0


async def list_passkeys(db: AsyncSession, user_id: str) -> Sequence[Passkey]:
    """The newest first."""
    query = select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.created_at.desc(), Passkey.id)
    return (await db.scalars(query)).all()


async def count_passkeys(db: AsyncSession, user_id: str) -> int:
    return await db.scalar(select(func.count()).select_from(Passkey).where(Passkey.user_id == user_id)) or 0


async def find_passkey(db: AsyncSession, credential: str) -> tuple[Passkey, User] | None:
    """By the credential's id (base64url), and whose it is."""
    query = select(Passkey, User).join(User, User.id == Passkey.user_id).where(Passkey.credential == credential)
    row = (await db.execute(query)).first()
    return (row[0], row[1]) if row else None


async def use_passkey(db: AsyncSession, passkey_id: str, before: int, after: int, now: datetime) -> bool:
    """Write the authenticator's counter; False when another sign-in was faster."""
    query = (
        update(Passkey)
        .where(Passkey.id == passkey_id, Passkey.sign_count == before)
        .values(sign_count=after, last_used_at=now)
        .returning(Passkey.id)
    )
    return await db.scalar(query) is not None


async def delete_passkey(db: AsyncSession, passkey_id: str, user_id: str) -> bool:
    query = delete(Passkey).where(Passkey.id == passkey_id, Passkey.user_id == user_id).returning(Passkey.id)
    return await db.scalar(query) is not None


async def list_ssh_keys(db: AsyncSession, user_id: str) -> Sequence[SshKey]:
    """In the order in which they were made."""
    return (await db.scalars(select(SshKey).where(SshKey.user_id == user_id).order_by(SshKey.id))).all()


async def count_ssh_keys(db: AsyncSession, user_id: str) -> int:
    return await db.scalar(select(func.count()).select_from(SshKey).where(SshKey.user_id == user_id)) or 0


async def find_ssh_key(db: AsyncSession, key_id: int, user_id: str | None) -> SshKey | None:
    """`user_id` None: whose ever it is."""
    query = select(SshKey).where(SshKey.id == key_id)
    if user_id is not None:
        query = query.where(SshKey.user_id == user_id)
    return (await db.scalars(query)).first()


async def delete_ssh_key(db: AsyncSession, key_id: int, user_id: str) -> bool:
    query = delete(SshKey).where(SshKey.id == key_id, SshKey.user_id == user_id).returning(SshKey.id)
    return await db.scalar(query) is not None


async def find_user_by_ref(db: AsyncSession, ref: str) -> User | None:
    """By id, or by the integer id of seed 002."""
    number = int(ref) if ref.isdecimal() and len(ref) < 10 else 0
    return (await db.scalars(select(User).where(or_(User.id == ref, User.number == number)).limit(1))).first()
