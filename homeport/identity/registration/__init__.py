"""Registration: an invite code makes an account, one a day for each network; and the invites themselves."""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity import scopes
from homeport.identity import store as identity_store
from homeport.identity.access import Actor, Role
from homeport.identity.client_address import network_of
from homeport.identity.credentials import Passwords
from homeport.identity.models import Invite, Registration, User
from homeport.identity.problems import (
    InviteNotFound,
    InviteRefused,
    RegisteredAlready,
    RegistrationClosed,
    RoleTooHigh,
    UsernameTaken,
)
from homeport.identity.registration import store as sql
from homeport.identity.users import check_gift
from homeport.kit.clock import Clock
from homeport.kit.ids import new_id
from homeport.kit.problems import ValidationFailed
from homeport.storage import Database, Options

WITHIN = timedelta(hours=24)
DEFAULT_DAYS = 30
LISTED = 500
ALLOWED = "allow_registration"  # an option


class Registrations:
    """Owns the tables `invites` and `registrations`."""

    def __init__(self, database: Database, clock: Clock, passwords: Passwords, options: Options, *, a_day: int) -> None:
        """`a_day`: how many may come from one network within 24 hours; 0 is no limit."""
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._options = options
        self._a_day = a_day

    async def register(self, username: str, password: str, code: str, *, address: str, name: str | None) -> User:
        """A new person, with what the invite brings.

        Raises RegistrationClosed, RegisteredAlready, InviteRefused, UsernameTaken.
        """
        if not self._options.get(ALLOWED, True):
            raise RegistrationClosed
        code, network = code.upper(), network_of(address)
        async with self._database.read() as db:  # a guess costs no more than this
            await self._refuse_too_many(db, network)
            if not await sql.works(db, code, self._clock.now()):
                raise InviteRefused
        hashed = await self._passwords.hash(password)
        now = self._clock.now()
        user = User(
            id=new_id("usr"),
            username=username,
            email=None,
            name=name or username,
            role=Role.USER,
            password_hash=hashed,
            password_changed_at=now,
            created_at=now,
            updated_at=now,
        )
        try:
            async with self._database.write() as db:
                # This locks a row: registrations queue from here on.
                user.number = await identity_store.next_number(db, "users")
                await self._refuse_too_many(db, network)
                invite = await sql.take(db, code, now)
                if invite is None:
                    raise InviteRefused
                user.role, user.scopes, user.customer_id = invite.role, invite.scopes, invite.customer_id
                db.add(user)
                db.add(
                    Registration(
                        invite_id=invite.id, user_id=user.id, username=username, network=network, created_at=now
                    )
                )
        except IntegrityError:
            raise UsernameTaken(f"Somebody is called {username!r} already.") from None
        return user

    async def invites(self) -> Sequence[Invite]:
        """The newest 500, revoked ones too."""
        async with self._database.read() as db:
            return await sql.list_invites(db, LISTED)

    async def invite(
        self,
        actor: Actor,
        kind: str,
        *,
        label: str = "",
        days: int | None = None,
        role: Role = Role.USER,
        given: tuple[str, ...] | None = None,
        customer_id: str | None = None,
    ) -> Invite:
        """A code: `daily` until 23:59:59 UTC, `single_use` for one person, `timed` for 30 days unless `days` says else.

        Raises RoleTooHigh, ValidationFailed (no such customer).
        """
        check_gift(actor, role, given)
        if role is Role.SUPERADMIN:
            raise RoleTooHigh("Nobody becomes a superadmin by an invite.")
        now = self._clock.now()
        invite = Invite(
            code=new_code(),
            type=kind,
            label=label,
            role=role,
            scopes=scopes.stored(given),
            customer_id=customer_id,
            created_by=actor.id,
            created_at=now,
            expires_at=_expiry(kind, days, now),
            max_uses=1 if kind == "single_use" else None,
            uses=0,
            revoked_at=None,
        )
        async with self._database.write() as db:
            await identity_store.hold_person(db, actor, now)
            if customer_id and await identity_store.find_customer_with_plan(db, customer_id) is None:
                raise ValidationFailed({"customer_id": f"there is no customer {customer_id[:80]!r}"})
            db.add(invite)
        return invite

    async def revoke(self, invite_id: int) -> None:
        """It works no more, and stays listed. Raises InviteNotFound."""
        async with self._database.write() as db:
            if not await sql.revoke(db, invite_id, self._clock.now()):
                raise InviteNotFound(f"There is no invite {invite_id}.")

    async def registered_by(self, invite_id: int) -> Sequence[Registration]:
        """Who came by it, the newest first. Raises InviteNotFound."""
        async with self._database.read() as db:
            if await sql.find_invite(db, invite_id) is None:
                raise InviteNotFound(f"There is no invite {invite_id}.")
            return await sql.registrations_of(db, invite_id, LISTED)

    def is_active(self, invite: Invite) -> bool:
        """Whether it would be taken now."""
        used_up = invite.max_uses is not None and invite.uses >= invite.max_uses
        expired = invite.expires_at is not None and invite.expires_at <= self._clock.now()
        return invite.revoked_at is None and not used_up and not expired

    async def _refuse_too_many(self, db: AsyncSession, network: str) -> None:
        if not self._a_day:
            return
        now = self._clock.now()
        first = await sql.registered_from(db, network, now - WITHIN, self._a_day)
        if first is not None:
            raise RegisteredAlready(max(1, math.ceil((first + WITHIN - now).total_seconds())))


def new_code() -> str:
    """`PORTAL-XXXX-XXXX-XXXX`, hexadecimal: 48 bits."""
    letters = secrets.token_hex(6).upper()
    return f"PORTAL-{letters[:4]}-{letters[4:8]}-{letters[8:]}"


def _expiry(kind: str, days: int | None, now: datetime) -> datetime | None:
    if kind == "daily":
        return now.replace(hour=23, minute=59, second=59, microsecond=0)
    if kind == "timed":
        return now + timedelta(days=days or DEFAULT_DAYS)
    return now + timedelta(days=days) if days else None
