"""All SQL of the relay's policy, and what a decision is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.relay.models import BannedNetworkRow, IdentityPolicyRow


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about one identity, whether it has a lease or not. `bps` is bytes a second, None no limit."""

    approved: bool = False
    denied: bool = False
    banned: bool = False
    bps: int | None = None
    changed_at: datetime | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether all of it was taken back."""
        return not (self.approved or self.denied or self.banned) and self.bps is None

    @property
    def only_approves(self) -> bool:
        return self.approved and not self.banned and self.bps is None


async def decisions(db: AsyncSession) -> dict[str, Decision]:
    """All, by identity."""
    rows = (await db.execute(select(IdentityPolicyRow))).scalars()
    return {row.identity_key: Decision(row.approved, row.denied, row.banned, row.bps, row.changed_at) for row in rows}


async def keep(db: AsyncSession, key: str, decision: Decision) -> None:
    """In place of the one before; `changed_at` has to be there."""
    await db.merge(
        IdentityPolicyRow(
            identity_key=key,
            approved=decision.approved,
            denied=decision.denied,
            banned=decision.banned,
            bps=decision.bps,
            changed_at=decision.changed_at,
        )
    )


async def forget(db: AsyncSession, key: str) -> None:
    await db.execute(delete(IdentityPolicyRow).where(IdentityPolicyRow.identity_key == key))


async def networks(db: AsyncSession) -> Sequence[str]:
    """In canonical spelling."""
    return (await db.execute(select(BannedNetworkRow.network))).scalars().all()


async def add_network(db: AsyncSession, network: str, now: datetime) -> None:
    await db.merge(BannedNetworkRow(network=network, created_at=now))


async def remove_network(db: AsyncSession, network: str) -> None:
    await db.execute(delete(BannedNetworkRow).where(BannedNetworkRow.network == network))
