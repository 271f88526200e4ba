"""A portal's front door with identity behind it and nothing else, for tests of routes: real app, real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from homeport.identity import Identity, Role, store
from homeport.identity import http as identity_http
from homeport.identity.certificates import PEER, Peer
from homeport.identity.credentials import Passwords
from homeport.identity.customers import http as customers_http
from homeport.identity.models import User
from homeport.kit.bus import Bus
from homeport.kit.guard import OutboundGuard
from homeport.kit.ids import new_id
from homeport.kit.sealing import Sealer
from homeport.services.quota import holdings
from homeport.settings import Settings
from homeport.storage import Database, Options
from homeport.testing.clock import ManualClock
from homeport.web import LiveFeed, Place, PortalServer, about, create_app, live

BASE_URL = "https://localhost:8443"
# A test asks more often than a person; those of the limits set their own.
NO_LIMITS = {"rate_limit_api": 0, "rate_limit_pages": 0, "rate_limit_auth": 0, "sockets_per_user": 0}


class Door:
    """Built by `open_door`; `admin` and `viewer` give clients that are signed in by bearer token."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        routers: Callable[[Identity], Sequence[APIRouter]],
        ui: Path | None,
        settings: Mapping[str, Any] | None = None,
        beside: Callable[[Identity, Door], Sequence[APIRouter]] = lambda _identity, _door: (),
    ) -> None:
        self.database = database
        self.clock = ManualClock()
        self.bus = Bus()
        self.settings = Settings(data_dir=folder, **{**NO_LIMITS, **(settings or {})})
        self.options = Options(database)
        self.identity = Identity(
            database,
            self.clock,
            self.bus,
            self.settings,
            Sealer(folder / "keys"),
            self.options,
            base_url=lambda: BASE_URL,
            holdings=holdings,
            guard=OutboundGuard(self.settings.outbound_allow),
        )
        self.feed = LiveFeed(self.bus)
        place = Place(self.settings.domain, BASE_URL, self.settings.port, "/ca.pem")
        self.app: FastAPI = create_app(
            identity=self.identity,
            routers=[
                *identity_http.routes(self.identity, self.settings),
                *customers_http.routes(self.identity),
                about.routes(place),
                live.routes(self.feed, self.identity),
                *routers(self.identity),
                *beside(self.identity, self),
            ],
            base_url=lambda: BASE_URL,
            ui=ui or folder / "no-ui",
        )
        self.password = ""

    def client(self, token: str | None = None) -> httpx.AsyncClient:
        """Requests go straight into the app. Close it, or use it as a context manager."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=headers)

    def certificate_client(self, certificate: bytes | None, token: str | None = None) -> httpx.AsyncClient:
        """As `client`, by the port that asks for client certificates, with this one (DER) or none."""

        headers = {"authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(app=self._by_certificate(certificate), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=headers)

    async def add_user(
        self, username: str, role: Role, customer_id: str | None = None, scopes: str | None = None
    ) -> str:
        """A user whose password is the user name; the token of a session."""
        now = self.clock.now()
        user = User(
            id=new_id("usr"),
            username=username,
            email=f"{username}@example.org",
            name=username.title(),
            role=role,
            scopes=scopes,
            customer_id=customer_id,
            password_hash=await Passwords().hash(username),
            created_at=now,
            updated_at=now,
        )
        async with self.database.write() as db:
            user.number = await store.next_number(db, "users")
            db.add(user)
        return await self.sign_in(username, username)

    async def sign_in(self, username: str, password: str) -> str:
        """The token of a new session."""
        return (await self.identity.sign_in(username, password, address="192.0.2.1")).token

    async def admin_token(self) -> str:
        return await self.sign_in("admin", self.password)

    def _by_certificate(self, certificate: bytes | None) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self.app({**scope, "state": {PEER: Peer(certificate)}}, receive, send)

        return app

    @asynccontextmanager
    async def listen(self, certificate: bytes | None = None) -> AsyncIterator[str]:
        """On a free loopback port without TLS, for WebSockets: `127.0.0.1:<port>`. With a `certificate` (DER) it is the
        port that asks for them, where everybody has that one."""
        server = PortalServer(self._by_certificate(certificate) if certificate else self.app)
        listener = await asyncio.get_running_loop().create_server(server.protocol, "127.0.0.1", 0)
        try:
            yield f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        finally:
            listener.close()
            await server.close(timeout=1)


@asynccontextmanager
async def open_door(
    database: Database,
    folder: Path,
    routers: Callable[[Identity], Sequence[APIRouter]] = lambda _: (),
    *,
    ui: Path | None = None,
    administrator: bool = True,
    settings: Mapping[str, Any] | None = None,
    beside: Callable[[Identity, Door], Sequence[APIRouter]] = lambda _identity, _door: (),
) -> AsyncIterator[Door]:
    """A door that is open: keys made, and the administrator too unless set-up is to be incomplete.

    `beside` are more routes, of parts that need more of the door than its identity.
    """
    door = Door(database, folder, routers, ui, settings, beside)
    await door.identity.open()
    if administrator:
        door.password = await door.identity.machine.ensure_administrator() or ""
    yield door
    await door.identity.close()
