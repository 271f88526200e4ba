"""Shares behind a real door: routes, database, proxy and gate are the portal's; only the relay's side is played."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from homeport.identity import Role
from homeport.kit.guard import OutboundGuard
from homeport.kit.ids import new_id
from homeport.kit.sealing import Sealer
from homeport.relay.agent.observer import Visitor
from homeport.relay.agent.status import Status
from homeport.relay.lease import Lease
from homeport.services.exposure import Routes, Target
from homeport.services.models import ServiceRow
from homeport.services.proxy import Limits
from homeport.services.shares.doors import Door, Doors, ShareTarget, proxy_for
from homeport.services.shares.gate import Gate
from homeport.services.shares.grants import Grants
from homeport.services.shares.http import router
from homeport.services.shares.keeper import Keeper
from homeport.services.shares.running import Wanted
from homeport.services.shares.shares import Place, Shares
from homeport.storage import Database
from homeport.testing.door import BASE_URL, open_door
from homeport.testing.door import Door as FrontDoor

ROOT = "localhost"


class PlayedAgent:
    """An agent whose relay is always there; visitors come in by `visit`."""

    def __init__(self, wanted: Wanted, now: Any) -> None:
        self.wanted = wanted
        self.running = False
        self.stopped = 0
        self.state: Any = ""  # what it says of itself, if not how it is
        self.hostname = f"{wanted.identity.name}.{ROOT}"
        self._now = now
        self.connections = 0

    async def start(self) -> None:
        self.running = True

    async def stop(self) -> None:
        self.running = False
        self.stopped += 1

    def statuses(self) -> Sequence[Status]:
        state: Any = self.state or ("online" if self.running else "connecting")
        relays = self.wanted.relays or (BASE_URL,)
        url = f"https://{self.hostname}:8443"
        return [Status(state, url, self._now(), relay=one, hostname=self.hostname) for one in relays]

    async def visit(self) -> socket.socket:
        """The visitor's end of a new connection, TLS taken off."""
        self.connections += 1
        relay = self.wanted.relays[0] if self.wanted.relays else BASE_URL
        return await self.wanted.target.open(Visitor(self.connections, "tls", self.hostname, relay))


class PlayedRelay:
    def __init__(self) -> None:
        self.approved: list[str] = []
        self.held: list[Lease] = []

    def leases(self) -> list[Lease]:
        return self.held

    async def end(self, lease: Lease) -> None:
        self.held.remove(lease)

    async def approve(self, key: str) -> None:
        self.approved.append(key)

    async def unapprove(self, key: str) -> None:
        self.approved.remove(key)


@dataclass
class House:
    """A portal as far as shares need one."""

    front: FrontDoor
    apps: Routes
    sealer: Sealer
    guard: OutboundGuard
    relay: PlayedRelay = field(default_factory=PlayedRelay)
    agents: dict[str, PlayedAgent] = field(default_factory=dict)
    shares: Shares = field(init=False)
    keeper: Keeper = field(init=False)

    def build(self) -> None:
        """As the portal's start does it."""
        doors = Doors(self.apps)
        identity = self.front.identity
        grants = Grants(self.front.clock, identity.sockets)
        proxy = proxy_for(doors, Gate(grants, doors.door_at, lambda: BASE_URL), self.guard, Limits(linger=0.2))

        def target_for(door: Door) -> ShareTarget:
            return ShareTarget(door, doors, proxy, self.guard)

        async def make(wanted: Wanted) -> PlayedAgent:
            agent = self.agents[wanted.identity.name] = PlayedAgent(wanted, self.front.clock.now)
            return agent

        place = Place(ROOT, lambda: BASE_URL, lambda name: f"https://{name}.{ROOT}:8443")
        self.keeper = Keeper(
            self.front.database, self.sealer, self.front.clock, doors, grants, target_for, make, self.relay
        )
        self.shares = Shares(
            self.front.database, self.sealer, self.front.clock, self.front.bus, self.keeper, grants, place, self.relay,
            has_app=lambda name: self.apps.find(name) is not None, revoked=identity.users.absent, proxy=proxy,
        )  # fmt: skip

    async def service(self, name: str = "shop", **values: Any) -> str:
        """A new service; its id."""
        now = self.front.clock.now()
        service_id = new_id("svc")
        given: dict[str, Any] = {
            "id": service_id, "name": name, "deploy_method": "template", "variables": "", "cpu_limit": 0.5,
            "memory_limit_mb": 100, "status": "running", "desired": "running", "created_at": now, "updated_at": now,
        }  # fmt: skip
        async with self.front.database.write() as session:
            session.add(ServiceRow(**{**given, **values}))
        return service_id

    def point(self, name: str, port: int) -> None:
        self.apps.point(name, Target(port, f"rel_{name}"), service_id=name)

    async def share(self, ref: str = "shop", token: str | None = None, **wanted: Any) -> dict[str, Any]:
        """The row of a new share whose agent runs."""
        async with self.front.client(token or await self.front.admin_token()) as client:
            answer = await client.post(f"/api/services/{ref}/share", json=wanted)
        assert answer.status_code == 201, answer.text
        await self.settle()
        row: dict[str, Any] = answer.json()
        return row

    async def settle(self) -> None:
        """Let agents start."""
        async with asyncio.timeout(10):
            await self.keeper.settled()

    async def ask(
        self, name: str, *lines: str, path: str = "/", host: str | None = None, method: str = "GET", close: bool = True
    ) -> bytes:
        """One request of a visitor of the tunnel `name`; the whole answer."""
        sock = await self.agents[name].visit()
        reader, writer = await asyncio.open_connection(sock=sock)
        head = [f"{method} {path} HTTP/1.1", f"Host: {host or f'{name}.{ROOT}:8443'}", *lines]
        head += ["Connection: close"] if close else []
        head += ["", ""]
        writer.write("\r\n".join(head).encode())
        try:
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()

    async def person(self, name: str, role: Role = Role.USER, **values: Any) -> str:
        """The token of a new person's session."""
        return await self.front.add_user(name, role, **values)


@pytest.fixture
async def house(sqlite_database: Database, tmp_path: Path) -> AsyncIterator[House]:
    sealer = Sealer(tmp_path / "keys")
    sealer.load()
    house: list[House] = []
    async with open_door(sqlite_database, tmp_path, lambda _: [router(_Late(house))]) as front:  # type: ignore[arg-type]
        made = House(front, Routes(), sealer, OutboundGuard(["127.0.0.0/8"]))
        made.build()
        house.append(made)
        await made.shares.open()
        yield made
        await made.shares.close()


class _Late:
    """The routes are made before what they call."""

    def __init__(self, house: list[House]) -> None:
        self._house = house

    def __getattr__(self, name: str) -> Any:
        return getattr(self._house[0].shares, name)
