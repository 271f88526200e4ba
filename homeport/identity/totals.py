"""How much there is of what identity owns."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import func, select

from homeport.identity.models import ApiKey, Invite, User
from homeport.storage import Database


async def totals(database: Database) -> Mapping[str, int]:
    """In the words of seed 002's statistics: keys and invites that still work."""
    users = select(func.count()).select_from(User)
    keys = select(func.count()).select_from(ApiKey).where(ApiKey.revoked_at.is_(None))
    invites = select(func.count()).select_from(Invite).where(Invite.revoked_at.is_(None))
    query = select(users.scalar_subquery(), keys.scalar_subquery(), invites.scalar_subquery())
    async with database.read() as db:
        row = (await db.execute(query)).one()
    return {"total_users": row[0], "total_api_keys": row[1], "total_invite_codes": row[2]}
