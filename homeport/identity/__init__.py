"""Who: people, what they present, roles and scopes, customers and their plans, the audit log, set-up.

Owns the tables of `identity.models`. Publishes `events.CredentialEnded`. Hears nothing.
Routes are in `identity.http` and beside what they are about; `require`, which every route needs, is in
`identity.guard`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from homeport.identity import store
from homeport.identity.access import ANONYMOUS, Actor, Owned, Role, Verb, allowed
from homeport.identity.accounts import Accounts
from homeport.identity.api_keys import ApiKeys, looks_like_a_key
from homeport.identity.audit import AuditLog
from homeport.identity.cache import CredentialCache, LastUses
from homeport.identity.certificates import Certificates
from homeport.identity.client_address import Proxies
from homeport.identity.credentials import Passwords
from homeport.identity.customers import Customers, Holding, Holdings, customer_name
from homeport.identity.customers.plans import CustomerPlan, Plans, plan_of
from homeport.identity.events import CredentialEnded
from homeport.identity.models import User
from homeport.identity.onboarding import OnboardingGate
from homeport.identity.open_mode import OpenMode
from homeport.identity.openid import OpenId
from homeport.identity.origin import is_foreign, is_own_origin, needs_origin
from homeport.identity.own_machine import OwnMachine
from homeport.identity.passkeys import Passkeys
from homeport.identity.presented import presented
from homeport.identity.problems import (
    AccountBanned,
    InvalidCredentials,
    OriginRefused,
    Unauthenticated,
    UserNotFound,
)
from homeport.identity.rate_limits import RateLimits, windows_for
from homeport.identity.registration import Registrations
from homeport.identity.second_factors import SecondFactors
from homeport.identity.sessions import Sessions, SignIn
from homeport.identity.sockets import OpenSockets, Socket
from homeport.identity.ssh_keys import SshKeys
from homeport.identity.throttle import Throttle
from homeport.identity.tickets import Tickets
from homeport.identity.users import Users
from homeport.kit.bus import Bus
from homeport.kit.clock import Clock
from homeport.kit.guard import OutboundGuard
from homeport.kit.sealing import Sealer
from homeport.settings import Settings
from homeport.storage import Database, Options

__all__ = [
    "ANONYMOUS",
    "COOKIE",
    "Actor",
    "CustomerPlan",
    "Holding",
    "Holdings",
    "Identity",
    "Owned",
    "Role",
    "SignIn",
    "Socket",
    "Verb",
    "allowed",
    "customer_name",
    "plan_of",
]

COOKIE = "__Host-homeport_session"
UPKEEP_SECONDS = 60.0
STALE_SECONDS = 1.0  # between two looks for sockets whose credential another process ended

log = structlog.get_logger()


class Identity:
    """Built once. `open()` before use, `run()` in a task of its own, `close()` at the end."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        bus: Bus,
        settings: Settings,
        sealer: Sealer,
        options: Options,
        *,
        base_url: Callable[[], str],
        holdings: Holdings,
        guard: OutboundGuard,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.sealer = sealer
        self.options = options
        self._database = database
        self._clock = clock
        self._bus = bus
        self._base_url = base_url
        self._cache = CredentialCache(clock)
        self._uses = LastUses()
        self._passwords = Passwords()
        self._throttle = Throttle(clock)
        key_dir = settings.data_dir / "keys"
        length = timedelta(hours=settings.session_hours)
        self.sessions = Sessions(database, clock, self._cache, self._uses, key_dir, length)
        self.api_keys = ApiKeys(database, clock, self._cache, self._uses)
        self.audit = AuditLog(database, clock, key_dir)
        self.proxies = Proxies(settings.trusted_proxies)
        self.rate_limits = RateLimits(windows_for(settings.redis_url.get_secret_value(), clock), clock)
        self.onboarding = OnboardingGate(database)
        self.plans = Plans(database, clock, bus)
        self.customers = Customers(database, clock, bus, holdings)
        self.sockets = OpenSockets(clock, most=settings.sockets_per_user)
        self.tickets = Tickets(clock)
        self.accounts = Accounts(
            database,
            clock,
            self._passwords,
            self._uses,
            self.sockets,
            check_password=self.check_password,
            user_of=self.user_of,
            ended=self.ended,
        )
        self.machine = OwnMachine(
            database, clock, self._passwords, self.api_keys, rate=settings.rate_limit_pages, ended=self.ended
        )
        self.users = Users(database, clock, self._passwords, ended=self.ended, changed=self.changed)
        self.registration = Registrations(
            database, clock, self._passwords, options, a_day=settings.registrations_per_network
        )
        self.second_factors = SecondFactors(
            database, clock, sealer, self.sessions, domain=settings.domain, cookie=COOKIE, ended=self.ended
        )
        self.passkeys = Passkeys(database, clock, domain=settings.domain, base_url=base_url)
        self.ssh_keys = SshKeys(database, clock)
        self.certificates = Certificates(
            database,
            clock,
            self._cache,
            self._uses,
            key_dir,
            Proxies(settings.certificate_proxies),
            ended=self.ended,
            narrowed=self.narrowed,
        )
        # Of those who administer the relay alone; the relay, which stands above, puts its own in here.
        self.wallet_of: Callable[[HTTPConnection], Actor | None] = lambda _connection: None
        self.open_mode = OpenMode(database, clock, settings, base_url)
        self.openid = OpenId(
            database, clock, settings, sealer, guard, self.sessions,
            self._cache, self._uses, self.audit, base_url=base_url, ended=self.ended, changed=self.changed,
        )  # fmt: skip

    async def open(self) -> None:
        """Read or make the keys that sign sessions and the audit log; make the first plans."""
        await self.options.open()
        await self.sessions.open()
        await self.audit.open()
        await self.plans.open()
        await self.certificates.open()
        await self.open_mode.open()

    async def close(self) -> None:
        self.sockets.end_all()
        await self.openid.close()
        await self._write_uses()

    async def run(self) -> None:
        """Upkeep, until cancelled: sockets whose credential another process ended, last uses, expired sessions."""
        tidied = self._clock.monotonic()
        while True:
            await self._clock.sleep(STALE_SECONDS)
            try:
                await self.end_stale_sockets()
                if self._clock.monotonic() - tidied >= UPKEEP_SECONDS:
                    tidied = self._clock.monotonic()
                    await self._write_uses()
                    async with self._database.write() as db:
                        await store.delete_expired_sessions(db, self._clock.now())
                    await self.openid.tidy()
            except (SQLAlchemyError, OSError) as problem:
                log.warning("upkeep waits for the database", problem=type(problem).__name__)

    async def _write_uses(self) -> None:
        if used := self._uses.take():
            async with self._database.write() as db:
                await store.note_use(db, used)

    async def sign_in(
        self,
        login: str,
        password: str,
        *,
        address: str,
        user_agent: str | None = None,
        totp_code: str | None = None,
        name: str | None = None,
        within: tuple[str, ...] | None = None,
        lasts: timedelta | None = None,
    ) -> SignIn:
        """A session for a user name or e-mail address; `name`, `within` and `lasts` are those of Sessions.begin.

        Raises InvalidCredentials, TooManyAttempts, SecondFactorRequired, InvalidTotpCode, TooManyCodes, AccountBanned.
        """
        login = login.strip().lower()
        user = await self.check_password(login, password, address=address, totp_code=totp_code)
        if user.banned_at is not None:
            raise AccountBanned(user.ban_reason)
        if self._passwords.is_outdated(user.password_hash):
            hashed = await self._passwords.hash(password)
            async with self._database.write() as db:
                if await store.rehash_password(db, user, hashed):
                    user.password_hash = hashed
        return await self.sessions.begin(
            user, address=address, user_agent=user_agent, name=name, within=within, lasts=lasts
        )

    async def sign_in_by_passkey(
        self, credential: dict[str, Any], *, login: str, password: str | None, address: str, user_agent: str | None
    ) -> SignIn:
        """A session by a passkey alone, or by a password with a passkey as second factor.

        `credential` is what the browser's `toJSON()` wrote. Raises InvalidPasskey, InvalidCredentials,
        TooManyAttempts, AccountBanned.
        """
        beside = None
        if password:
            beside = await self.check_password(login.strip().lower(), password, address=address, again=True)
        user = await self.passkeys.check(credential, beside_password_of=beside)
        if user.banned_at is not None:
            raise AccountBanned(user.ban_reason)
        return await self.sessions.begin(user, address=address, user_agent=user_agent, method="passkey")

    async def check_password(
        self, login: str, password: str, *, address: str, totp_code: str | None = None, again: bool = False
    ) -> User:
        """Whose name (lower case) and password these are: every path that takes a password comes through here.

        `again`: the person is signed in already and only repeats the password; no second factor is asked for.
        Raises InvalidCredentials, TooManyAttempts, SecondFactorRequired, InvalidTotpCode, TooManyCodes.
        """
        with self._throttle.attempt(login, address):
            async with self._database.read() as db:
                user = await store.find_user_by_login(db, login)
            try:
                if not await self._passwords.verify(password, user.password_hash if user else None) or user is None:
                    raise InvalidCredentials("The name or the password is wrong.")
                if not again:
                    await self.second_factors.require(user, totp_code, address)
            except InvalidCredentials:
                self._throttle.failed(login, address)
                raise
        self._throttle.succeeded(login, address)
        return user

    async def sign_out(self, actor: Actor) -> bool:
        """End the session in use; False for an API key or a certificate, and where there is none."""
        if not actor.credential_id or not actor.credential_id.startswith("ses_"):
            return False
        await self.sessions.end(actor.credential_id)
        self.ended(actor.credential_id, actor.id)
        return True

    async def sign_out_by_refresh(self, refresh_token: str) -> bool:
        """End the session that this refresh token belongs to; False when there is none."""
        actor = await self.sessions.find_by_refresh(refresh_token)
        return actor is not None and await self.sign_out(actor)

    async def revoke_api_key(self, actor: Actor, ref: str) -> None:
        """Refused from now on, and what is open by it ends. Raises ApiKeyNotFound."""
        self.ended(await self.api_keys.revoke(ref, actor.id), actor.id)

    async def delete_api_key(self, actor: Actor, ref: str) -> None:
        """Gone, and what is open by it ends. Raises ApiKeyNotFound."""
        self.ended(await self.api_keys.delete(ref, actor.id), actor.id)

    async def bind_to_customer(self, actor: Actor, customer_id: str, login: str) -> None:
        """The user sees that customer's things only, at once. Raises what Customers.bind raises."""
        self.changed((await self.customers.bind(actor, customer_id, login)).id)

    async def unbind_from_customer(self, actor: Actor, customer_id: str, login: str) -> None:
        """The user is one of the portal's own people again. Raises what Customers.unbind raises."""
        self.changed((await self.customers.unbind(actor, customer_id, login)).id)

    async def user_of(self, actor: Actor) -> User:
        """The user behind a session or key. Raises UserNotFound."""
        async with self._database.read() as db:
            user = await store.find_user(db, actor.id)
        if user is None:
            raise UserNotFound("This account is gone.")
        return user

    async def authenticate(self, connection: HTTPConnection) -> tuple[Actor, str]:
        """Who asks, and by what: a bearer token or key, `?token=`, `?ticket=` (WebSockets), else a wallet's session,
        else the client certificate where one is asked for, else the cookie.

        Raises Unauthenticated, OriginRefused for a cookie or certificate that another site's page made the browser
        send, CertificateRequired, CertificateRevoked, and SecondFactorRequired for a certificate that is not enough.
        """
        holder = await self.certificates.admission.admit(connection)
        if connection.scope["type"] == "websocket" and is_foreign(connection, self._base_url):
            raise OriginRefused("This WebSocket was not opened by a page of this portal.")
        token, via = presented(connection)
        if not token and (wallet := self.wallet_of(connection)) is not None:
            if needs_origin(connection) and is_foreign(connection, self._base_url):
                raise OriginRefused("This request did not come from a page of this portal.")
            return wallet, "wallet"
        if not token and holder is not None:
            if needs_origin(connection) and is_foreign(connection, self._base_url):
                raise OriginRefused("This request did not come from a page of this portal.")
            if holder.kind == "user":
                holder = await self.second_factors.admit_certificate(connection, holder)
            return holder, "certificate"
        if not token:
            token, via = connection.cookies.get(COOKIE, ""), "cookie"
            if token and needs_origin(connection):
                self.refuse_other_sites(connection)
        if not token and self.open_mode.enabled:
            return self.open_mode.admit(connection), "open"
        if not token:
            raise Unauthenticated("Sign in, or send an API key as a bearer token.")
        if via == "ticket":
            actor = self.tickets.use(token)
        elif via != "cookie" and self.openid.issued(token):
            actor = await self.openid.find(token)
        else:
            actor = await (self.api_keys.find(token) if looks_like_a_key(token) else self.sessions.find(token))
        if actor is None and via == "cookie" and self.open_mode.enabled:
            return self.open_mode.admit(connection), "open"  # a cookie from before says nothing
        if actor is None:
            raise Unauthenticated("This session or API key is unknown, expired or revoked.")
        return actor, via

    def refuse_other_sites(self, connection: HTTPConnection) -> None:
        """Raises OriginRefused when a page of another site made this request."""
        if not is_own_origin(connection, self._base_url):
            raise OriginRefused("This request did not come from a page of this portal.")

    def socket(self, websocket: WebSocket, actor: Actor) -> Socket:
        """`async with identity.socket(websocket, actor) as socket:` accepts it and watches over it."""
        return Socket(websocket, actor, self.sockets)

    async def end_stale_sockets(self) -> None:
        """End sockets whose credential is gone from the database, whoever deleted it."""
        credentials = self.sockets.credentials()
        if not credentials:
            return
        async with self._database.read() as db:
            existing = await store.existing_credentials(db, credentials, self._clock.now())
        for credential_id in credentials - existing:
            self.sockets.end_credential(credential_id)

    def ended(self, credential_id: str, user_id: str) -> None:
        """A credential is no more: nothing remembers it, and what is open by it ends."""
        self._cache.forget(credential_id)
        self.tickets.forget(credential_id)
        self.sockets.end_credential(credential_id)
        self._bus.publish(CredentialEnded(credential_id, user_id))

    def narrowed(self, credential_id: str) -> None:
        """What a credential may do has changed: it counts at once, and what is open by it ends."""
        self._cache.forget(credential_id)
        self.tickets.forget(credential_id)
        self.sockets.end_credential(credential_id)

    def changed(self, user_id: str) -> None:
        """What a person may do has changed: it counts at once, and what is open ends; clients come back with less."""
        self._cache.forget_user(user_id)
        self.tickets.forget_user(user_id)
        self.sockets.end_user(user_id)
