"""Relays that ask and tell each other over TLS, each on a port of loopback under a public-looking name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from homeport.kit.clock import SystemClock
from homeport.kit.guard import OutboundGuard
from homeport.relay import Authority, Ingress, TlsHandler
from homeport.relay.discovery import Discovery
from homeport.relay.discovery import discovery as module
from homeport.relay.discovery.http import routes
from homeport.relay.policy import Policy
from homeport.relay.relay_identity import RelayIdentity
from homeport.settings import Settings
from homeport.storage import Database, Options
from homeport.testing.door import NO_LIMITS, Door, open_door
from homeport.testing.waiting import eventually
from homeport.web import PortalServer
from homeport.wire.ethereum import address_of
from homeport.wire.relay_descriptor import SECOND, Descriptor, read

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def loopback(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@dataclass
class Node:
    """One relay that can be asked."""

    discovery: Discovery
    policy: Policy
    settings: Settings
    door: Door
    traffic: list[int]

    def known(self) -> set[str]:
        return {each.host for each in self.discovery.descriptors()}


@asynccontextmanager
async def node(
    database: Database, folder: Path, name: str, authority: Authority, bootstraps: Sequence[str] = (), **more: Any
) -> AsyncIterator[Node]:
    clock, traffic = SystemClock(), [0, 0]
    settings = Settings(
        data_dir=folder / name,
        domain=name,
        relay_discovery=True,
        relay_bootstraps=tuple(bootstraps),
        relay_ca_file=authority.ca_path,
        **{**NO_LIMITS, **more},
    )
    current = [settings]
    policy = Policy(database, settings, Options(database), clock)
    discovery = Discovery(
        database,
        lambda: current[0],
        clock,
        OutboundGuard(["127.0.0.0/8"], loopback),
        RelayIdentity(settings.data_dir, name),
        lambda: (traffic[0], traffic[1]),
    )
    async with open_door(
        database, folder / name, lambda _: [routes(discovery, policy, clock)], administrator=False
    ) as door:
        server = PortalServer(door.app)
        ingress = Ingress(lambda _: TlsHandler(authority.context_for, server.protocol))
        port = await ingress.open("127.0.0.1", 0)
        current[0] = settings.model_copy(update={"port": port})
        await discovery.open()
        try:
            yield Node(discovery, policy, current[0], door, traffic)
        finally:
            await discovery.close()
            await ingress.close(1)
            await server.close(1)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "ca", SystemClock(), domain="example.org", known=lambda _: True)
    made.open()
    return made


async def test_relays_find_each_other_by_one_that_all_know(
    database: Database, tmp_path: Path, authority: Authority
) -> None:  # relay G.5
    async with AsyncExitStack() as stack:
        boot = await stack.enter_async_context(node(database, tmp_path, "boot.example.org", authority))
        others = [
            await stack.enter_async_context(
                node(database, tmp_path, f"{name}.example.org", authority, [boot.settings.base_url])
            )
            for name in ("one", "two")
        ]
        for each in (*others, *others):
            await each.discovery.round()
        everybody = {"boot.example.org", "one.example.org", "two.example.org"}
        assert boot.known() == everybody
        assert others[0].known() == everybody
        passed_on = [dict(each.raw) for each in others[0].discovery.descriptors() if each.host == "two.example.org"]
        assert passed_on[0]["signature"] in {each.signature for each in boot.discovery.descriptors()}


async def test_a_relay_that_is_not_there_hurts_nobody(database: Database, tmp_path: Path, authority: Authority) -> None:
    async with node(
        database, tmp_path, "one.example.org", authority, ["https://gone.example.org:9", "https://gone.example.org:10"]
    ) as alone:
        await asyncio.wait_for(alone.discovery.round(), 20)
        assert alone.known() == {"one.example.org"}


async def test_peers_are_known_again_after_a_restart(database: Database, tmp_path: Path, authority: Authority) -> None:
    async with node(database, tmp_path, "one.example.org", authority) as one:
        one.discovery.announced(dict(stranger().raw), "7")
        await one.discovery.save()
    async with node(database, tmp_path, "one.example.org", authority) as again:
        assert again.known() == {"one.example.org", "stranger.example.net"}


def stranger(key: bytes = b"\x33" * 32, url: str = "https://stranger.example.net") -> Descriptor:
    now = int(SystemClock().now().timestamp()) * SECOND + 123_456_789
    return Descriptor(address_of(key), "7", now, now + 300 * SECOND, url).signed(key)


async def test_the_descriptors_are_given_in_the_envelope(
    database: Database, tmp_path: Path, authority: Authority
) -> None:  # R27, relay G.2
    async with node(database, tmp_path, "one.example.org", authority) as one, one.door.client() as client:
        one.discovery.announced(dict(stranger().raw), "")
        body = (await client.get("/discovery")).json()
        assert body["ok"] is True
        assert body["data"]["protocol_version"] == "7"
        own, other = body["data"]["relays"]
        assert own["api_https_addr"] == one.settings.base_url
        assert own["supports_tcp"] is own["supports_udp"] is True
        assert "supports_overlay" not in own
        read(own).verify()
        assert other == dict(stranger_as_sent(other).raw)
        assert (await client.post("/discovery")).json()["error"]["code"] == "method_not_allowed"


def stranger_as_sent(value: dict[str, Any]) -> Descriptor:
    found = read(value)
    found.verify()  # every digit of its times has come through
    return found


async def test_asking_often_does_not_distort_what_is_told(
    database: Database, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:  # relay L.17
    monkeypatch.setattr(module, "SAMPLED_SECONDS", 0.5)
    monkeypatch.setattr(module, "FRESH", 0)
    async with node(database, tmp_path, "one.example.org", authority) as one:
        running = asyncio.create_task(one.discovery.run())
        await asyncio.sleep(0.1)
        one.traffic[:] = [1_000_000, 4]
        told: list[float] = []

        def is_told() -> bool:
            own = one.discovery.own()  # each question signs a new one
            assert own.connections == 4
            told.append(own.bps)
            return own.bps > 0

        assert not any(is_told() for _ in range(10))  # before the next sample
        await eventually(is_told)
        assert told[-1] > 100_000
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_an_announcement_is_taken(
    database: Database, tmp_path: Path, authority: Authority
) -> None:  # R28, relay G.4
    async with node(database, tmp_path, "one.example.org", authority) as one, one.door.client() as client:
        answer = await announce(client, dict(stranger().raw), "7")
        assert answer.status_code == 202
        assert answer.json() == {"ok": True, "data": {"protocol_version": "7", "accepted": True}}
        assert "stranger.example.net" in one.known()


async def announce(client: httpx.AsyncClient, descriptor: Any, version: str | None = None) -> httpx.Response:
    given = {"descriptor": descriptor} | ({} if version is None else {"protocol_version": version})
    return await client.post("/discovery/announce", content=json.dumps(given))


async def test_bad_announcements_are_refused(
    database: Database, tmp_path: Path, authority: Authority
) -> None:  # R28, relay G.4
    async with node(database, tmp_path, "one.example.org", authority) as one, one.door.client() as client:
        good = dict(stranger().raw)
        for descriptor, version, code in (
            (good, "5", "invalid_request"),
            ({**good, "active_connections": 7}, None, "invalid_request"),
            (None, None, "invalid_request"),
            (dict(stranger(url="https://localhost:1").raw), None, "invalid_request"),
        ):
            answer = await announce(client, descriptor, version)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
        broken = await client.post("/discovery/announce", content=b"{")
        assert (broken.status_code, broken.json()["error"]["code"]) == (400, "invalid_json")
        assert one.known() == {"one.example.org"}


async def test_a_flood_of_announcements_is_slowed_down(
    database: Database, tmp_path: Path, authority: Authority
) -> None:  # R28, relay G.4
    async with node(database, tmp_path, "one.example.org", authority) as one, one.door.client() as client:
        answers = [await announce(client, {}) for _ in range(11)]
        assert {answer.status_code for answer in answers[:10]} == {400}
        assert (answers[10].status_code, answers[10].json()["error"]["code"]) == (429, "rate_limited")
        assert int(answers[10].headers["retry-after"]) >= 1


async def test_a_banned_address_announces_nothing(
    database: Database, tmp_path: Path, authority: Authority
) -> None:  # R28
    async with node(database, tmp_path, "one.example.org", authority) as one, one.door.client() as client:
        await one.policy.ban_network("127.0.0.1")
        answer = await announce(client, dict(stranger().raw))
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "ip_banned")


async def test_without_discovery_there_is_nothing(
    database: Database, tmp_path: Path, authority: Authority
) -> None:  # R27, R28
    async with node(database, tmp_path, "one.example.org", authority) as one, one.door.client() as client:
        one.discovery.enabled = False
        for answer in (await client.get("/discovery"), await announce(client, {})):
            assert answer.status_code == 404
            assert answer.headers["content-type"].startswith("text/plain")


async def test_a_relay_that_tells_of_many_has_few_of_them_looked_at_in_a_round(
    database: Database, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:  # each signature costs a tenth of a millisecond, and whoever announces itself is asked
    async with AsyncExitStack() as stack:
        boot = await stack.enter_async_context(node(database, tmp_path, "boot.example.org", authority))
        one = await stack.enter_async_context(
            node(database, tmp_path, "one.example.org", authority, [boot.settings.base_url])
        )
        now = boot.discovery.own().issued_ns
        told = [
            Descriptor(
                address_of(bytes([number + 1]) * 32), "7", now, now + 300 * SECOND, f"https://r{number}.example.com"
            ).signed(bytes([number + 1]) * 32)
            for number in range(200)
        ]
        monkeypatch.setattr(boot.discovery, "descriptors", lambda: [*told, boot.discovery.own()])
        await one.discovery.round()
        first = one.known()
        assert "boot.example.org" in first
        assert len(first) <= 2 + module.MOST_NEW
        await one.discovery.round()
        assert len(one.known() - first) >= module.MOST_NEW - 1  # the others in their turn
