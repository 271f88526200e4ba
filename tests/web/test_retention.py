"""Data retention: what an administrator sets, what a run lets go, and that it runs by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from homeport.identity import Identity, Role
from homeport.identity.models import Invite, Registration
from homeport.identity.retention import keepers
from homeport.kit.retention import Keeper, Rule
from homeport.storage import Database
from homeport.testing.door import Door, open_door
from homeport.web import retention_http
from homeport.web.retention import Retention

# portal B5
DEFAULTS = {
    "retention_chat_days": "7",
    "retention_dm_days": "30",
    "retention_notifications_days": "30",
    "retention_activity_max": "500",
    "retention_device_metrics_days": "14",
    "retention_audit_log_days": "90",
    "cleanup_interval_hours": "6",
    "auto_vacuum": "true",
}
RETENTION = "/api/admin/retention"


class Crumbs:
    """Keeps the newest of a number of things, and may break."""

    name = "chat"
    rule: Rule | None = Rule("retention_chat_days", "days", 7, 3650, "Crumbs.")

    def __init__(self) -> None:
        self.count = 10
        self.broken = False

    async def preview(self, kept: int) -> int:
        return max(0, self.count - kept)

    async def purge(self, kept: int) -> int:
        if self.broken:
            raise OperationalError("DELETE", None, ValueError("disk"))
        gone = await self.preview(kept)
        self.count -= gone
        return gone


class House:
    def __init__(self, door: Door, retention: Retention) -> None:
        self.door = door
        self.retention = retention


@asynccontextmanager
async def house(database: Database, folder: Path, *more: Keeper) -> AsyncIterator[House]:
    made: list[Retention] = []

    def routers(identity: Identity) -> Sequence[APIRouter]:
        all_of_them = [*keepers(database, identity.clock, identity.audit), *more]
        made.append(Retention(database, identity.options, identity.clock, identity.audit, all_of_them))
        return [retention_http.routes(made[0])]

    async with open_door(database, folder, routers) as door:
        yield House(door, made[0])


@pytest.fixture
async def opened(database: Database, tmp_path: Path) -> AsyncIterator[House]:
    async with house(database, tmp_path) as made:
        yield made


@pytest.fixture
async def admin(opened: House) -> AsyncIterator[httpx.AsyncClient]:
    async with opened.door.client(await opened.door.admin_token()) as client:
        yield client


async def test_every_documented_key_has_its_default(admin: httpx.AsyncClient) -> None:
    body = (await admin.get(RETENTION)).json()  # portal B5
    assert {key: body[key] for key in DEFAULTS} == DEFAULTS
    assert body["config"] == DEFAULTS
    assert body["last_run"] is None


async def test_a_change_is_kept_and_says_what_it_changed(admin: httpx.AsyncClient) -> None:
    given = {"retention_chat_days": 14, "retention_dm_days": "30", "auto_vacuum": "false"}  # portal B5
    body = (await admin.put(RETENTION, json=given)).json()
    assert body["updated"] == ["retention_chat_days", "auto_vacuum"]
    assert body["config"] == {**DEFAULTS, "retention_chat_days": "14", "auto_vacuum": "false"}
    assert (await admin.get(RETENTION)).json()["auto_vacuum"] == "false"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("retention_chat_days", 3651),
        ("retention_chat_days", -1),
        ("retention_device_metrics_days", "366"),
        ("retention_activity_max", "many"),
        ("cleanup_interval_hours", 0),
        ("cleanup_interval_hours", 169),
        ("auto_vacuum", "perhaps"),
        ("retention_everything_days", 1),
    ],
)
async def test_what_does_not_fit_changes_nothing(admin: httpx.AsyncClient, key: str, value: object) -> None:
    answer = await admin.put(RETENTION, json={"retention_dm_days": 5, key: value})
    assert answer.status_code == 400
    assert list(answer.json()["details"]["fields"]) == [key]
    assert (await admin.get(RETENTION)).json()["config"] == DEFAULTS


async def test_only_a_superadmin_changes_or_runs_it(opened: House) -> None:
    token = await opened.door.add_user("ada", Role.ADMIN)
    async with opened.door.client(token) as ada:
        assert (await ada.get(RETENTION)).status_code == 200
        assert (await ada.get(f"{RETENTION}/preview")).status_code == 200
        assert (await ada.put(RETENTION, json={"retention_dm_days": 5})).status_code == 403
        assert (await ada.post(f"{RETENTION}/run")).status_code == 403


async def test_a_moderator_does_not_see_it(opened: House) -> None:
    async with opened.door.client(await opened.door.add_user("mo", Role.MODERATOR)) as mo:
        assert (await mo.get(RETENTION)).status_code == 403


async def test_a_run_deletes_what_the_preview_said(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path, Crumbs()) as made, made.door.client(await made.door.admin_token()) as admin:
        preview = (await admin.get(f"{RETENTION}/preview")).json()
        assert preview["preview"]["chat"] == preview["total"] == 3
        done = (await admin.post(f"{RETENTION}/run")).json()  # portal B5
        assert (done["cleanup_complete"], done["deleted"]["chat"], done["errors"]) == (True, 3, [])
        assert (await admin.get(f"{RETENTION}/preview")).json()["total"] == 0
        assert (await admin.get(RETENTION)).json()["last_run"]["deleted"]["chat"] == 3


async def test_what_no_part_keeps_yet_is_counted_as_nothing(admin: httpx.AsyncClient) -> None:
    deleted = (await admin.post(f"{RETENTION}/run")).json()["deleted"]
    assert [deleted[name] for name in ("chat", "dms", "notifications", "activity", "device_metrics")] == [0] * 5


async def test_one_that_fails_does_not_stop_the_others(database: Database, tmp_path: Path) -> None:
    crumbs = Crumbs()
    crumbs.broken = True
    async with house(database, tmp_path, crumbs) as made, made.door.client(await made.door.admin_token()) as admin:
        await invite(database, made.door, ended_days_ago=31)
        done = (await admin.post(f"{RETENTION}/run")).json()
        assert not done["cleanup_complete"]
        assert done["errors"] == ["chat: the database refused (OperationalError)."]
        assert done["deleted"]["invite_codes"] == 1


async def test_old_audit_records_go_and_the_rest_stays_verifiable(opened: House, admin: httpx.AsyncClient) -> None:
    for _ in range(3):
        await admin.put(RETENTION, json={"retention_dm_days": 5})
    opened.door.clock.advance(timedelta(days=91).total_seconds())
    token = await opened.door.admin_token()
    async with opened.door.client(token) as later:
        await later.put(RETENTION, json={"retention_dm_days": 6})
        before = (await opened.door.identity.audit.verify()).records
        gone = (await later.post(f"{RETENTION}/run")).json()["deleted"]["audit_log"]
        assert gone == 3
        verdict = await opened.door.identity.audit.verify()
        assert verdict.intact
        assert verdict.records == before - gone + 1  # the run itself is one


async def test_all_audit_records_may_be_old(opened: House, admin: httpx.AsyncClient) -> None:
    await admin.put(RETENTION, json={"retention_dm_days": 5})
    opened.door.clock.advance(timedelta(days=91).total_seconds())
    assert (await opened.retention.clean()).deleted["audit_log"] == 1
    assert (await opened.door.identity.audit.verify()).intact


async def test_the_activity_feed_ends_where_it_is_said(admin: httpx.AsyncClient) -> None:
    for days in range(5):
        await admin.put(RETENTION, json={"retention_dm_days": days})
    await admin.put(RETENTION, json={"retention_activity_max": 3})
    body = (await admin.get("/api/activity")).json()
    assert (len(body["activities"]), body["total"]) == (3, 3)
    assert len((await admin.get("/api/activity", params={"offset": 2})).json()["activities"]) == 1
    await admin.put(RETENTION, json={"retention_activity_max": 0})
    assert (await admin.get("/api/activity")).json() == {"activities": [], "total": 0}


async def test_zero_days_keep_audit_records_for_ever(opened: House, admin: httpx.AsyncClient) -> None:
    await admin.put(RETENTION, json={"retention_audit_log_days": 0})
    opened.door.clock.advance(timedelta(days=5000).total_seconds())
    assert (await opened.retention.preview())["audit_log"] == 0
    assert (await opened.retention.clean()).deleted["audit_log"] == 0


async def invite(database: Database, door: Door, *, ended_days_ago: int) -> int:
    now = door.clock.now()
    row = Invite(
        code=f"code-{ended_days_ago}",
        type="timed",
        label="",
        role="user",
        created_at=now - timedelta(days=40),
        revoked_at=now - timedelta(days=ended_days_ago),
        uses=1,
    )
    async with database.write() as db:
        db.add(row)
        await db.flush()
        came = Registration(
            invite_id=row.id, user_id="usr_x", username="xenia", network="192.0.2.0/24", created_at=row.created_at
        )
        db.add(came)
        return row.id


async def test_an_invite_goes_thirty_days_after_its_end(opened: House, database: Database) -> None:
    await invite(database, opened.door, ended_days_ago=31)
    kept = await invite(database, opened.door, ended_days_ago=29)
    assert (await opened.retention.clean()).deleted["invite_codes"] == 1
    async with database.read() as db:
        assert (await db.scalars(select(Invite.id))).all() == [kept]


async def test_where_somebody_registered_from_is_forgotten_and_who_came_is_not(
    opened: House, database: Database
) -> None:
    kept = await invite(database, opened.door, ended_days_ago=1)
    assert (await opened.retention.clean()).deleted["registrations"] == 1
    async with database.read() as db:
        rows = (await db.scalars(select(Registration))).all()
    assert [(row.invite_id, row.username, row.network) for row in rows] == [(kept, "xenia", "")]
    assert (await opened.retention.preview())["registrations"] == 0


async def test_keys_and_sessions_that_are_over_go(opened: House, admin: httpx.AsyncClient) -> None:
    key = (await admin.post("/api/auth/api-keys", json={"name": "old"})).json()
    await admin.post(f"/api/api-keys/{key['id']}/revoke")
    opened.door.clock.advance(timedelta(days=31).total_seconds())
    deleted = (await opened.retention.clean()).deleted
    assert (deleted["tokens"], deleted["api_keys"]) == (1, 1)


async def test_it_runs_by_itself_and_again_after_the_interval(database: Database, tmp_path: Path) -> None:
    crumbs = Crumbs()
    async with house(database, tmp_path, crumbs) as made:
        began = made.door.clock.now()
        task = asyncio.create_task(made.retention.run())
        try:
            await acts(made.door, 1)
            assert crumbs.count == 7
            crumbs.count = 9
            await acts(made.door, 2)
        finally:
            task.cancel()
        assert crumbs.count == 7
        assert made.door.clock.now() - began >= timedelta(hours=6)


async def acts(door: Door, count: int) -> None:
    """Wait until so many are in the audit log."""
    for _ in range(3000):
        if (await door.identity.audit.verify()).records >= count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"there are no {count} acts")
