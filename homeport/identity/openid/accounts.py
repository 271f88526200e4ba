"""Accounts of people who sign in elsewhere: found by issuer and subject alone, never by name or e-mail address."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity import scopes
from homeport.identity import store as identity_store
from homeport.identity.access import SCOPE_SETS, Role
from homeport.identity.audit import PORTAL, Act, AuditLog
from homeport.identity.models import User
from homeport.identity.openid import store
from homeport.identity.openid.problems import AccountsClosed, RoleMissing
from homeport.identity.openid.tokens import Verified
from homeport.identity.problems import AccountBanned
from homeport.identity.registration import store as invites_store
from homeport.kit.clock import Clock
from homeport.kit.ids import new_id
from homeport.settings import Settings
from homeport.storage import Database

LONGEST_USERNAME = 30
_NO_LETTERS = re.compile(r"[^a-z0-9_-]+")
_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,189}")
_TRIES = 5

log = structlog.get_logger()


@dataclass(frozen=True)
class Person:
    """Who the provider says somebody is. `roles` are those of ours that it names; `told_at` is the token's time."""

    issuer: str
    subject: str
    told_at: datetime
    username: str
    name: str
    email: str | None
    roles: frozenset[str]


def person_of(issuer: str, verified: Verified, role_claim: str, more: Mapping[str, Any] | None = None) -> Person:
    """From an ID or access token; `more` are the claims of the other one, asked where the first says nothing."""
    claims = verified.claims
    roles = _at(claims, role_claim)
    if roles is None and more is not None:
        roles = _at(more, role_claim)
    given = [roles] if isinstance(roles, str) else roles if isinstance(roles, list) else []
    username = _text(claims.get("preferred_username")) or _text(claims.get("email")).partition("@")[0]
    email = _text(claims.get("email")).lower()
    return Person(
        issuer=issuer,
        subject=verified.subject,
        told_at=verified.issued_at,
        username=_username(username),
        name=(_text(claims.get("name")) or username)[:100],
        email=email if claims.get("email_verified") is True and _EMAIL.fullmatch(email) else None,
        roles=frozenset(role for role in given if isinstance(role, str) and role in SCOPE_SETS),
    )


def powers_of(roles: Iterable[str]) -> tuple[Role, str | None]:
    """Role and stored scopes: `admin` is an administrator, the others are scopes of a user, none is no scope at all."""
    held = set(roles)
    if "admin" in held:
        return Role.ADMIN, None
    opened = dict.fromkeys(scope for name in SCOPE_SETS if name in held for scope in SCOPE_SETS[name])
    return Role.USER, scopes.stored(opened)


class LinkedAccounts:
    """Makes and updates them. `changed(user_id)` is called after a person's powers have changed; both are recorded."""

    def __init__(
        self, database: Database, clock: Clock, settings: Settings, changed: Callable[[str], None], audit: AuditLog
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._changed = changed
        self._audit = audit

    async def admit(self, person: Person) -> User:
        """The person's account, with the powers that the newest token told. Raises AccountsClosed, RoleMissing,
        AccountBanned."""
        for _ in range(_TRIES):
            try:
                user, news = await self._admit(person)
            except IntegrityError:
                continue  # another sign-in took the name, or made the account
            if news is not None:
                self._changed(user.id)
                await self._record(news, user, person)
            if user.banned_at is not None:
                raise AccountBanned(user.ban_reason)
            if self._settings.oidc_require_role and not person.roles:
                raise RoleMissing
            return user
        raise AccountsClosed

    async def _record(self, action: str, user: User, person: Person) -> None:
        log.info("the provider told who somebody is", action=action, user=user.username, role=user.role)
        details = {
            "role": user.role,
            "scopes": user.scopes,
            "issuer": person.issuer,
            "roles_there": sorted(person.roles),
        }
        await self._audit.append(
            Act(action, PORTAL, target_type="user", target_id=user.username, status=200, details=details)
        )

    async def _admit(self, person: Person) -> tuple[User, str | None]:
        """The account, and what is new about it."""
        async with self._database.write() as db:
            user = await store.find_linked(db, person.issuer, person.subject)
            if user is None:
                if not self._settings.oidc_auto_register:
                    raise AccountsClosed
                if self._settings.oidc_require_role and not person.roles:
                    raise RoleMissing
                return await self._make(db, person), "oidc_create_user"
            before = Role(user.role)
            changed = self._update(user, person)
            if Role(user.role).rank < before.rank:
                await invites_store.revoke_of(db, user.id, self._clock.now())
            return user, "oidc_set_role" if changed else None

    def _update(self, user: User, person: Person) -> bool:
        """A token that is older than the newest one seen changes nothing."""
        if user.oidc_read_at is not None and person.told_at < user.oidc_read_at:
            return False
        user.oidc_read_at = person.told_at
        role, held = powers_of(person.roles)
        if role is Role.ADMIN and user.role == Role.SUPERADMIN:
            return False  # raised by hand, and not beyond what an administrator there may be
        if (user.role, user.scopes) == (role, held):
            return False
        user.role, user.scopes, user.updated_at = role, held, self._clock.now()
        return True

    async def _make(self, db: AsyncSession, person: Person) -> User:
        now = self._clock.now()
        role, held = powers_of(person.roles)
        user = User(
            id=new_id("usr"),
            number=await identity_store.next_number(db, "users"),
            username=await _free_username(db, person.username),
            email=person.email if person.email and not await store.has_email(db, person.email) else None,
            name=person.name,
            role=role,
            scopes=held,
            password_hash="",
            oidc_issuer=person.issuer,
            oidc_subject=person.subject,
            oidc_read_at=person.told_at,
            created_at=now,
            updated_at=now,
        )
        db.add(user)
        await db.flush()
        return user


async def _free_username(db: AsyncSession, wanted: str) -> str:
    """As wanted, else with a number, else with chance."""
    names = [wanted, *(f"{wanted[: LONGEST_USERNAME - 3]}-{number}" for number in range(2, 100))]
    taken = await store.taken_usernames(db, names)
    free = (name for name in names if name not in taken)
    return next(free, f"{wanted[: LONGEST_USERNAME - 9]}-{secrets.token_hex(4)}")


def _username(given: str) -> str:
    """Letters that a user name has here; 3 to 30 of them."""
    plain = _NO_LETTERS.sub("-", given.lower())[:LONGEST_USERNAME].strip("-_")
    return plain if len(plain) >= 3 else f"user-{plain}".rstrip("-")


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    return "".join(letter for letter in text[:300] if letter.isprintable()).strip()


def _at(claims: Mapping[str, Any], path: str) -> Any:
    """`realm_access.roles` is looked up as one name, and then step by step."""
    if path in claims:
        return claims[path]
    value: Any = claims
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
