"""Second factors: asked by every path that takes a password, and of people who come by a client certificate alone."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from homeport.identity import store as identity_store
from homeport.identity.access import Actor
from homeport.identity.models import User
from homeport.identity.problems import (
    InvalidTotpCode,
    SecondFactorOff,
    SecondFactorOn,
    SecondFactorRequired,
    UserNotFound,
)
from homeport.identity.second_factors import store as sql
from homeport.identity.second_factors import totp
from homeport.identity.second_factors.guesses import Guesses
from homeport.identity.sessions import Sessions
from homeport.kit.clock import Clock
from homeport.kit.sealing import Sealer
from homeport.storage import Database

# Where a certificate alone is enough (spec/host.md B.5): without these nobody could give the second factor.
CERTIFICATE_ALONE = frozenset({"/api/health", "/api/settings/2fa", "/api/settings/2fa/verify"})
_KNOWN_SECONDS = 5.0  # another process may turn it on or off: this is how long that can go unnoticed
_KNOWN = 1024

log = structlog.get_logger()


@dataclass(frozen=True)
class Status:
    """`methods` are those that a sign-in may use when it is asked for more than the password."""

    enabled: bool
    backup_codes_remaining: int
    methods: tuple[str, ...]


@dataclass(frozen=True)
class Setup:
    """Shown once: `secret` is base32, `uri` what `qr_svg` (a document) says."""

    secret: str
    uri: str
    qr_svg: str


class SecondFactors:
    """Owns the `totp_…` columns of users and the table `backup_codes`.

    A person's passkeys count as second factor beside a password while TOTP is on, and not by themselves: whoever has
    passkeys and no TOTP still signs in with the password alone.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        sealer: Sealer,
        sessions: Sessions,
        *,
        domain: str,
        cookie: str,
        ended: Callable[[str, str], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._sealer = sealer
        self._sessions = sessions
        self._domain = domain
        self._cookie = cookie
        self._ended = ended
        self._guesses = Guesses(clock)
        self._known: OrderedDict[str, tuple[bool, float]] = OrderedDict()

    async def status(self, user_id: str) -> Status:
        async with self._database.read() as db:
            enabled = await sql.totp_enabled_at(db, user_id) is not None
            codes = await sql.count_backup_codes(db, user_id)
            methods = await _methods(db, user_id) if enabled else ()
        return Status(enabled, codes, methods)

    async def set_up(self, user: User) -> Setup:
        """A new secret, which `enable` takes into use. Raises SecondFactorOn."""
        secret, uri, svg = await asyncio.to_thread(_new_setup, f"{user.username}@{self._domain}")
        sealed = self._sealer.seal(secret, _context(user.id))
        async with self._database.write() as db:
            if not await sql.set_up_totp(db, user.id, sealed, self._clock.now()):
                raise SecondFactorOn
        return Setup(secret, uri, svg)

    async def enable(self, actor: Actor, code: str, address: str) -> list[str]:
        """Take the secret into use; the backup codes, which are shown once. The person's other sessions end.

        Raises SecondFactorOn, SecondFactorOff (nothing was set up), InvalidTotpCode, TooManyCodes.
        """
        async with self._database.read() as db:
            user = await _user(db, actor.id)
        if user.totp_enabled_at is not None:
            raise SecondFactorOn
        if user.totp_secret is None:
            raise SecondFactorOff("Set two-factor authentication up first.")
        self._guesses.begin(user.id, address)
        now = self._clock.now()
        step = totp.matching_step(self._secret(user), totp.tidy(code), now)
        if step is None:
            raise InvalidTotpCode
        self._guesses.right(user.id, address)
        codes = totp.new_backup_codes()
        keep = actor.credential_id if actor.kind == "user" else None
        async with self._database.write() as db:
            if not await sql.enable_totp(db, user.id, user.totp_secret, step, now):
                raise SecondFactorOn
            await sql.replace_backup_codes(db, user.id, map(totp.digest, codes))
            ended = await identity_store.delete_sessions_of(db, user.id, keep)
        self._known.pop(user.id, None)
        for session_id in ended:
            self._ended(session_id, user.id)
        return codes

    async def disable(self, user_id: str) -> None:
        """Off, with its backup codes; the caller has checked a code or the password. Raises SecondFactorOff."""
        async with self._database.write() as db:
            if await sql.totp_enabled_at(db, user_id) is None:
                raise SecondFactorOff
            await sql.disable_totp(db, user_id, self._clock.now())
        self._known.pop(user_id, None)

    async def reset(self, ref: str) -> User:
        """Off for somebody who lost it; `ref` is a user's id, integer id, name or e-mail address. Raises UserNotFound.

        Nothing is left of it whether it was on, set up only, or neither. Passkeys and sessions stay.
        """
        async with self._database.write() as db:
            user = await sql.find_user_by_ref(db, ref) or await identity_store.find_user_by_login(
                db, ref.strip().lower()
            )
            if user is None:
                raise UserNotFound(f"There is no user {ref[:80]!r}.")
            await sql.disable_totp(db, user.id, self._clock.now())
        self._known.pop(user.id, None)
        return user

    async def renew_backup_codes(self, user_id: str, code: str, address: str) -> list[str]:
        """New ones instead of all that are left. Raises SecondFactorOff, InvalidTotpCode, TooManyCodes."""
        async with self._database.read() as db:
            user = await _user(db, user_id)
        await self.check(user, code, address)
        codes = totp.new_backup_codes()
        async with self._database.write() as db:
            await sql.replace_backup_codes(db, user_id, map(totp.digest, codes))
        return codes

    async def require(self, user: User, code: str | None, address: str) -> None:
        """For every path that takes a password, once that is right: nothing while the person has it off.

        Raises SecondFactorRequired without a code, InvalidTotpCode, TooManyCodes.
        """
        if user.totp_enabled_at is None:
            return
        if not code:
            async with self._database.read() as db:
                raise SecondFactorRequired(await _methods(db, user.id))
        await self.check(user, code, address)

    async def check(self, user: User, code: str, address: str) -> None:
        """A code of the authenticator app, good once, or a backup code, which is gone then.

        Raises SecondFactorOff, InvalidTotpCode, TooManyCodes.
        """
        if user.totp_enabled_at is None or user.totp_secret is None:
            raise SecondFactorOff
        self._guesses.begin(user.id, address)
        if not await self._is_right(user, totp.tidy(code)):
            raise InvalidTotpCode
        self._guesses.right(user.id, address)

    async def satisfied(self, connection: HTTPConnection, user_id: str) -> bool:
        """Whether a live session of that person comes along as our cookie."""
        return await self._session(connection, user_id) is not None

    async def admit_certificate(self, connection: HTTPConnection, holder: Actor) -> Actor:
        """For a person who comes by a client certificate (spec/host.md B.5); agents are not asked.

        The holder, who is let in no longer than the session that gave the second factor lasts. Raises
        SecondFactorRequired where the certificate alone is not enough.
        """
        if connection.url.path in CERTIFICATE_ALONE or not await self._is_enabled(holder.id):
            return holder
        session = await self._session(connection, holder.id)
        if session is None:
            raise SecondFactorRequired(("totp", "backup_code"))
        ends = [at for at in (holder.expires_at, session.expires_at) if at is not None]
        return replace(holder, expires_at=min(ends, default=None))

    async def _session(self, connection: HTTPConnection, user_id: str) -> Actor | None:
        """That person's session that comes along as our cookie.

        Each one began with the second factor, or began it: enabling ends the others, and POST /api/settings/2fa/verify
        begins one for whoever has a certificate.
        """
        token = connection.cookies.get(self._cookie, "")
        actor = await self._sessions.find(token) if token else None
        return actor if actor is not None and actor.id == user_id else None

    async def _is_enabled(self, user_id: str) -> bool:
        now = self._clock.monotonic()
        known = self._known.get(user_id)
        if known is None or known[1] <= now:
            async with self._database.read() as db:
                known = (await sql.totp_enabled_at(db, user_id) is not None, now + _KNOWN_SECONDS)
            self._known[user_id] = known
            if len(self._known) > _KNOWN:
                self._known.popitem(last=False)
        return known[0]

    async def _is_right(self, user: User, code: str) -> bool:
        if totp.is_totp(code):
            step = totp.matching_step(self._secret(user), code, self._clock.now())
            if step is None:
                return False
            async with self._database.write() as db:
                return await sql.use_totp_step(db, user.id, step)
        if not totp.is_backup_code(code):
            return False
        async with self._database.write() as db:
            used = await sql.use_backup_code(db, user.id, totp.digest(code))
        if used:
            log.info("a backup code was used", user=user.username)
        return used

    def _secret(self, user: User) -> str:
        return self._sealer.open(user.totp_secret or "", _context(user.id))


def _context(user_id: str) -> str:
    """What the sealed secret is bound to (storage/sealed.py says the same): it is no good in another's row."""
    return f"{user_id}/totp"


def _new_setup(account: str) -> tuple[str, str, str]:
    secret = totp.new_secret()
    uri = totp.provisioning_uri(secret, account)
    return secret, uri, totp.qr_svg(uri)


async def _methods(db: AsyncSession, user_id: str) -> tuple[str, ...]:
    found = ["totp"]
    if await sql.count_backup_codes(db, user_id):
        found.append("backup_code")
    if await sql.count_passkeys(db, user_id):
        found.append("passkey")
    return tuple(found)


async def _user(db: AsyncSession, user_id: str) -> User:
    user = await identity_store.find_user(db, user_id)
    if user is None:
        raise UserNotFound("This account is gone.")
    return user
