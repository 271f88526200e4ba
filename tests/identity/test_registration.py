"""Registering by an invite, and the invites (spec/portal.md A1: 8, B8, C1)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from homeport.identity import Role
from homeport.storage import Database
from homeport.testing.door import Door, open_door

INVITES = "/api/admin/invite-codes"
DAY = timedelta(days=1).total_seconds()


@pytest.fixture
async def door(database: Database, tmp_path: Path) -> AsyncIterator[Door]:
    """Behind a reverse proxy that says where people come from."""
    async with open_door(database, tmp_path, settings={"trusted_proxies": "127.0.0.1/32"}) as opened:
        yield opened


async def invite(door: Door, kind: str = "timed", **more: Any) -> dict[str, Any]:
    async with door.client(await door.admin_token()) as client:
        answer = await client.post(INVITES, json={"type": kind, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def register(door: Door, username: str, code: str, address: str = "198.51.100.1", **more: Any) -> httpx.Response:
    body = {"username": username, "password": "long enough", "invite_code": code, **more}
    async with door.client() as client:
        return await client.post("/api/register", json=body, headers={"x-forwarded-for": address})


async def test_a_code_makes_an_account_that_can_sign_in(door: Door) -> None:  # P008
    code = (await invite(door))["code"]
    answer = await register(door, "NewUser", code.lower())
    body = answer.json()
    assert (answer.status_code, body["id"], body["username"]) == (201, 2, "newuser")
    assert body["message"]
    async with door.client(await door.sign_in("newuser", "long enough")) as client:
        me = (await client.get("/api/me")).json()
    assert (me["role"], me["scopes"], me["email"]) == ("user", "services:read, access:*", None)


async def test_a_wrong_code_is_403_and_makes_nothing(door: Door) -> None:  # P008
    answer = await register(door, "eve", "PORTAL-0000-0000-0000")
    assert (answer.status_code, answer.json()["code"]) == (403, "invalid_invite_code")
    code = (await invite(door))["code"]
    assert (await register(door, "eve", code)).status_code == 201


@pytest.mark.parametrize(
    "wrong",
    [
        {"username": "al"},
        {"username": "x" * 31},
        {"username": "a b"},
        {"username": "a@b"},
        {"username": "élan"},
        {"username": None},
        {"password": "short"},
        {"password": "x" * 129},
        {"invite_code": ""},
    ],
)
async def test_what_does_not_fit_is_400_and_costs_no_use(door: Door, wrong: dict[str, Any]) -> None:  # P008
    made = await invite(door, "single_use")
    answer = await register(door, **{"username": "ann", "code": made["code"], **wrong})
    assert answer.status_code == 400
    assert "long enough" not in answer.text
    assert (await register(door, "ann", made["code"])).status_code == 201


async def test_a_name_that_is_taken_costs_no_use(door: Door) -> None:  # P008
    code = (await invite(door, "single_use"))["code"]
    answer = await register(door, "Admin", code)
    assert (answer.status_code, answer.json()["code"]) == (409, "username_taken")
    assert (await register(door, "ann", code)).status_code == 201


async def test_one_account_a_day_from_one_network(door: Door) -> None:  # P008, portal E2.9
    code = (await invite(door))["code"]
    assert (await register(door, "one", code, "2001:db8::1")).status_code == 201
    second = await register(door, "two", code, "2001:db8::2")
    assert (second.status_code, second.json()["code"]) == (429, "registration_limit")
    assert second.headers["retry-after"] == str(24 * 3600)
    assert (await register(door, "two", code, "2001:db8:1::1")).status_code == 201
    door.clock.advance(DAY - 1)
    assert (await register(door, "three", code, "2001:db8::3")).status_code == 429
    door.clock.advance(1)
    assert (await register(door, "three", code, "2001:db8::3")).status_code == 201


async def test_what_a_stranger_says_about_where_it_is_is_not_believed(database: Database, tmp_path: Path) -> None:
    # P008, portal E2.9
    async with open_door(database, tmp_path) as door:
        code = (await invite(door))["code"]
        assert (await register(door, "one", code, "198.51.100.1")).status_code == 201
        assert (await register(door, "two", code, "198.51.100.2")).status_code == 429


async def test_two_at_once_from_one_network_are_one_too_many(door: Door) -> None:  # P008
    codes = [(await invite(door))["code"] for _ in range(3)]
    answers = await asyncio.gather(*(register(door, f"user{n}", code) for n, code in enumerate(codes)))
    assert sorted(answer.status_code for answer in answers) == [201, 429, 429]


async def test_of_many_at_once_a_single_use_invite_lets_one_in(door: Door) -> None:  # portal E3.34
    made = await invite(door, "single_use")
    answers = await asyncio.gather(*(register(door, f"user{n}", made["code"], f"198.51.100.{n}") for n in range(1, 9)))
    assert sorted(answer.status_code for answer in answers) == [201] + [403] * 7
    async with door.client(await door.admin_token()) as client:
        row = (await client.get("/api/invite-code")).json()["codes"][0]
        assert (row["uses"], row["max_uses"], row["active"]) == (1, 1, False)
        came = (await client.get(f"{INVITES}/{row['id']}/registrations")).json()["registrations"]
        assert (await client.get("/api/users")).json()["total"] == 2
    assert len(came) == 1
    assert came[0]["address"].startswith("198.51.100.")


@pytest.mark.parametrize(
    ("kind", "more", "expires_at", "max_uses"),
    [
        ("daily", {}, "2026-03-29T23:59:59Z", None),
        ("daily", {"duration_days": 9}, "2026-03-29T23:59:59Z", None),
        ("single_use", {}, None, 1),
        ("single_use", {"duration_days": 2}, "2026-03-31T10:00:00Z", 1),
        ("timed", {}, "2026-04-28T10:00:00Z", None),
        ("timed", {"duration_days": 365}, "2027-03-29T10:00:00Z", None),
    ],
)
async def test_each_kind_of_invite_ends_in_its_own_way(
    door: Door, kind: str, more: dict[str, Any], expires_at: str | None, max_uses: int | None
) -> None:
    made = await invite(door, kind, label="for the club", **more)
    assert re.fullmatch("PORTAL(-[0-9A-F]{4}){3}", made["code"])
    assert (made["type"], made["label"], made["role"]) == (kind, "for the club", "user")
    assert (made["expires_at"], made["max_uses"], made["uses"], made["active"]) == (expires_at, max_uses, 0, True)


@pytest.mark.parametrize("body", [{"type": "timed", "duration_days": 366}, {"type": "timed", "duration_days": 0}, {}])
async def test_an_invite_lasts_a_year_at_most(door: Door, body: dict[str, Any]) -> None:
    async with door.client(await door.admin_token()) as client:
        assert (await client.post(INVITES, json=body)).status_code == 400


async def test_an_invite_ends_at_its_instant_and_not_with_its_day(door: Door) -> None:  # portal E3.34
    timed = (await invite(door, "timed", duration_days=1))["code"]
    door.clock.advance(DAY - 1)
    assert (await register(door, "early", timed, "198.51.100.1")).status_code == 201
    door.clock.advance(1)
    assert (await register(door, "late", timed, "198.51.100.2")).status_code == 403
    daily = (await invite(door, "daily"))["code"]
    door.clock.advance(timedelta(hours=13, minutes=59, seconds=58).total_seconds())
    assert (await register(door, "early2", daily, "198.51.100.3")).status_code == 201
    door.clock.advance(1)
    assert (await register(door, "late2", daily, "198.51.100.4")).status_code == 403


async def test_no_code_works_beside_those_that_are_listed(door: Door) -> None:  # portal E3.34
    made = await invite(door, "daily")
    async with door.client(await door.admin_token()) as client:
        listed = (await client.get("/api/invite-code")).json()
        assert listed["legacy_daily_code"] == made["code"]
        assert (await client.delete(f"{INVITES}/{made['id']}")).json() == {"status": "revoked"}
        listed = (await client.get("/api/invite-code")).json()
        assert (listed["legacy_daily_code"], listed["codes"][0]["active"]) == (None, False)
        assert (await client.delete(f"{INVITES}/999")).status_code == 404
        assert (await client.get(f"{INVITES}/999/registrations")).status_code == 404
    assert (await register(door, "ann", made["code"])).status_code == 403


async def test_an_invite_brings_its_role_and_scopes(door: Door) -> None:
    made = await invite(door, role="moderator", scopes="services:*,users:read")
    assert (await register(door, "mod", made["code"])).status_code == 201
    async with door.client(await door.sign_in("mod", "long enough")) as client:
        me = (await client.get("/api/me")).json()
    assert (me["role"], me["scopes"]) == ("moderator", "services:*, users:read")


async def test_an_invite_gives_only_what_its_maker_may_give(door: Door) -> None:  # portal E2.12
    async with door.client(await door.admin_token()) as client:
        answer = await client.post(INVITES, json={"type": "daily", "role": "superadmin"})
        assert (answer.status_code, answer.json()["code"]) == (403, "role_too_high")
    async with door.client(await door.add_user("boss", Role.ADMIN)) as client:
        answer = await client.post(INVITES, json={"type": "daily", "role": "admin"})
        assert (answer.status_code, answer.json()["code"]) == (403, "role_too_high")
    async with door.client(await door.add_user("mod", Role.MODERATOR)) as client:
        assert (await client.get("/api/invite-code")).status_code == 403


@pytest.mark.parametrize("fall", ["ban", "role", "delete"])
async def test_the_invites_of_who_falls_fall_too(door: Door, fall: str) -> None:  # portal E2.11
    async with door.client(await door.add_user("boss", Role.ADMIN)) as client:
        code = (await client.post(INVITES, json={"type": "daily", "role": "moderator"})).json()["code"]
    async with door.client(await door.admin_token()) as client:
        if fall == "ban":
            await client.post("/api/users/2/ban")
        elif fall == "role":
            await client.put("/api/users/2/role", json={"role": "user"})
        else:
            await client.delete("/api/users/2")
    assert (await register(door, "heir", code)).status_code == 403


async def test_registration_can_be_closed_and_limits_can_be_lifted(database: Database, tmp_path: Path) -> None:
    async with open_door(database, tmp_path, settings={"registrations_per_network": 0}) as door:
        code = (await invite(door))["code"]
        assert (await register(door, "one", code)).status_code == 201
        assert (await register(door, "two", code)).status_code == 201
        await door.options.set({"allow_registration": False}, now=door.clock.now(), by="")
        answer = await register(door, "three", code)
        assert (answer.status_code, answer.json()["code"]) == (403, "registration_closed")


@pytest.mark.parametrize("change", ["role", "scopes", "customer"])
async def test_invites_of_whoever_may_do_less_are_no_good(door: Door, change: str) -> None:
    async with door.client(await door.add_user("adam", Role.ADMIN)) as adam:
        code = (await adam.post(INVITES, json={"type": "timed", "role": "moderator"})).json()["code"]
    async with door.client(await door.admin_token()) as admin:
        if change == "customer":
            plan = (await admin.get("/api/plans")).json()["data"][0]["id"]
            body = {"name": "Acme", "email": "it@acme.example", "plan_id": plan}
            customer = (await admin.post("/api/customers", json=body)).json()["id"]
            done = await admin.put(f"/api/customers/{customer}/users/adam")
        else:
            less = {"role": "user"} if change == "role" else {"role": "admin", "scopes": ["users:read"]}
            done = await admin.put("/api/users/2/role", json=less)
        assert done.status_code < 300, done.text
    assert (await register(door, "eve", code)).json()["code"] == "invalid_invite_code"
