"""Networks that an administrator opens to users while the portal runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest

from homeport.identity import Role
from homeport.kit.guard import DestinationRefused, OutboundGuard
from homeport.storage import Database, Options
from homeport.testing.clock import ManualClock
from homeport.testing.door import Door, open_door
from homeport.web import outbound
from homeport.web.outbound import Outbound

PATH = "/api/settings/outbound"


class Opened:
    """A door with the outbound settings behind it, and the guard that they turn."""

    def __init__(self, door: Door, guard: OutboundGuard, outbound_: Outbound) -> None:
        self.door = door
        self.guard = guard
        self.outbound = outbound_

    async def put(self, *allow: object, token: str | None = None) -> httpx.Response:
        async with self.door.client(token or await self.door.admin_token()) as client:
            return await client.put(PATH, json={"allow": list(allow)})

    async def reaches(self, address: str) -> bool:
        try:
            await self.guard.resolve(address, 443)
        except DestinationRefused:
            return False
        return True


@pytest.fixture
async def opened(database: Database, tmp_path: Path) -> AsyncIterator[Opened]:
    guard = OutboundGuard(["10.1.0.0/16"])
    options = Options(database)
    await options.open()
    kept = Outbound(guard, options, ManualClock(), ["10.1.0.0/16"])
    async with open_door(database, tmp_path, lambda _: [outbound.routes(kept)]) as door:
        yield Opened(door, guard, kept)


async def test_an_opened_network_counts_at_once_and_a_closed_one_no_more(opened: Opened) -> None:
    assert not await opened.reaches("192.168.7.1")
    answer = await opened.put("192.168.7.0/24")
    assert answer.json() == {"allow": ["192.168.7.0/24"], "settings": ["10.1.0.0/16"], "warnings": []}
    assert await opened.reaches("192.168.7.1")
    assert not await opened.reaches("192.168.8.1")
    await opened.put()
    assert not await opened.reaches("192.168.7.1")


async def test_what_the_settings_open_stays_open(opened: Opened) -> None:
    await opened.put("192.168.7.0/24")
    assert await opened.reaches("10.1.2.3")
    await opened.put()
    assert await opened.reaches("10.1.2.3")


async def test_the_list_outlives_the_process(opened: Opened, database: Database) -> None:
    await opened.put("fd00::/8", "192.168.7.9/32")
    options = Options(database)
    await options.open()
    guard = OutboundGuard()
    Outbound(guard, options, ManualClock(), ()).open()
    assert await guard.resolve("192.168.7.9", 22) == ("192.168.7.9",)
    assert await guard.resolve("fd12::1", 22) == ("fd12::1",)


@pytest.mark.parametrize(
    "network",
    ["", "home", "192.168.1.1/24", "300.0.0.0/8", "10.0.0.0/33", "0.0.0.0/0", "::/0", "0.0.0.0/1", "c000::/2"],
)
async def test_what_is_no_network_or_half_the_world_is_refused_as_a_whole(opened: Opened, network: str) -> None:
    answer = await opened.put("192.168.7.0/24", network)
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"], list(body["details"]["fields"])) == (400, "validation_error", ["allow.1"])
    assert not await opened.reaches("192.168.7.1")


async def test_a_network_that_is_dangerous_to_open_is_opened_with_a_warning(opened: Opened) -> None:
    warnings = (await opened.put("127.0.0.0/8", "169.254.0.0/16", "10.0.0.0/8")).json()["warnings"]
    assert [warning.partition(" ")[0] for warning in warnings] == ["127.0.0.0/8", "169.254.0.0/16"]


@pytest.mark.parametrize("network", ["0.0.0.0/8", "::/16", "::ffff:127.0.0.1/128", "::ffff:169.254.169.254/128"])
async def test_another_spelling_of_a_dangerous_network_has_the_warning_too(opened: Opened, network: str) -> None:
    assert [one.partition(" ")[0] for one in (await opened.put(network)).json()["warnings"]][:1] == [
        str(ip_network(network))
    ]


async def test_a_network_is_listed_once(opened: Opened) -> None:
    assert (await opened.put("10.0.0.0/8", " 10.0.0.0/8")).json()["allow"] == ["10.0.0.0/8"]


async def test_only_administrators_see_and_change_the_list(opened: Opened) -> None:
    token = await opened.door.add_user("mod", Role.MODERATOR)
    assert (await opened.put("10.0.0.0/8", token=token)).status_code == 403
    async with opened.door.client(token) as client:
        assert (await client.get(PATH)).status_code == 403
    async with opened.door.client(await opened.door.admin_token()) as client:
        assert (await client.get(PATH)).json()["allow"] == []


async def test_the_audit_log_says_what_was_opened(opened: Opened) -> None:
    await opened.put("10.0.0.0/8")
    await opened.put("192.168.0.0/16")
    async with opened.door.client(await opened.door.admin_token()) as client:
        entries = (await client.get("/api/admin/audit-log", params={"action": "allow_outbound"})).json()["entries"]
    assert [entry["details"] for entry in entries] == [
        {"added": ["192.168.0.0/16"], "removed": ["10.0.0.0/8"]},
        {"added": ["10.0.0.0/8"], "removed": []},
    ]
