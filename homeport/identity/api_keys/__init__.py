"""API keys, shown once: `aap_k1_<12 letters>_<43 letters>` and `portal_<64 hexadecimal digits>`."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
from dataclasses import dataclass
from datetime import datetime

from homeport.identity import scopes, store
from homeport.identity.access import EVERYTHING, Actor, covers
from homeport.identity.actors import person
from homeport.identity.cache import CredentialCache, LastUses
from homeport.identity.customers.plans import plan_of
from homeport.identity.models import ApiKey, User
from homeport.identity.problems import ApiKeyNotFound, FeatureNotInPlan
from homeport.kit.clock import Clock
from homeport.kit.ids import new_id
from homeport.kit.problems import Conflict, InvalidParameter, ValidationFailed
from homeport.storage import Database

KEYS_PER_USER = 100
_LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_NO_SUCH_KEY = hashlib.sha256(b"").digest()


@dataclass(frozen=True)
class Style:
    """How a kind of key is written: `<prefix><public part><separator><secret part>`. The public part finds the row and
    is unique in the database, so that no key hides another; the secret part has 192 bits or more."""

    prefix: str
    letters: str
    public: int
    separator: str
    secret: int
    shown: int  # characters of the key that lists show

    def new(self) -> tuple[str, str]:
        return self._pick(self.public), self._pick(self.secret)

    def whole(self, public: str, secret: str) -> str:
        return f"{self.prefix}{public}{self.separator}{secret}"

    def parts(self, presented: str) -> tuple[str, str] | None:
        rest = presented.removeprefix(self.prefix)
        public, secret = rest[: self.public], rest[self.public + len(self.separator) :]
        right = (
            len(presented) == len(self.prefix) + self.public + len(self.separator) + self.secret
            and self.whole(public, secret) == presented
            and set(public + secret) <= set(self.letters)
        )
        return (public, secret) if right else None

    def _pick(self, count: int) -> str:
        return "".join(secrets.choice(self.letters) for _ in range(count))


_APPS = Style("aap_k1_", _LETTERS, 12, "_", 43, 7 + 12)
_PORTAL = Style("portal_", "0123456789abcdef", 16, "", 48, 7 + 3)
STYLES = {"apps": _APPS, "machine": _APPS, "portal": _PORTAL}


@dataclass(frozen=True)
class NewKey:
    """`secret` is the whole key; it exists nowhere else."""

    key: ApiKey
    secret: str


class ApiKeys:
    """Owns the table `api_keys`."""

    def __init__(self, database: Database, clock: Clock, cache: CredentialCache, uses: LastUses) -> None:
        self._database = database
        self._clock = clock
        self._cache = cache
        self._uses = uses

    async def create(
        self,
        actor: Actor,
        name: str,
        *,
        style: str = "apps",
        expires_at: datetime | None = None,
        within: tuple[str, ...] = EVERYTHING,
        rate: int | None = None,
        unique: bool = False,
    ) -> NewKey:
        """A key that may do what its user may, within `within`.

        It never exceeds what made it: neither the scopes, nor the life time of a key that is used to make another.
        `unique` refuses a name that another key of the user has. Raises ValidationFailed, Conflict,
        FeatureNotInPlan, Unauthenticated.
        """
        now = self._clock.now()
        if within == EVERYTHING:
            within = actor.within
        elif not (covers(actor.held, within) and covers(actor.within, within)):
            raise ValidationFailed({"scopes": f"exceed your own, which are {', '.join(_reach(actor))}"})
        if expires_at is not None and expires_at <= now:
            raise ValidationFailed({"expires_at": "is in the past"})
        if actor.kind == "key" and actor.expires_at is not None:
            expires_at = min(expires_at or actor.expires_at, actor.expires_at)
        public, secret = STYLES[style].new()
        key = ApiKey(
            id=new_id("key"),
            user_id=actor.id,
            name=name,
            style=style,
            scopes=",".join(within),
            rate=rate,
            lookup=public,
            secret_sha256=_digest(secret),
            created_at=now,
            expires_at=expires_at,
            last_used_at=None,
            revoked_at=None,
        )
        async with self._database.write() as db:
            await store.hold_person(db, actor, now)
            plan = await plan_of(db, actor.customer_id) if actor.customer_id else None
            if plan is not None and "api_access" not in plan.gates:
                raise FeatureNotInPlan("api_access", plan.plan)
            if await store.count_api_keys(db, actor.id) >= KEYS_PER_USER:
                raise Conflict(f"You have {KEYS_PER_USER} API keys already: delete one that you do not use.")
            if unique and await store.has_key_named(db, actor.id, name):
                raise InvalidParameter(f"You have an API key called {name!r} already.", details={"field": "name"})
            key.number = await store.next_number(db, "api_keys")
            db.add(key)
        return NewKey(key, STYLES[style].whole(public, secret))

    async def find(self, presented: str) -> Actor | None:
        """Who the key stands for; None when it is unknown, wrong, revoked or expired. One query at most."""
        parts = next((parts for style in (_APPS, _PORTAL) if (parts := style.parts(presented))), None)
        if parts is None:
            return None
        lookup, secret = parts
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
            self._uses.note(actor.credential_id, now)
        return actor

    async def list_for(self, user_id: str) -> list[ApiKey]:
        """The user's keys, the newest first, each with its last use up to this moment."""
        async with self._database.read() as db:
            keys = list(await store.list_api_keys(db, user_id))
        for key in keys:
            key.last_used_at = self._uses.latest(key.id, key.last_used_at)
        return keys

    async def revoke(self, ref: str, user_id: str) -> str:
        """Refused from now on, and still listed; the key's id. Raises ApiKeyNotFound, for another user's key too."""
        async with self._database.write() as db:
            key_id = await store.revoke_api_key(db, ref, user_id, self._clock.now())
        if key_id is None:
            raise ApiKeyNotFound(f"There is no API key {ref[:80]}.")
        return key_id

    async def delete(self, ref: str, user_id: str) -> str:
        """Gone; the key's id. Raises ApiKeyNotFound, for another user's key too."""
        async with self._database.write() as db:
            key_id = await store.delete_api_key(db, ref, user_id)
        if key_id is None:
            raise ApiKeyNotFound(f"There is no API key {ref[:80]}.")
        return key_id


def looks_like_a_key(credential: str) -> bool:
    return credential.startswith(("aap_", "portal_"))


def shown_prefix(key: ApiKey) -> str:
    """The beginning of the key, to know it by."""
    style = STYLES[key.style]
    return f"{style.prefix}{key.lookup}"[: style.shown]


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _reach(actor: Actor) -> tuple[str, ...]:
    return actor.held if actor.within == EVERYTHING else actor.within


def _actor(key: ApiKey, user: User) -> Actor:
    within = scopes.read(key.scopes) or ()
    return person(user, credential_id=key.id, expires_at=key.expires_at, within=within, kind="key", rate=key.rate)
