"""Sign-ins: a signed token for the client, a row that makes it revocable."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import structlog

from homeport.identity import scopes, store
from homeport.identity.access import EVERYTHING, Actor
from homeport.identity.actors import person
from homeport.identity.cache import CredentialCache, LastUses
from homeport.identity.models import Session, User
from homeport.identity.problems import InvalidCredentials, RefreshTokenUsed
from homeport.kit.clock import Clock
from homeport.kit.ids import new_id
from homeport.kit.sealing import load_keys
from homeport.storage import Database

KEY_FILE = "session.key"
ISSUER = AUDIENCE = "homeport"
_ALGORITHM = "HS256"
_LONGEST_TOKEN = 1024
SESSIONS_PER_USER = 200  # one more takes the place of the one that was not used for the longest time
# A client that asks twice at once, or did not get the answer, is no thief: the second one is refused, and that is all.
REUSE_GRACE = timedelta(seconds=10)
PROLONG_EVERY = timedelta(minutes=1)  # spec/host.md B.5 writes an activity no more often either

log = structlog.get_logger()


@dataclass(frozen=True)
class SignIn:
    """What a successful sign-in gives: `token` and `refresh_token` are for the client only."""

    token: str
    refresh_token: str
    lasts: timedelta
    actor: Actor
    user: User


class Sessions:
    """Owns the table `sessions` and the key that signs tokens."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        cache: CredentialCache,
        uses: LastUses,
        key_dir: Path,
        length: timedelta,
    ) -> None:
        self._database = database
        self._clock = clock
        self._cache = cache
        self._uses = uses
        self._key_file = key_dir / KEY_FILE
        self._keys: dict[str, bytes] = {}
        self._length = length

    async def open(self) -> None:
        """Read or make the signing key. Raises KeyUnreadable."""
        self._keys = await asyncio.to_thread(load_keys, self._key_file)

    async def begin(
        self,
        user: User,
        *,
        address: str | None,
        user_agent: str | None,
        method: str = "password",
        name: str | None = None,
        within: tuple[str, ...] | None = None,
        lasts: timedelta | None = None,
        idle: timedelta | None = None,
        oidc_sid: str | None = None,
    ) -> SignIn:
        """A new session, on disk before its token exists. `within` limits what it may do; `lasts` shortens it; unused
        for as long as `idle` it ends before.

        Raises InvalidCredentials when the person was banned, removed or given another password meanwhile.
        """
        now = self._clock.now().replace(microsecond=0)
        length = min(lasts or self._length, self._length)
        session_id = new_id("ses")
        refresh = self._new_refresh_token(session_id)
        session = Session(
            id=session_id,
            user_id=user.id,
            name=name,
            method=method,
            scopes=scopes.stored(within),
            refresh_sha256=_digest(refresh),
            oidc_sid=oidc_sid,
            created_at=now,
            expires_at=now + min(length, idle or length),
            last_used_at=None,
            address=address,
            user_agent=user_agent[:200] if user_agent else None,
        )
        async with self._database.write() as db:
            if not await store.admit_login(db, user, now, by_password=method == "password"):
                raise InvalidCredentials("This account was changed while you signed in: try again.")
            oldest = await store.delete_sessions_beyond(db, user.id, SESSIONS_PER_USER - 1)
            db.add(session)
        for ended in oldest:
            self._cache.forget(ended)
        return self._sign_in(session, user, refresh, length, idle)

    async def refresh(self, refresh_token: str) -> SignIn | None:
        """The same session, as long again, with tokens of its own; None for a token that is unknown.

        Raises RefreshTokenUsed for one that was used before: somebody has a copy, and the session ends (RFC 9700
        4.14.2).
        """
        now = self._clock.now().replace(microsecond=0)
        async with self._database.write() as db:
            found = await store.find_session_to_refresh(db, _digest(refresh_token), now)
            if found is not None:
                session, user = found
                length = min(session.expires_at - session.created_at, self._length)
                refresh = self._new_refresh_token(session.id)
                session.expires_at = now + length
                session.created_at = now
                session.refresh_sha256 = _digest(refresh)
            else:
                copied = await store.find_session(db, self._session_of_refresh(refresh_token), now)
                if copied is None or now - copied[0].created_at < REUSE_GRACE:
                    return None
                session, user = copied
                await store.delete_session(db, session.id)
        self._cache.forget(session.id)
        if found is None:
            log.warning("a refresh token came again: its session has ended", user=user.username, session=session.id)
            raise RefreshTokenUsed(user.username)
        return self._sign_in(session, user, refresh, length)

    def _new_refresh_token(self, session_id: str) -> str:
        """`<session>.<256 random bits>.<mac>`: one that was replaced still says whose it was."""
        said = f"{session_id}.{secrets.token_urlsafe(32)}"
        return f"{said}.{_mac(next(iter(self._keys.values())), said)}"

    def _session_of_refresh(self, refresh_token: str) -> str:
        """The session that we made the token for, replaced or not; empty for one that is not ours."""
        said, _, mac = refresh_token.rpartition(".")
        ours = any(hmac.compare_digest(_mac(key, said).encode(), mac.encode()) for key in self._keys.values())
        return said.partition(".")[0] if ours else ""

    def _sign_in(
        self, session: Session, user: User, refresh: str, length: timedelta, idle: timedelta | None = None
    ) -> SignIn:
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user.id,
            "jti": session.id,
            "iat": session.created_at,
            "exp": session.created_at + length,
        }
        if idle:
            claims["idle"] = int(idle.total_seconds())
        key_id = next(iter(self._keys))
        token = jwt.encode(claims, self._keys[key_id], algorithm=_ALGORITHM, headers={"kid": key_id})
        actor = replace(actor_of(session, user), expires_at=claims["exp"])
        return SignIn(token, refresh, length, actor, user)

    async def find(self, token: str) -> Actor | None:
        """Who the token stands for; None when it is forged, expired or revoked. One query at most."""
        claims = self._verified(token)
        if claims is None:
            return None
        session_id = str(claims["jti"])
        known = self._cache.find(session_id)
        if known is None:
            generation = self._cache.generation
            async with self._database.read() as db:
                found = await store.find_session(db, session_id, self._clock.now())
            if found is None:
                return None
            known = self._cache.remember(session_id, actor_of(*found), b"", generation)
        expires_at, now = known.actor.expires_at, self._clock.now()
        if expires_at is None or expires_at <= now:
            return None
        self._uses.note(session_id, now)
        if "idle" not in claims:
            return known.actor
        # What is open by it may go on to the end of the token: a stream that is watched is not idle.
        await self._prolong(session_id, expires_at, now + timedelta(seconds=claims["idle"]))
        return replace(known.actor, expires_at=datetime.fromtimestamp(claims["exp"], UTC))

    async def _prolong(self, session_id: str, expires_at: datetime, until: datetime) -> None:
        """A session that ends when it is not used was used: written once a minute at most."""
        if until - expires_at >= PROLONG_EVERY:
            async with self._database.write() as db:
                await store.prolong_session(db, session_id, until)
            self._cache.forget(session_id)

    async def find_by_refresh(self, refresh_token: str) -> Actor | None:
        """Whose session a refresh token belongs to, without using it."""
        async with self._database.read() as db:
            found = await store.find_session_to_refresh(db, _digest(refresh_token), self._clock.now())
        return actor_of(*found) if found else None

    async def end(self, session_id: str) -> None:
        async with self._database.write() as db:
            await store.delete_session(db, session_id)

    def _verified(self, token: str) -> Mapping[str, Any] | None:
        """The claims, if the signature and they hold. The clock is ours, so `exp` is judged here and not there."""
        if len(token) > _LONGEST_TOKEN:
            return None
        try:
            key = self._keys.get(_key_id(token.partition(".")[0]))
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=[_ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                options={"require": ["iss", "aud", "sub", "jti", "exp"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            return None
        if not isinstance(claims["exp"], int) or claims["exp"] <= self._clock.now().timestamp():
            return None
        return claims


@functools.lru_cache(64)
def _key_id(header: str) -> str:
    """Which key signed, as the first part of a token says: it is the same in all tokens of one key, and read once.
    Raises jwt.InvalidTokenError."""
    return str(jwt.get_unverified_header(f"{header}..").get("kid", ""))


def actor_of(session: Session, user: User) -> Actor:
    """Who a session stands for."""
    within = scopes.read(session.scopes) or EVERYTHING
    return person(user, credential_id=session.id, expires_at=session.expires_at, within=within)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _mac(key: bytes, said: str) -> str:
    return hmac.digest(key, b"refresh " + said.encode(), hashlib.sha256).hex()
