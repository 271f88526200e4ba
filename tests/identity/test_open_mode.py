"""A portal without sign-in: who is let in, who is not, and what is left of it afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from homeport.identity import COOKIE, Role
from homeport.settings import Settings, SettingsInvalid, load
from homeport.storage import Database
from homeport.testing.door import BASE_URL, Door, open_door


@pytest.fixture
async def open_portal(database: Database, tmp_path: Path) -> AsyncIterator[Door]:
    """On each database in turn."""
    async with open_door(database, tmp_path, settings={"open": True}) as door:
        yield door


def client_from(door: Door, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=door.app, client=(address, 40000))
    return httpx.AsyncClient(transport=transport, base_url=BASE_URL)


async def test_whoever_brings_nothing_is_the_developer_who_may_everything(open_portal: Door) -> None:
    """fleet H.1: in the reference product's development mode each guarded route answers 401."""
    async with open_portal.client() as client:
        me = (await client.get("/api/auth/me")).json()
        assert (me["username"], me["rank"], me["roles"][0]) == ("developer", "superadmin", "admin")
        assert (await client.get("/api/users")).status_code == 200
        assert (await client.post("/api/plans", json={"name": "tiny"})).status_code in {200, 201, 422}
        assert (await client.get("/api/me")).json()["username"] == "developer"


async def test_a_socket_is_open_to_the_developer_too(open_portal: Door) -> None:
    async with open_portal.listen() as address, connect(f"ws://{address}/api/live", close_timeout=1) as socket:
        assert "hello" in str(await asyncio.wait_for(socket.recv(), 5))


async def test_config_says_that_nobody_signs_in(open_portal: Door) -> None:
    """fleet C.2: false, and the last three null."""
    async with open_portal.client() as client:
        config = (await client.get("/api/config")).json()
    assert config["auth_enabled"] is False
    assert [config[f"keycloak_{name}"] for name in ("url", "realm", "client_id")] == [None, None, None]
    assert (config["oidc"]["enabled"], config["registration"]["enabled"], config["passkeys"]) == (False, False, False)


async def test_signing_in_and_refreshing_answer_503(open_portal: Door) -> None:
    """fleet C.2, G.5"""
    async with open_portal.client() as client:
        for path, body in (
            ("login", {"username": "admin", "password": open_portal.password}),
            ("refresh", {"refresh_token": "x"}),
        ):
            answer = await client.post(f"/api/auth/{path}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (503, "authentication_off")
        assert (await client.get("/api/auth/oidc/login")).status_code == 503
        assert (await client.post("/api/auth/logout")).json()["success"] is False


async def test_a_credential_that_is_brought_has_to_be_good(open_portal: Door) -> None:
    async with open_portal.client("nonsense") as client:
        assert (await client.get("/api/auth/me")).status_code == 401
    token = await open_portal.add_user("ann", Role.USER)
    async with open_portal.client(token) as client:
        assert (await client.get("/api/auth/me")).json()["username"] == "ann"
    async with open_portal.client() as client:  # a browser's cookie from before the portal was open
        me = await client.get("/api/auth/me", headers={"cookie": f"{COOKIE}=old"})
        assert me.json()["username"] == "developer"


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "rebound.example:8443"},
        {"host": "192.0.2.7:8443"},
        {"host": "localhost.evil.example"},
        {"host": ""},
        {"x-forwarded-for": "203.0.113.9"},
        {"forwarded": "for=203.0.113.9"},
        {"x-real-ip": "203.0.113.9"},
        {"cf-connecting-ip": "203.0.113.9"},
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=str,
)
async def test_what_a_strange_page_or_proxy_sends_is_refused(open_portal: Door, headers: dict[str, str]) -> None:
    async with open_portal.client() as client:
        for method, path in (("GET", "/api/users"), ("POST", "/api/auth/api-keys")):
            answer = await client.request(method, path, headers=headers, json={"name": "x"})
            assert (answer.status_code, answer.json()["code"]) == (403, "open_mode_refused")


async def test_a_page_of_the_portal_itself_and_a_link_that_is_followed_are_fine(open_portal: Door) -> None:
    async with open_portal.client() as client:
        for host in ("localhost:8443", "127.0.0.1:8443", "[::1]:8443", "LOCALHOST"):
            page = {"host": host, "origin": f"https://{host}", "sec-fetch-site": "same-origin"}
            assert (await client.post("/api/auth/api-keys", json={"name": host}, headers=page)).status_code == 201
        link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
        assert (await client.get("/api/users", headers=link)).status_code == 200
        assert (await client.post("/api/auth/api-keys", json={"name": "x"}, headers=link)).status_code == 403


async def test_another_machine_is_refused(open_portal: Door) -> None:
    for address, status in (("192.0.2.9", 403), ("127.0.0.9", 200), ("::1", 200), ("::ffff:127.0.0.1", 200)):
        async with client_from(open_portal, address) as client:
            assert (await client.get("/api/auth/me")).status_code == status


async def test_a_strange_page_opens_no_socket(open_portal: Door) -> None:
    async with open_portal.listen() as address:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://{address}/api/live", origin=Origin("https://evil.example")).__aenter__()
    assert refused.value.response.status_code == 403


async def test_the_developer_is_without_power_once_the_portal_is_closed(database: Database, tmp_path: Path) -> None:
    async with open_door(database, tmp_path, settings={"open": True}) as door, door.client() as client:
        password = door.password
        key = (await client.post("/api/auth/api-keys", json={"name": "kept"})).json()["key"]
        assert (await client.get("/api/auth/me", headers={"authorization": f"Bearer {key}"})).status_code == 200
    async with open_door(database, tmp_path) as door:
        async with door.client() as client:
            assert (await client.get("/api/auth/me")).status_code == 401
            assert (await client.get("/api/auth/me", headers={"authorization": f"Bearer {key}"})).status_code == 401
        async with door.client(await door.sign_in("admin", password)) as admin:
            users = {user["username"]: user for user in (await admin.get("/api/users")).json()["users"]}
            developer = users["developer"]
            assert (developer["role"], developer["banned_at"] is None) == ("user", False)
            # Neither does taking the ban away bring anything back.
            assert (await admin.post(f"/api/users/{developer['id']}/unban")).status_code == 200
            assert (await admin.get("/api/auth/me", headers={"authorization": f"Bearer {key}"})).status_code == 401
    async with open_door(database, tmp_path, settings={"open": True}) as door, door.client() as client:
        assert (await client.get("/api/auth/me")).json()["rank"] == "superadmin"


async def test_an_account_that_happens_to_be_called_developer_gets_nothing(database: Database, tmp_path: Path) -> None:
    async with open_door(database, tmp_path) as door:
        token = await door.add_user("developer", Role.USER)
    async with open_door(database, tmp_path, settings={"open": True}) as door:
        async with door.client(token) as client:
            assert (await client.get("/api/auth/me")).json()["rank"] == "user"
        async with door.client() as client:
            assert (await client.get("/api/auth/me")).json()["username"].startswith("developer-")


async def test_a_first_start_that_is_open_makes_the_administrator_too(open_portal: Door) -> None:
    assert open_portal.password
    async with open_portal.client() as client:
        assert (await client.get("/api/onboarding/status")).json()["status"] == "COMPLETE"


@pytest.mark.parametrize("bind", ["0.0.0.0", "192.168.1.5", "::", "home.example"])
def test_an_open_portal_that_the_network_could_reach_does_not_start(bind: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"open .*only listens on this machine: bind 127\.0\.0\.1"):
        load({"open": True, "bind": bind, "data_dir": tmp_path}, {})
    for loopback in ("127.0.0.1", "::1", "localhost"):
        assert Settings(open=True, bind=loopback, data_dir=tmp_path).open
