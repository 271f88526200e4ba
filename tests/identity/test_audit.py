"""The audit log: one record an act, bound to the one before it; whatever is changed is found."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter
from sqlalchemy import delete, select, update
from structlog.testing import capture_logs

from homeport.identity import Role
from homeport.identity.access import Actor, Verb
from homeport.identity.audit import Act, AuditBroken, AuditLog
from homeport.identity.guard import require
from homeport.identity.models import AuditEnd, AuditRecord
from homeport.storage import Database
from homeport.testing.clock import ManualClock
from homeport.testing.door import Door, open_door

FLIPS = 10_000
RECORDS = 40

ANN = Actor("usr_1", "user", "ann", Role.USER, credential_id="ses_1", number=7)


@pytest.fixture
async def audit(database: Database, tmp_path: Path) -> AuditLog:
    log = AuditLog(database, ManualClock(), tmp_path / "keys")
    await log.open()
    return log


async def fill(audit: AuditLog, count: int) -> None:
    for number in range(count):
        details = {"name": f"thing {number}", "size": number} if number % 3 else {}
        await audit.append(
            Act(
                "create_thing",
                ANN,
                credential="ses_1",
                address="192.0.2.7",
                target_type="thing",
                target_id=f"thing-{number}",
                status=201,
                details=details,
                customer_id="cust_1" if number % 5 == 0 else None,
            )
        )


async def records(database: Database) -> list[AuditRecord]:
    async with database.read() as db:
        return list((await db.scalars(select(AuditRecord).order_by(AuditRecord.id))).all())


async def test_an_empty_log_is_intact(audit: AuditLog) -> None:
    verdict = await audit.verify()
    assert (verdict.intact, verdict.records) == (True, 0)


async def test_acts_that_come_together_are_all_kept_in_one_chain(audit: AuditLog, database: Database) -> None:
    await asyncio.gather(*(fill(audit, 5) for _ in range(20)))
    assert [record.id for record in await records(database)] == list(range(1, 101))
    assert await audit.verify() == type(await audit.verify())(100, ())


async def test_two_portals_on_one_database_write_one_chain(database: Database, tmp_path: Path, audit: AuditLog) -> None:
    other = AuditLog(database, ManualClock(), tmp_path / "keys")
    await other.open()
    await asyncio.gather(fill(audit, 10), fill(other, 10))
    verdict = await other.verify()
    assert (verdict.intact, verdict.records) == (True, 20)


async def test_ten_thousand_random_bit_flips_are_all_found(audit: AuditLog, database: Database) -> None:
    """Any bit of any column of any record."""
    await fill(audit, RECORDS)
    rows = await records(database)
    names = [column.name for column in AuditRecord.__table__.columns]
    dice = random.Random(4)
    missed = []
    for flip in range(FLIPS):
        row, name = dice.choice(rows), dice.choice(names)
        value = getattr(row, name)
        setattr(row, name, _flipped(value, dice))
        if not audit.check(0, bytes(32), rows):  # what verify() does with what it reads
            missed.append((flip, name, value))
        setattr(row, name, value)
    assert missed == []


def _flipped(value: object, dice: random.Random) -> object:
    if isinstance(value, int):
        return value ^ (1 << dice.randrange(31))
    raw = bytearray(value if isinstance(value, bytes) else str(value).encode())
    if not raw:
        return chr(1 << dice.randrange(7))
    raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
    return bytes(raw) if isinstance(value, bytes) else raw.decode("latin-1")


@pytest.mark.parametrize("column", [column.name for column in AuditRecord.__table__.columns if column.name != "id"])
async def test_a_change_of_any_column_in_the_database_is_found(
    audit: AuditLog, database: Database, column: str
) -> None:
    await fill(audit, 10)
    row = (await records(database))[4]
    dice = random.Random(column)
    async with database.write() as db:
        value = _flipped(getattr(row, column), dice)
        if isinstance(value, str):
            value = value.replace("\x00", "~")
        await db.execute(update(AuditRecord).where(AuditRecord.id == row.id).values({column: value}))
    verdict = await audit.verify()
    assert not verdict.intact
    assert "5" in verdict.problems[0] or "6" in verdict.problems[0]


@pytest.mark.parametrize("gone", [[1], [5], [10], [9, 10], list(range(1, 11))])
async def test_a_record_that_was_taken_out_is_missed_at_either_end_too(
    audit: AuditLog, database: Database, gone: list[int]
) -> None:
    await fill(audit, 10)
    async with database.write() as db:
        await db.execute(delete(AuditRecord).where(AuditRecord.id.in_(gone)))
    assert not (await audit.verify()).intact


async def test_a_changed_note_of_the_end_is_found_and_stops_writing(audit: AuditLog, database: Database) -> None:
    await fill(audit, 3)
    async with database.write() as db:
        await db.execute(delete(AuditRecord).where(AuditRecord.id == 3))
        await db.execute(update(AuditEnd).where(AuditEnd.name == "last").values(record_id=2))
    assert not (await audit.verify()).intact
    with pytest.raises(Exception, match="audit verify"):
        await fill(audit, 1)


async def test_a_log_written_with_another_key_is_not_intact(
    audit: AuditLog, database: Database, tmp_path: Path
) -> None:
    await fill(audit, 3)
    stranger = AuditLog(database, ManualClock(), tmp_path / "other-keys")
    await stranger.open()
    assert not (await stranger.verify()).intact


async def test_what_retention_dropped_is_not_missed(audit: AuditLog, database: Database) -> None:
    await fill(audit, 10)
    assert await audit.drop_before(7) == 6
    await fill(audit, 2)
    verdict = await audit.verify()
    assert (verdict.intact, verdict.records) == (True, 6)
    async with database.write() as db:
        await db.execute(delete(AuditRecord).where(AuditRecord.id == 7))
    assert not (await audit.verify()).intact


async def test_a_log_that_is_written_and_dropped_from_while_it_is_verified_is_intact(audit: AuditLog) -> None:
    await fill(audit, 20)

    async def go_on() -> None:
        for number in range(30):
            await fill(audit, 1)
            await audit.drop_before(number + 10)

    writing = asyncio.create_task(go_on())
    while not writing.done():
        assert (await audit.verify()).problems == ()
    await writing
    assert (await audit.verify()).records == 50 - 38


async def entries(client: httpx.AsyncClient, **query: str) -> list[dict[str, object]]:
    answer = await client.get("/api/admin/audit-log", params=query)
    assert answer.status_code == 200
    found: list[dict[str, object]] = answer.json()["entries"]
    return found


async def test_each_act_is_one_record_with_who_by_what_from_where_and_how_it_ended(door: Door) -> None:
    async with door.client(await door.admin_token()) as client:
        made = (await client.post("/api/api-keys", json={"name": "ci", "scopes": "services:read"})).json()
        await client.get("/api/api-keys")  # reading is no act
        await client.post(f"/api/api-keys/{made['id']}/revoke")
        await client.post("/api/api-keys/999/revoke")  # changed nothing
        found = await entries(client)
    assert [(one["action"], one["result"], one["status"]) for one in found] == [
        ("revoke_portal_key", "done", 200),
        ("create_portal_key", "done", 201),
    ]
    assert found[1]["target_id"] == made["key_id"]
    assert found[1]["details"] == {"name": "ci", "scopes": "services:read"}
    assert (found[1]["actor_username"], found[1]["actor_id"], found[1]["ip_address"]) == ("admin", 1, "127.0.0.1")
    assert str(found[1]["credential"]).startswith("ses_")
    assert made["api_key"] not in str(found)


async def test_a_sign_in_and_a_refused_one_are_acts_without_the_password(door: Door) -> None:
    async with door.client() as nobody:
        await nobody.post("/api/auth/login", json={"username": "admin", "password": "not-this-one"})
        await nobody.post("/api/auth/login", json={"username": "admin", "password": door.password})
    async with door.client(await door.admin_token()) as client:
        found = await entries(client, action="login")
    assert [(one["result"], one["target_id"], one["actor_username"]) for one in found] == [
        ("done", "admin", "admin"),
        ("refused", "admin", "anonymous"),
    ]
    assert "not-this-one" not in str(found)
    assert door.password not in str(found)


async def test_what_somebody_may_not_do_is_recorded_as_refused(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as ann:
        assert (await ann.post("/api/customers", json={"name": "x"})).status_code == 403
    async with door.client(await door.admin_token()) as client:
        found = await entries(client, result="refused")
    assert [(one["action"], one["actor_username"], one["status"]) for one in found] == [("create_customer", "ann", 403)]


async def test_activity_is_everybodys_for_administrators_and_ones_own_for_the_others(door: Door) -> None:  # P136
    ann_token = await door.add_user("ann", Role.USER)
    async with door.client(ann_token) as ann, door.client(await door.admin_token()) as admin:
        for client, name in ((ann, "a"), (admin, "b")):
            assert (await client.post("/api/api-keys", json={"name": name})).status_code == 201
        own = (await ann.get("/api/activity")).json()["activities"]
        everybodys = (await admin.get("/api/activity?limit=50")).json()["activities"]
        assert (await ann.get("/api/admin/audit-log")).status_code == 403
        assert (await ann.get("/api/activity?limit=0")).status_code == 400
    assert {one["username"] for one in own} == {"ann"}
    assert {one["username"] for one in everybodys} == {"ann", "admin"}
    assert set(own[0]) >= {"id", "user_id", "username", "action", "details", "created_at"}
    assert own[0]["details"].startswith("Create portal key key_")


async def test_the_log_is_verified_over_the_api(door: Door) -> None:
    async with door.client(await door.admin_token()) as client:
        await client.post("/api/api-keys", json={"name": "ci"})
        assert (await client.get("/api/admin/audit-log/verify")).json() == {
            "intact": True,
            "records": 1,
            "problems": [],
        }


async def test_an_act_that_is_asked_for_with_head_is_recorded_too(database: Database, tmp_path: Path) -> None:
    router = APIRouter()

    @router.get("/api/turn", dependencies=[require(Verb.ACCOUNT_SELF, changes=True)])
    async def turn() -> None:
        """An act behind a GET, as the end of a sign-in at a provider is."""

    async with (
        open_door(database, tmp_path, lambda _: [router], settings={"rate_limit_api": 100}) as door,
        door.client(await door.admin_token()) as client,
    ):
        answer = await client.head("/api/turn")
        assert (answer.status_code, answer.headers["x-ratelimit-limit"]) == (200, "100")
        assert len(await entries(client, action="turn")) == 1


async def test_acts_that_could_not_be_recorded_are_told_in_the_portals_log(audit: AuditLog, database: Database) -> None:
    await fill(audit, 1)
    async with database.write() as db:
        await db.execute(update(AuditEnd).values(record_id=7))
    with capture_logs() as told, pytest.raises(AuditBroken):
        await audit.append(Act("ban_user", Actor("usr_1", "user", "eve", Role.ADMIN), target_id="ann\n"))
    assert [(line["lost"], line["acts"]) for line in told] == [(1, ["ban_user ann\N{REPLACEMENT CHARACTER} by eve"])]
