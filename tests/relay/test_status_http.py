"""What the portal's pages ask of the relay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from homeport.storage import Database
from homeport.testing.relay_admin import ADMIN_WALLET, AdminDoor, Visitor, open_admin_door
from homeport.wire.ethereum import address_of


@pytest.fixture
async def relay(database: Database, tmp_path: Path) -> AsyncIterator[AdminDoor]:
    async with open_admin_door(database, tmp_path) as relay:
        yield relay


@pytest.fixture
async def admin(relay: AdminDoor) -> AsyncIterator[httpx.AsyncClient]:
    async with relay.door.client(await relay.door.admin_token()) as client:
        yield client


async def test_it_says_how_the_relay_stands(relay: AdminDoor, admin: httpx.AsyncClient) -> None:
    lease = await relay.lease(udp_enabled=True)
    Visitor(lease)
    relay.total.received = 7
    await relay.policy.set_approval_mode("manual")
    await relay.policy.ban_network("10.0.0.0/8")
    await relay.policy.set_bps("blog:0x00", 5000)

    status = (await admin.get("/api/relay")).json()

    own = relay.own_wallet.address
    assert (status["domain"], status["url"], status["address"]) == ("localhost", "https://localhost:8443", own)
    assert status["wallets"] == [own, address_of(ADMIN_WALLET)]
    assert status["protocol_version"] == "7"
    assert status["approval_mode"] == "manual"
    assert status["udp"] == {"configured": True, "enabled": True, "max_leases": 0, "taken": 1}
    assert status["tcp_port"]["taken"] == 0
    assert status["banned_networks"] == ["10.0.0.0/8"]
    assert status["counts"] == {
        "tunnels": 1, "ready": 0, "waiting": 1, "open": 0, "connections": 0, "received_bytes": 7, "sent_bytes": 0,
    }  # fmt: skip
    (decided,) = status["identities"]
    assert (decided["name"], decided["address"], decided["bps"]) == ("blog", "0x00", 5000)


async def test_it_lists_every_tunnel_with_its_traffic(relay: AdminDoor, admin: httpx.AsyncClient) -> None:
    lease = await relay.lease()
    lease.traffic.received, lease.traffic.sent, lease.traffic.connections = 10, 20, 3
    Visitor(lease)

    answer = (await admin.get("/api/relay/tunnels")).json()

    assert answer["total"] == 1
    (row,) = answer["tunnels"]
    assert (row["received_bytes"], row["sent_bytes"], row["connections"], row["open"]) == (10, 20, 3, 1)
    assert row["hostname"] == row["Hostname"] == "shop.localhost"


async def test_nobody_else_is_told(relay: AdminDoor) -> None:
    async with relay.door.client() as anybody:
        for path in ("/api/relay", "/api/relay/tunnels"):
            assert (await anybody.get(path)).status_code == 401
