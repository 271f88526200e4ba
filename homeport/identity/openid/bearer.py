"""Access tokens of the provider as credentials here: each one is a session that lasts as long as the token."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError

from homeport.identity import store as identity_store
from homeport.identity.access import Actor
from homeport.identity.cache import CredentialCache, LastUses
from homeport.identity.models import Session
from homeport.identity.openid import store
from homeport.identity.openid.accounts import LinkedAccounts, person_of
from homeport.identity.openid.problems import TokenRefused
from homeport.identity.openid.tokens import LEEWAY, LONGEST_LIFE, Tokens, Verified
from homeport.identity.sessions import actor_of
from homeport.kit.clock import Clock
from homeport.storage import Database

METHOD = "bearer"


def mark_id(kind: str, issuer: str, value: str) -> str:
    """The key of a row of `oidc_marks`."""
    return f"{kind}:{hashlib.sha256(f'{issuer} {value}'.encode()).hexdigest()}"


class Marks:
    """What is remembered of tokens and of sessions ended at the provider, for as long as any token could matter."""

    def __init__(self, database: Database, issuer: str) -> None:
        self._database = database
        self._issuer = issuer

    def id(self, kind: str, value: str) -> str:
        return mark_id(kind, self._issuer, value)

    def until(self, at: datetime) -> datetime:
        return at + LONGEST_LIFE + timedelta(seconds=2 * LEEWAY)

    async def refuse_ended(self, sid: str | None, subject: str, issued_at: datetime) -> None:
        """Raises TokenRefused for a token of a session that was ended at the provider."""
        ids: Mapping[str, str] = {"sub": self.id("sub", subject), **({"sid": self.id("sid", sid)} if sid else {})}
        async with self._database.read() as db:
            marks = await store.find_marks(db, ids.values())
        ended_at = marks.get(ids["sub"])
        if ids.get("sid") in marks or (ended_at is not None and issued_at <= ended_at):
            raise TokenRefused("The sign-in that this token comes from has ended.")


class Bearers:
    """Finds who an access token stands for. One that is known costs no signature and no query."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        cache: CredentialCache,
        uses: LastUses,
        tokens: Tokens,
        accounts: LinkedAccounts,
        marks: Marks,
        issuer: str,
        role_claim: str,
    ) -> None:
        self._database = database
        self._clock = clock
        self._cache = cache
        self._uses = uses
        self._tokens = tokens
        self._accounts = accounts
        self._marks = marks
        self._issuer = issuer
        self._role_claim = role_claim

    async def find(self, token: str) -> Actor:
        """Raises TokenRefused, ProviderUnavailable and what LinkedAccounts.admit raises."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        lookup = f"oidc:{digest}"
        known = self._cache.find(lookup)
        if known is None:
            generation = self._cache.generation
            verified = await self._tokens.access_token(token)
            actor = await self._admitted(f"ses_{digest[:32]}", digest, verified)
            known = self._cache.remember(lookup, actor, b"", generation)
        actor, now = known.actor, self._clock.now()
        if actor.expires_at is None or actor.expires_at <= now or actor.credential_id is None:
            raise TokenRefused("This token has expired.")
        self._uses.note(actor.credential_id, now)
        return actor

    async def _admitted(self, session_id: str, digest: str, verified: Verified) -> Actor:
        """The session of a token, made at its first use. One whose session was ended since does not come back."""
        mark = self._marks.id("token", digest)
        if actor := await self._find(session_id, mark):
            return actor
        await self._marks.refuse_ended(verified.sid, verified.subject, verified.issued_at)
        user = await self._accounts.admit(person_of(self._issuer, verified, self._role_claim))
        session = Session(
            id=session_id,
            user_id=user.id,
            name=None,
            method=METHOD,
            oidc_sid=verified.sid,
            created_at=self._clock.now().replace(microsecond=0),
            expires_at=verified.expires_at,
        )
        try:
            async with self._database.write() as db:
                await store.mark_once(db, mark, verified.issued_at, self._marks.until(verified.expires_at))
                db.add(session)
                await identity_store.note_login(db, user.id, self._clock.now())
        except IntegrityError:  # the same token came twice at once
            if actor := await self._find(session_id, mark):
                return actor
            raise TokenRefused("This token's session has ended.") from None
        try:
            # Asked again now that the session is on disk: a logout in between either sees it, or is seen here.
            await self._marks.refuse_ended(verified.sid, verified.subject, verified.issued_at)
        except TokenRefused:
            async with self._database.write() as db:
                await identity_store.delete_session(db, session_id)
            raise
        return actor_of(session, user)

    async def _find(self, session_id: str, mark: str) -> Actor | None:
        """None for a token that was never seen. Raises TokenRefused when it was, and its session is gone."""
        async with self._database.read() as db:
            # The mark first: a session is written together with it, also by a request at this very moment.
            seen = mark in await store.find_marks(db, [mark])
            found = await identity_store.find_session(db, session_id, self._clock.now())
        if seen and found is None:
            raise TokenRefused("This token's session has ended.")
        return actor_of(*found) if found else None
