"""A portal without sign-in, for development: whoever is on this machine is an administrator (`homeport up --open`)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from ipaddress import ip_address

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from homeport.identity import store
from homeport.identity.access import Actor, Role
from homeport.identity.actors import person
from homeport.identity.models import User
from homeport.identity.origin import is_foreign, needs_origin
from homeport.identity.problems import AuthenticationOff, OpenModeRefused
from homeport.kit.clock import Clock
from homeport.settings import Settings
from homeport.storage import Database

USERNAME = "developer"
CLOSED = "only while the portal is open"
# What a reverse proxy adds: behind one, everybody seems to be on this machine.
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "cf-connecting-ip", "via")

log = structlog.get_logger()


class OpenMode:
    """Owns the account `developer`: a superadmin while the portal is open, and without any power otherwise."""

    def __init__(self, database: Database, clock: Clock, settings: Settings, base_url: Callable[[], str]) -> None:
        self.enabled = settings.open
        self._database = database
        self._clock = clock
        self._names = {settings.domain.lower(), "localhost"}
        self._base_url = base_url
        self._developer: Actor | None = None

    async def open(self) -> None:
        """Give the developer's account its power, or take it. Before anything is served."""
        if self.enabled:
            user = await self._empowered()
            self._developer = person(user)
            log.warning("THE PORTAL IS OPEN: no sign-in, everybody on this machine is an administrator")
        else:
            await self._disempower()

    def refuse_sign_in(self) -> None:
        """Raises AuthenticationOff while the portal is open."""
        if self.enabled:
            raise AuthenticationOff

    def admit(self, connection: HTTPConnection) -> Actor:
        """The developer, for a request from this machine that no other site's page caused. Raises OpenModeRefused."""
        if self._developer is None:
            raise AuthenticationOff
        peer = connection.client.host if connection.client else ""
        if not _is_loopback(peer) or any(name in connection.headers for name in _FORWARDED):
            raise OpenModeRefused("An open portal only answers this machine, and not through a proxy.")
        # DNS rebinding: a stranger's name that leads here is still a stranger's name.
        host = _host_of(connection.headers.get("host", ""))
        if host not in self._names and not _is_loopback(host):
            raise OpenModeRefused("An open portal only answers under its own name.")
        if is_foreign(connection, self._base_url) and not _is_visit(connection):
            raise OpenModeRefused("This request did not come from a page of this portal.")
        return self._developer

    async def _empowered(self) -> User:
        now = self._clock.now()
        async with self._database.write() as db:
            user = await store.find_user(db, store.DEVELOPER)
            if user is None:
                user = User(
                    id=store.DEVELOPER,
                    number=await store.next_number(db, "users"),
                    username=await self._free_name(db),
                    name="Developer",
                    role=Role.SUPERADMIN,
                    password_hash="",
                    created_at=now,
                    updated_at=now,
                )
                db.add(user)
            user.role, user.scopes, user.customer_id = Role.SUPERADMIN, None, None
            user.banned_at = user.ban_reason = None
            user.password_hash = ""
        return user

    @staticmethod
    async def _free_name(db: AsyncSession) -> str:
        taken = await store.find_user_by_login(db, USERNAME)
        return USERNAME if taken is None else f"{USERNAME}-{secrets.token_hex(3)}"

    async def _disempower(self) -> None:
        """Nothing that was made for it in open mode opens a closed portal: no key, session, certificate or password."""
        now = self._clock.now()
        async with self._database.write() as db:
            user = await store.find_user(db, store.DEVELOPER)
            if user is None or (user.banned_at is not None and user.role == Role.USER):
                return
            user.role, user.scopes, user.password_hash = Role.USER, "", ""
            user.banned_at, user.ban_reason, user.updated_at = now, CLOSED, now
            await store.delete_sessions_of(db, user.id)
            await store.revoke_keys_of(db, user.id, now)
        log.info("the portal is closed again: the developer's account has no power")


def _host_of(header: str) -> str:
    """The name in a Host header, without its port."""
    name = header.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0].removesuffix(".")


def _is_loopback(text: str) -> bool:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _is_visit(connection: HTTPConnection) -> bool:
    """A link that a person followed: it changes nothing, and the page it came from sees nothing of the answer."""
    return not needs_origin(connection) and connection.headers.get("sec-fetch-mode") == "navigate"
