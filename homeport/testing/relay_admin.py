"""The relay's administration behind a test's front door: who may sign in by wallet, leases, visitors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import APIRouter

from homeport.identity import Identity
from homeport.relay import admin_http, status_http
from homeport.relay.challenges import Challenges
from homeport.relay.enforcement import Enforcement
from homeport.relay.identities import identity_of
from homeport.relay.lease import Lease, Traffic
from homeport.relay.leases import Leases
from homeport.relay.policy import Policy
from homeport.relay.registration import RegisterRequest
from homeport.relay.relay_identity import RelayIdentity
from homeport.relay.wallets import Wallets
from homeport.storage import Database
from homeport.testing.door import BASE_URL, Door
from homeport.testing.relay_door import ControlPlane, RelayDoor, open_relay_door
from homeport.wire.ethereum import address_of

ADMIN_WALLET = bytes([0x44]) * 32  # the settings list it
STRANGER = bytes([0x33]) * 32


class Visitor:
    """Somebody who is being served, and notes when the connection is cut."""

    def __init__(self, lease: Lease, address: str = "198.51.100.7") -> None:
        self.address = address
        self.is_cut = False
        self._lease = lease
        lease.bridges.add(self)

    def cut(self) -> None:
        self.is_cut = True
        self._lease.bridges.discard(self)


class AdminDoor:
    """Built by `open_admin_door`."""

    def __init__(self, relay: RelayDoor, wallets: Wallets, total: Traffic) -> None:
        self.relay = relay
        self.wallets = wallets
        self.total = total

    @property
    def door(self) -> Door:
        return self.relay.door

    @property
    def policy(self) -> Policy:
        return self.relay.plane.policy

    @property
    def leases(self) -> Leases:
        return self.relay.leases

    @property
    def own_wallet(self) -> RelayIdentity:
        return self.relay.plane.relay_identity

    async def lease(
        self, name: str = "shop", key: bytes = STRANGER, *, address: str = "203.0.113.5", **wanted: Any
    ) -> Lease:
        """A lease that was registered from `address`."""
        request = RegisterRequest(identity_of(name, address_of(key)), **wanted)
        return (await self.leases.register(request, address=address))[0]

    async def by_wallet(self, key: bytes = ADMIN_WALLET) -> httpx.AsyncClient:
        """A client that is signed in by its wallet and keeps the cookie, and is no browser."""
        client = self.door.client()
        asked = await client.post("/admin/auth/challenge", json={"address": address_of(key)})
        (await client.post("/admin/auth/login", json=self.relay.signed(asked, key))).raise_for_status()
        return client


@asynccontextmanager
async def open_admin_door(database: Database, folder: Path, **settings: Any) -> AsyncIterator[AdminDoor]:
    """A door with all of the relay's routes; nothing is decided and nothing registered."""
    made: list[tuple[Wallets, Traffic]] = []

    def routers(identity: Identity, plane: ControlPlane) -> Sequence[APIRouter]:
        challenges = Challenges(identity.clock, identity.settings.domain)
        listed = identity.settings.relay_wallets
        wallets = Wallets(listed, lambda: plane.relay_identity.address, challenges, identity.clock)
        total = Traffic()
        made.append((wallets, total))
        identity.wallet_of = wallets.actor_of
        Enforcement(plane.policy, plane.leases.all, plane.bus)
        given = (identity, plane.policy, wallets, plane.leases)
        return [*admin_http.routes(*given), status_http.routes(*given, base_url=lambda: BASE_URL, total=total)]

    own = {"relay_wallets": (address_of(ADMIN_WALLET),), **settings}
    async with open_relay_door(database, folder, routers, settings=own) as relay:
        yield AdminDoor(relay, *made[0])
