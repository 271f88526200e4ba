"""Who: users, credentials, roles, customers and their plans, set-up.

Owns the tables users, sessions, api_keys, onboarding, plans and customers. Publishes `events.CredentialEnded`. Hears
nothing.
Routes are in `identity.http`, together with `require`, which every route of the portal needs.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import structlog
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from homeport.identity import store
from homeport.identity.access import ANONYMOUS, Actor, Owned, Role, Verb, allowed
from homeport.identity.api_keys import ApiKeys, looks_like_a_key
from homeport.identity.cache import SECONDS, CredentialCache
from homeport.identity.credentials import Passwords, new_password
from homeport.identity.customers import Customers, Holding, Holdings, customer_name
from homeport.identity.events import CredentialEnded
from homeport.identity.models import User
from homeport.identity.onboarding import OnboardingGate, OnboardingStatus
from homeport.identity.origin import is_own_origin, needs_origin
from homeport.identity.plans import CustomerPlan, Plans, plan_of
from homeport.identity.problems import InvalidCredentials, OriginRefused, Unauthenticated, UserNotFound
from homeport.identity.sessions import Sessions, SignIn
from homeport.identity.sockets import OpenSockets, Socket
from homeport.identity.throttle import Throttle
from homeport.kit.bus import Bus
from homeport.kit.clock import Clock
from homeport.kit.ids import new_id
from homeport.storage import Database

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
ADMINISTRATOR = "admin"
THIS_MACHINE = "The shell of this machine"
UPKEEP_SECONDS = 60.0

log = structlog.get_logger()


class Identity:
    """Built once. `open()` before use, `run()` in a task of its own, `close()` at the end."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        bus: Bus,
        *,
        key_dir: Path,
        base_url: Callable[[], str],
        session_length: timedelta,
        holdings: Holdings,
    ) -> None:
        self._database = database
        self._clock = clock
        self._bus = bus
        self._base_url = base_url
        self._cache = CredentialCache(clock)
        self._passwords = Passwords()
        self._throttle = Throttle(clock)
        self._sessions = Sessions(database, clock, self._cache, key_dir, session_length)
        self.api_keys = ApiKeys(database, clock, self._cache)
        self.onboarding = OnboardingGate(database)
        self.plans = Plans(database, clock, bus)
        self.customers = Customers(database, clock, bus, holdings)
        self.sockets = OpenSockets(clock)

    async def open(self) -> None:
        """Read or make the key that signs sessions; make the first plans."""
        await self._sessions.open()
        await self.plans.open()

    async def close(self) -> None:
        self.sockets.end_all()
        await self.api_keys.write_last_uses()

    async def run(self) -> None:
        """Upkeep, until cancelled: sockets whose credential another process ended, last uses, expired sessions."""
        tidied = self._clock.monotonic()
        while True:
            await self._clock.sleep(SECONDS)
            try:
                await self.end_stale_sockets()
                if self._clock.monotonic() - tidied >= UPKEEP_SECONDS:
                    tidied = self._clock.monotonic()
                    await self.api_keys.write_last_uses()
                    async with self._database.write() as db:
                        await store.delete_expired_sessions(db, self._clock.now())
            except (SQLAlchemyError, OSError) as problem:
                log.warning("upkeep waits for the database", problem=type(problem).__name__)

    async def ensure_administrator(self) -> str | None:
        """Make the administrator if there is none; the password, which exists nowhere else. None if there was one."""
        async with self._database.read() as db:
            if await store.has_user_with_role(db, Role.ADMIN):
                return None
        password = new_password()
        hashed = await self._passwords.hash(password)
        now = self._clock.now()
        administrator = User(
            id=new_id("usr"),
            username=ADMINISTRATOR,
            email=None,
            name="Administrator",
            role=Role.ADMIN,
            customer_id=None,
            password_hash=hashed,
            created_at=now,
            updated_at=now,
        )
        try:
            async with self._database.write() as db:
                db.add(administrator)
                await store.set_onboarding_status(db, OnboardingStatus.COMPLETE, now)
        except IntegrityError:
            return None  # another process that started at the same moment was first
        return password

    async def admit_machine(self, presented: str | None) -> str:
        """An API key for whoever runs the portal on its own machine: `presented` while it is good, else a new one.

        It stands for the first administrator; the keys it replaces are revoked. Raises UserNotFound.
        """
        if presented and await self.api_keys.find(presented):
            return presented
        async with self._database.read() as db:
            user = await store.first_administrator(db)
        if user is None:
            raise UserNotFound("There is no administrator.")
        actor = Actor(id=user.id, kind="user", name=user.username, role=Role(user.role), customer_id=user.customer_id)
        for key in await self.api_keys.list_for(user.id):
            if key.name == THIS_MACHINE:
                await self.revoke_api_key(actor, key.id)
        return (await self.api_keys.create(actor, THIS_MACHINE, None, None)).secret

    async def reset_password(self, username: str) -> str:
        """A new random password for a user, who is signed out everywhere. Raises UserNotFound."""
        password = new_password()
        hashed = await self._passwords.hash(password)
        async with self._database.write() as db:
            user = await store.find_user_by_login(db, username.lower())
            if user is None:
                raise UserNotFound(f"There is no user {username!r}.")
            await store.set_password(db, user.id, hashed, self._clock.now())
            ended = await store.delete_sessions_of(db, user.id)
        for session_id in ended:
            self._ended(session_id, user.id)
        return password

    async def sign_in(self, login: str, password: str, *, address: str, user_agent: str | None = None) -> SignIn:
        """A session for a user name or e-mail address. Raises InvalidCredentials or TooManyAttempts."""
        login = login.strip().lower()
        with self._throttle.attempt(login, address):
            async with self._database.read() as db:
                user = await store.find_user_by_login(db, login)
            if not await self._passwords.verify(password, user.password_hash if user else None) or user is None:
                self._throttle.failed(login, address)
                raise InvalidCredentials("The name or the password is wrong.")
        self._throttle.succeeded(login, address)
        if self._passwords.is_outdated(user.password_hash):
            hashed = await self._passwords.hash(password)
            async with self._database.write() as db:
                await store.set_password(db, user.id, hashed, self._clock.now())
        return await self._sessions.begin(user, address=address, user_agent=user_agent)

    async def sign_out(self, actor: Actor) -> None:
        """End the session in use; nothing for an API key."""
        if actor.kind == "user" and actor.credential_id:
            await self._sessions.end(actor.credential_id)
            self._ended(actor.credential_id, actor.id)

    async def revoke_api_key(self, actor: Actor, key_id: str) -> None:
        """Raises ApiKeyNotFound."""
        await self.api_keys.revoke(key_id, actor.id)
        self._ended(key_id, actor.id)

    async def bind_to_customer(self, actor: Actor, customer_id: str, login: str) -> None:
        """The user sees that customer's things only, at once. Raises CustomerNotFound, UserNotFound, Conflict."""
        user, credentials = await self.customers.bind(actor, customer_id, login)
        self._moved(user, credentials)

    async def unbind_from_customer(self, customer_id: str, login: str) -> None:
        """The user is one of the portal's own people again. Raises CustomerNotFound, UserNotFound."""
        user, credentials = await self.customers.unbind(customer_id, login)
        self._moved(user, credentials)

    async def user_of(self, actor: Actor) -> User:
        """The user behind a session or key. Raises UserNotFound."""
        async with self._database.read() as db:
            user = await store.find_user(db, actor.id)
        if user is None:
            raise UserNotFound("This account is gone.")
        return user

    async def authenticate(self, connection: HTTPConnection) -> Actor:
        """Who asks: by bearer token or key, by `?token=` on a WebSocket, else by cookie. One query at most.

        Raises Unauthenticated, and OriginRefused for a cookie that another site's page sent.
        """
        scheme, _, presented = connection.headers.get("authorization", "").partition(" ")
        token = presented.strip() if scheme.lower() == "bearer" else ""
        if not token and connection.scope["type"] == "websocket":
            token = connection.query_params.get("token", "")
        if not token:
            token = connection.cookies.get(COOKIE, "")
            if token and needs_origin(connection):
                self.refuse_other_sites(connection)
        if not token:
            raise Unauthenticated("Sign in, or send an API key as a bearer token.")
        actor = await (self.api_keys.find(token) if looks_like_a_key(token) else self._sessions.find(token))
        if actor is None:
            raise Unauthenticated("This session or API key is unknown, expired or revoked.")
        return actor

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

    def _moved(self, user: User, credentials: list[str]) -> None:
        """The credentials stay good; what was known about them, and what is open by them, does not."""
        for credential_id in credentials:
            self._cache.forget(credential_id)
            self.sockets.end_credential(credential_id)
        log.info("a user was moved", user=user.username, customer=user.customer_id)

    def _ended(self, credential_id: str, user_id: str) -> None:
        self._cache.forget(credential_id)
        self.sockets.end_credential(credential_id)
        self._bus.publish(CredentialEnded(credential_id, user_id))
