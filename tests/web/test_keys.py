"""The keys that seal, by the API: who may see and rotate them, and what is never told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homeport.identity import Role
from homeport.kit.sealing import KEY_FILE, Sealer, load_keys
from homeport.storage import Database, KeyRotation
from homeport.testing.clock import ManualClock
from homeport.testing.door import Door, open_door
from homeport.web import keys


@pytest.fixture
async def door(database: Database, tmp_path: Path) -> AsyncIterator[Door]:
    rotation = KeyRotation(database, Sealer(tmp_path / "keys"), ManualClock())
    async with open_door(database, tmp_path, lambda _: [keys.routes(rotation)]) as opened:
        yield opened


async def test_an_administrator_rotates_and_the_audit_log_says_so(door: Door, tmp_path: Path) -> None:
    async with door.client(await door.admin_token()) as client:
        first = (await client.get("/api/admin/keys")).json()["keys"]
        rotated = (await client.post("/api/admin/keys/rotate", json={"drop_old": True})).json()
        listed = (await client.get("/api/admin/keys")).json()["keys"]
        entries = (await client.get("/api/admin/audit-log", params={"action": "rotate_keys"})).json()["entries"]
    assert rotated["dropped"] == [first[0]["id"]]
    assert listed == [{"id": rotated["key"], "made_at": "2026-03-29T10:00:00Z", "current": True, "values": 0}]
    assert [(entry["target_id"], entry["result"]) for entry in entries] == [(rotated["key"], "done")]
    assert list(load_keys(tmp_path / "keys" / KEY_FILE)) == [rotated["key"]]


async def test_a_rotation_needs_no_body(door: Door) -> None:
    async with door.client(await door.admin_token()) as client:
        answer = await client.post("/api/admin/keys/rotate")
    assert (answer.status_code, answer.json()["dropped"]) == (200, [])


async def test_no_answer_and_no_record_holds_a_key(door: Door, tmp_path: Path) -> None:
    async with door.client(await door.admin_token()) as client:
        said = [
            (await client.get("/api/admin/keys")).text,
            (await client.post("/api/admin/keys/rotate")).text,
            (await client.get("/api/admin/audit-log")).text,
        ]
    for line in (tmp_path / "keys" / KEY_FILE).read_text().splitlines():
        assert not any(line.split()[1] in text for text in said)


async def test_nobody_below_administrators_sees_or_rotates(door: Door) -> None:
    async with door.client(await door.add_user("mod", Role.MODERATOR)) as client:
        assert (await client.get("/api/admin/keys")).status_code == 403
        assert (await client.post("/api/admin/keys/rotate")).status_code == 403
