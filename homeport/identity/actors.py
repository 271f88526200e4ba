"""The actor that a person's credential stands for: in one place, so that no credential forgets what its person may."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from homeport.identity import scopes
from homeport.identity.access import EVERYTHING, Actor, Role
from homeport.identity.models import User


def person(
    user: User,
    *,
    credential_id: str | None = None,
    expires_at: datetime | None = None,
    within: tuple[str, ...] = EVERYTHING,
    kind: Literal["user", "key"] = "user",
    rate: int | None = None,
) -> Actor:
    """`user` as of now, through a credential that is limited to `within`: the person's own scopes are asked as well, so
    that whoever is demoted takes keys, sessions and certificates along."""
    return Actor(
        id=user.id,
        kind=kind,
        name=user.username,
        role=Role(user.role),
        customer_id=user.customer_id,
        credential_id=credential_id,
        expires_at=expires_at,
        scopes=scopes.read(user.scopes),
        within=within,
        number=user.number,
        rate=rate,
    )
