"""What people do about their own account: password, presence, names, sessions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.exc import IntegrityError

from homeport.identity import store as identity_store
from homeport.identity.access import Actor
from homeport.identity.accounts import store as sql
from homeport.identity.cache import LastUses
from homeport.identity.credentials import Passwords
from homeport.identity.models import Session, User
from homeport.identity.problems import InvalidCredentials, PasswordMissing, SessionNotFound, UserNotFound
from homeport.identity.sockets import OpenSockets
from homeport.kit.clock import Clock
from homeport.kit.problems import Conflict
from homeport.storage import Database


class CheckPassword(Protocol):
    """Identity.check_password."""

    async def __call__(self, login: str, password: str, *, address: str, again: bool = False) -> User: ...


@dataclass(frozen=True)
class Counts:
    """People, those of them with an open WebSocket, and sessions that have not expired."""

    users: int
    online: int
    sessions: int


@dataclass(frozen=True)
class Ended:
    """How many sessions, API keys and client certificates ended."""

    sessions: int
    api_keys: int
    certificates: int


class Accounts:
    """Owns the profile columns of users, and a person's list of sessions."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        passwords: Passwords,
        uses: LastUses,
        sockets: OpenSockets,
        *,
        check_password: CheckPassword,
        user_of: Callable[[Actor], Awaitable[User]],
        ended: Callable[[str, str], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._uses = uses
        self._sockets = sockets
        self._check_password = check_password
        self._user_of = user_of
        self._ended = ended

    async def change_password(
        self, actor: Actor, current: str, new: str, *, address: str, keep_api_keys: bool = False
    ) -> Ended:
        """Every other session and client certificate ends, and every API key but the one in use and the shell's, unless
        keys are to stay.

        Raises PasswordMissing, InvalidCredentials, TooManyAttempts.
        """
        user = await self._user_of(actor)
        if not user.password_hash:
            raise PasswordMissing
        checked = await self._check_password(user.username, current, address=address, again=True)
        hashed = await self._passwords.hash(new)
        now = self._clock.now()
        async with self._database.write() as db:
            await identity_store.hold_person(db, actor, now)
            if not await identity_store.rehash_password(db, checked, hashed):  # an administrator's new one came between
                raise InvalidCredentials("Your password was changed meanwhile.")
            await sql.set_columns(db, user.id, now, password_changed_at=now)
            sessions = await identity_store.delete_sessions_of(db, user.id, actor.credential_id)
            certificates = await identity_store.revoke_certificates_of(db, user.id, now, actor.credential_id)
            keys: Sequence[str] = ()
            if not keep_api_keys:
                keys = await identity_store.revoke_keys_of(db, user.id, now, actor.credential_id)
        for credential_id in (*sessions, *keys, *certificates):
            self._ended(credential_id, user.id)
        return Ended(len(sessions), len(keys), len(certificates))

    async def set_presence(self, actor: Actor, presence: str, message: str | None) -> User:
        """`message` None keeps the one that was there."""
        more = {} if message is None else {"presence_message": message}
        return await self._set(actor, {"presence": presence, **more})

    async def set_nickname(self, actor: Actor, nickname: str | None) -> User:
        """None clears it. Raises Conflict for a name that somebody else signs in by."""
        if nickname is not None:
            async with self._database.read() as db:
                if await sql.is_name_of_another(db, nickname.lower(), actor.id):
                    raise Conflict(f"{nickname!r} is the name of somebody else.")
        return await self._set(actor, {"nickname": nickname})

    async def set_names(self, actor: Actor, given: Mapping[str, str | None]) -> User:
        """`name` and `email` (None: no address). Raises Conflict for an address that somebody else has."""
        values = {name: text.lower() if name == "email" and text else text for name, text in given.items()}
        try:
            return await self._set(actor, values)
        except IntegrityError as problem:
            raise Conflict("Somebody else has this address.") from problem

    async def set_avatar(self, actor: Actor, avatar: Mapping[str, Any]) -> User:
        """{color, emoji, initials}, as a whole."""
        return await self._set(actor, {"avatar": dict(avatar)})

    async def set_anonymous(self, actor: Actor, anonymous: bool) -> User:
        return await self._set(actor, {"chat_anonymous": anonymous})

    async def sessions(self, user_id: str) -> list[Session]:
        """The newest first, each with its last use up to this moment."""
        async with self._database.read() as db:
            found = list(await sql.sessions_of(db, user_id, self._clock.now()))
        for session in found:
            session.last_used_at = self._uses.latest(session.id, session.last_used_at)
        return found

    async def end_session(self, user_id: str, session_id: str) -> None:
        """Refused from now on, and what is open by it ends. Raises SessionNotFound, for somebody else's too."""
        async with self._database.write() as db:
            if not await sql.has_session(db, user_id, session_id, self._clock.now()):
                raise SessionNotFound(f"You have no session {session_id[:80]!r}.")
            await identity_store.delete_session(db, session_id)
        self._ended(session_id, user_id)

    async def end_sessions(self, user_id: str, keep: str | None = None) -> int:
        """All of a person's but `keep`; how many."""
        async with self._database.write() as db:
            sessions = await identity_store.delete_sessions_of(db, user_id, keep)
        for session_id in sessions:
            self._ended(session_id, user_id)
        return len(sessions)

    async def counts(self, actor: Actor) -> Counts:
        """Of everybody; for a customer's people, of those of their customer."""
        online, own = self._sockets.people(), actor.customer_id
        async with self._database.read() as db:
            return Counts(
                users=await sql.count_users(db, own),
                online=len(online) if own is None else await sql.among(db, online, own),
                sessions=await sql.count_sessions(db, own, self._clock.now()),
            )

    async def profile(self, actor: Actor) -> tuple[User, int]:
        """Who somebody is, and how many passkeys they have. Raises UserNotFound."""
        async with self._database.read() as db:
            found = await sql.find_profile(db, actor.id)
        if found is None:
            raise UserNotFound("This account is gone.")
        return found

    async def _set(self, actor: Actor, values: Mapping[str, Any]) -> User:
        async with self._database.write() as db:
            await sql.set_columns(db, actor.id, self._clock.now(), **values)
        return await self._user_of(actor)
