"""API keys: `aap_k1_<12 letters to find it>_<43 letters of secret>`, shown once."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass
from datetime import datetime

from homeport.identity import store
from homeport.identity.access import Actor, Role, reaches
from homeport.identity.cache import CredentialCache
from homeport.identity.models import ApiKey, User
from homeport.identity.plans import plan_of
from homeport.identity.problems import ApiKeyNotFound, FeatureNotInPlan
from homeport.kit.clock import Clock
from homeport.kit.ids import new_id
from homeport.kit.problems import Conflict, ValidationFailed
from homeport.storage import Database

PREFIX = "aap_k1_"
KEYS_PER_USER = 100
_LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_LOOKUP_LETTERS = 12
_SECRET_LETTERS = 43  # of 62: 256 bits
_SHAPE = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{_LOOKUP_LETTERS}}})_([0-9A-Za-z]{{{_SECRET_LETTERS}}})")
_NO_SUCH_KEY = hashlib.sha256(b"").digest()


@dataclass(frozen=True)
class NewKey:
    """`secret` is the whole key; it exists nowhere else."""

    key: ApiKey
    secret: str


class ApiKeys:
    """Owns the table `api_keys`."""

    def __init__(self, database: Database, clock: Clock, cache: CredentialCache) -> None:
        self._database = database
        self._clock = clock
        self._cache = cache
        self._used: dict[str, datetime] = {}

    async def create(self, actor: Actor, name: str, expires_at: datetime | None, role: Role | None) -> NewKey:
        """A key that may do what `role` may, or all that its user may.

        It never exceeds what made it: neither the role, nor the life time of a key that is used to make another.
        """
        now = self._clock.now()
        if role is not None and not reaches(actor.role, role):
            raise ValidationFailed({"role": f"exceeds your own, which is {actor.role}"})
        if role is None and actor.kind == "key":
            role = actor.role
        if expires_at is not None and expires_at <= now:
            raise ValidationFailed({"expires_at": "is in the past"})
        if actor.kind == "key" and actor.expires_at is not None:
            expires_at = min(expires_at or actor.expires_at, actor.expires_at)
        lookup, secret = _letters(_LOOKUP_LETTERS), _letters(_SECRET_LETTERS)
        key = ApiKey(
            id=new_id("key"),
            user_id=actor.id,
            name=name,
            role=role,
            lookup=lookup,
            secret_sha256=_digest(secret),
            created_at=now,
            expires_at=expires_at,
            last_used_at=None,
        )
        async with self._database.write() as db:
            plan = await plan_of(db, actor.customer_id) if actor.customer_id else None
            if plan is not None and "api_access" not in plan.gates:
                raise FeatureNotInPlan("api_access", plan.plan)
            if await store.count_api_keys(db, actor.id) >= KEYS_PER_USER:
                raise Conflict(f"You have {KEYS_PER_USER} API keys already: delete one that you do not use.")
            db.add(key)
        return NewKey(key, f"{PREFIX}{lookup}_{secret}")

    async def find(self, presented: str) -> Actor | None:
        """Who the key stands for; None when it is unknown, wrong or expired. One query at most."""
        shape = _SHAPE.fullmatch(presented)
        if shape is None:
            return None
        lookup, secret = shape.groups()
        known = self._cache.find(lookup)
        if known is None:
            generation = self._cache.generation
            async with self._database.read() as db:
                found = await store.find_api_key(db, lookup)
            if found is not None:
                known = self._cache.remember(lookup, _actor(*found), found[0].secret_sha256, generation)
        # The comparison takes the same time for a key that does not exist.
        matches = hmac.compare_digest(_digest(secret), known.proof if known else _NO_SUCH_KEY)
        if known is None or not matches:
            return None
        actor, now = known.actor, self._clock.now()
        if actor.expires_at is not None and actor.expires_at <= now:
            return None
        if actor.credential_id:
            self._used[actor.credential_id] = now
        return actor

    async def list_for(self, user_id: str) -> list[ApiKey]:
        """The user's keys, the newest first, each with its last use up to this moment."""
        async with self._database.read() as db:
            keys = list(await store.list_api_keys(db, user_id))
        for key in keys:
            key.last_used_at = self._used.get(key.id, key.last_used_at)
        return keys

    async def revoke(self, key_id: str, user_id: str) -> None:
        """The key is refused from now on. Raises ApiKeyNotFound, for another user's key as well."""
        async with self._database.write() as db:
            if not await store.delete_api_key(db, key_id, user_id):
                raise ApiKeyNotFound(f"There is no API key {key_id}.")
        self._used.pop(key_id, None)

    async def write_last_uses(self) -> None:
        """Bring `last_used_at` to disk; called once a minute, so that no request waits for it."""
        used, self._used = self._used, {}
        if used:
            async with self._database.write() as db:
                await store.note_use(db, used)


def looks_like_a_key(credential: str) -> bool:
    return credential.startswith("aap_")


def _letters(count: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(count))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _actor(key: ApiKey, user: User) -> Actor:
    # A user whose role was lowered takes the keys along.
    users = Role(user.role)
    role = Role(key.role) if key.role and reaches(users, Role(key.role)) else users
    return Actor(
        id=user.id,
        kind="key",
        name=user.username,
        role=role,
        customer_id=user.customer_id,
        credential_id=key.id,
        expires_at=key.expires_at,
    )
