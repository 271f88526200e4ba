"""The portal's own settings: its address in homeport.toml, permissions at once, limits to look at, no secret shown."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from homeport.identity import Role
from homeport.settings import Settings
from homeport.storage import Database
from homeport.testing.door import Door, open_door
from homeport.web import settings_http
from homeport.web.config_file import ConfigFile


@pytest.fixture
async def opened(database: Database, tmp_path: Path) -> AsyncIterator[Door]:
    settings = Settings(data_dir=tmp_path, redis_url="redis://:hunter2@cache/0", rate_limit_auth=3)
    (tmp_path / "homeport.toml").write_text('redis_url = "redis://:hunter2@cache/0"\nrate_limit_auth = 3\n')
    file = ConfigFile(tmp_path, lambda: settings)
    file.open()
    async with open_door(
        database, tmp_path, lambda identity: [settings_http.routes(settings, file, identity.options, identity.clock)]
    ) as door:
        yield door


@pytest.fixture
async def admin(opened: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with opened.client(await opened.admin_token()) as client:
        yield client


async def test_the_address_is_told(admin: httpx.AsyncClient) -> None:
    body = (await admin.get("/api/settings/hostname")).json()  # portal B4
    assert (body["hostname"], body["stream_hostname"], body["port"]) == ("localhost", "", 8443)
    assert body["restart_required"] is False


async def test_a_new_address_is_written_and_waits_for_a_restart(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    given = {"hostname": "Home.example.org", "stream_hostname": "live.example.org", "port": 443}
    body = (await admin.put("/api/settings/hostname", json=given)).json()  # portal B4
    assert body["restart_required"] is True
    assert (body["hostname"], body["port"]) == ("home.example.org", 443)
    file = tmp_path / "homeport.toml"
    written = tomllib.loads(file.read_text())
    assert written == {
        "redis_url": "redis://:hunter2@cache/0",
        "rate_limit_auth": 3,
        "domain": "home.example.org",
        "stream_domain": "live.example.org",
        "port": 443,
    }
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["", "a b", "-x", "x.", "x/y", 'x"', "x\ny", "höme", "a" * 254])
async def test_what_is_no_host_name_is_refused(admin: httpx.AsyncClient, tmp_path: Path, name: str) -> None:
    answer = await admin.put("/api/settings/hostname", json={"hostname": name})
    assert answer.status_code == 400
    assert "domain" not in tomllib.loads((tmp_path / "homeport.toml").read_text())


@pytest.mark.parametrize("port", [0, 65536])
async def test_what_is_no_port_is_refused(admin: httpx.AsyncClient, port: int) -> None:
    assert (await admin.put("/api/settings/hostname", json={"port": port})).status_code == 400


async def test_permissions_count_at_once(opened: Door, admin: httpx.AsyncClient) -> None:
    everything = {"allow_user_connections": True, "allow_user_streams": True, "allow_registration": True}
    assert (await admin.get("/api/settings/permissions")).json() == everything  # portal B4
    body = (await admin.put("/api/settings/permissions", json={"allow_registration": False})).json()
    assert body == {**everything, "allow_registration": False}
    assert opened.options.get("allow_registration") is False


async def test_limits_are_told(admin: httpx.AsyncClient) -> None:
    body = (await admin.get("/api/settings/rate-limits")).json()  # portal A17
    assert body == {"api": 60, "pages": 600, "auth": 3, "sockets_per_user": 10, "storage": "redis"}


async def test_all_settings_are_told_without_secrets(admin: httpx.AsyncClient) -> None:
    answer = await admin.get("/api/settings")
    rows = {row["name"]: row for row in answer.json()["settings"]}
    assert "hunter2" not in answer.text
    assert rows["redis_url"]["value"] == "**********"
    assert rows["rate_limit_auth"]["value"] == 3
    assert rows["rate_limit_auth"]["source"].endswith("homeport.toml")
    assert rows["port"]["source"] == "default"


async def test_settings_are_for_administrators(opened: Door) -> None:
    async with opened.client(await opened.add_user("mo", Role.MODERATOR)) as mo:
        for path in ("", "/hostname", "/permissions", "/rate-limits"):
            assert (await mo.get(f"/api/settings{path}")).status_code == 403
        assert (await mo.put("/api/settings/hostname", json={"port": 1})).status_code == 403
