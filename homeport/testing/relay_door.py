"""A portal's front door with the relay's control plane behind it: leases, policy and challenges, on ports of air."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import APIRouter

from homeport.identity import Identity
from homeport.kit.bus import Bus
from homeport.kit.clock import Clock
from homeport.relay import http as relay_http
from homeport.relay.challenges import Challenges
from homeport.relay.lease import Lease
from homeport.relay.leases import Leases, Surroundings
from homeport.relay.policy import Policy
from homeport.relay.relay_identity import RelayIdentity
from homeport.relay.tokens import LeaseTokens
from homeport.settings import Settings
from homeport.storage import Database, Options
from homeport.testing.door import BASE_URL, Door, open_door
from homeport.wire.ethereum import address_of, sign_message

WALLET = bytes([0x11]) * 32  # of the digest's vectors
OTHER_WALLET = bytes([0x22]) * 32


class AirPorts:
    """Ports that nobody can connect to: which lease listens where. `taken` are refused, as if others had them."""

    def __init__(self) -> None:
        self.configured = True
        self.taken: set[int] = set()
        self.listening: dict[str, int] = {}

    async def open(self, lease: Lease, port: int) -> None:
        if port in self.taken or port in self.listening.values():
            raise OSError(errno.EADDRINUSE, "Address already in use")
        self.listening[lease.id] = port

    async def close(self, lease: Lease) -> None:
        self.listening.pop(lease.id, None)


class CountedSessions:
    """Reverse sessions that are a number."""

    def __init__(self) -> None:
        self.ready = 0
        self.closed = False

    def close(self) -> None:
        self.ready, self.closed = 0, True

    def dismiss(self) -> None:
        self.ready = 0


class ControlPlane:
    """The relay without its data plane, built as a portal builds it. `apps` are the labels that apps have."""

    def __init__(self, database: Database, settings: Settings, options: Options, clock: Clock, bus: Bus) -> None:
        self.database = database
        self.settings = settings
        self.clock = clock
        self.bus = bus
        self.tcp = AirPorts()
        self.udp = AirPorts()
        self.apps: set[str] = set()
        self.relay_identity = RelayIdentity(settings.data_dir, settings.domain)
        self.policy = Policy(database, settings, options, clock)
        self.tokens = LeaseTokens(self.relay_identity, clock, lambda: BASE_URL)
        self.challenges = Challenges(clock, settings.domain)
        self.leases = self.another()

    def another(self) -> Leases:
        """Leases as after a restart: what is on disk, and nothing in memory."""
        around = Surroundings(lambda _lease: CountedSessions(), self.tcp, self.udp, lambda label: label in self.apps)
        return Leases(
            self.database, self.settings, self.clock, self.bus,
            policy=self.policy, tokens=self.tokens, surroundings=around,
        )  # fmt: skip


class RelayDoor:
    """Built by `open_relay_door`; the parts are those of `plane`."""

    def __init__(self, door: Door, plane: ControlPlane) -> None:
        self.door = door
        self.plane = plane
        self.leases = plane.leases

    async def ask(
        self, name: str = "demo", wallet: bytes = WALLET, *, client: httpx.AsyncClient | None = None, **more: Any
    ) -> httpx.Response:
        """The answer to a request for a challenge."""
        body = {"identity": {"name": name, "address": address_of(wallet)}, **more}
        return await self.post("/sdk/register/challenge", body, client=client)

    async def register(
        self, name: str = "demo", wallet: bytes = WALLET, *, client: httpx.AsyncClient | None = None, **more: Any
    ) -> httpx.Response:
        """The answer to a registration whose challenge went well."""
        asked = await self.ask(name, wallet, client=client, **more)
        assert asked.status_code == 201, asked.text
        return await self.post("/sdk/register", self.signed(asked, wallet), client=client)

    async def token(self, name: str = "demo", wallet: bytes = WALLET, **more: Any) -> str:
        """Of a new lease."""
        answer = await self.register(name, wallet, **more)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"]["access_token"])

    @staticmethod
    def signed(asked: httpx.Response, wallet: bytes = WALLET) -> dict[str, Any]:
        """The body that answers a challenge."""
        data = asked.json()["data"]
        message = data["siwe_message"]
        return {
            "challenge_id": data["challenge_id"],
            "siwe_message": message,
            "siwe_signature": sign_message(wallet, message),
        }

    async def post(self, path: str, body: Any, *, client: httpx.AsyncClient | None = None) -> httpx.Response:
        """As an agent would; `client` is another one's."""
        if client is not None:
            return await client.post(path, json=body)
        async with self.door.client() as own:
            return await own.post(path, json=body)

    async def get(self, path: str, **more: Any) -> httpx.Response:
        async with self.door.client() as own:
            return await own.get(path, **more)


@asynccontextmanager
async def open_relay_door(
    database: Database,
    folder: Path,
    routers: Callable[[Identity, ControlPlane], Sequence[APIRouter]] = lambda _identity, _plane: (),
    *,
    administrator: bool = True,
    settings: Mapping[str, Any] | None = None,
) -> AsyncIterator[RelayDoor]:
    """A door with the relay's own routes and those of `routers`; tunnels wait for no approval unless it is set.

    Without an `administrator` it opens sooner, and nobody can sign in.
    """
    late: list[ControlPlane] = []

    def own(identity: Identity, door: Door) -> Sequence[APIRouter]:
        plane = ControlPlane(door.database, door.settings, door.options, door.clock, door.bus)
        late.append(plane)
        first = relay_http.routes(plane.leases, plane.policy, plane.challenges, identity, lambda: door.settings)
        return [first, *routers(identity, plane)]

    given = {"relay_approval": "auto", **(settings or {})}
    async with open_door(database, folder, administrator=administrator, settings=given, beside=own) as door:
        plane = late[0]
        await plane.policy.open()
        await plane.leases.load()
        yield RelayDoor(door, plane)
