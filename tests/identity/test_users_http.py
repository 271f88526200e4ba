"""People as administrators manage them (spec/portal.md B8, C1): who outranks whom, and what ends when."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from homeport.identity import Role
from homeport.testing.door import Door


async def ids(client: httpx.AsyncClient) -> dict[str, int]:
    """User name to integer id."""
    return {row["username"]: row["id"] for row in (await client.get("/api/users")).json()["users"]}


async def status_of(door: Door, token: str) -> int:
    async with door.client(token) as client:
        return (await client.get("/api/me")).status_code


async def key_of(door: Door, token: str) -> str:
    async with door.client(token) as client:
        return str((await client.post("/api/api-keys", json={"name": "ci"})).json()["api_key"])


async def test_everybody_is_listed_and_found(door: Door) -> None:
    await door.add_user("ann", Role.USER)
    async with door.client(await door.admin_token()) as client:
        page = (await client.get("/api/users?per_page=1&page=2")).json()
        assert (page["total"], page["page"], page["per_page"], page["actor_role"]) == (2, 2, 1, "superadmin")
        row = page["users"][0]
        assert (row["id"], row["username"], row["role"], row["scopes"]) == (2, "ann", "user", "services:read, access:*")
        assert (row["banned_at"], row["totp_enabled"], row["has_password"]) == (None, False, True)
        assert "hash" not in str(page)
        assert (await client.get("/api/users?search=ANN@")).json()["total"] == 1
        assert (await client.get("/api/users?search=%25")).json()["total"] == 0


async def test_moderators_see_people_and_change_none(door: Door) -> None:
    await door.add_user("ann", Role.USER)
    async with door.client(await door.add_user("mod", Role.MODERATOR)) as client:
        assert (await client.get("/api/users")).json()["manageable_roles"] == ["user"]
        assert (await client.post("/api/users", json={"username": "bob"})).status_code == 403
        assert (await client.post("/api/users/2/ban")).status_code == 403


async def test_others_find_names_only_and_a_customers_people_their_own(door: Door) -> None:
    await door.add_user("anna", Role.USER, "cust_1")
    token = await door.add_user("anne", Role.USER, "cust_1")
    async with door.client(await door.add_user("annika", Role.USER)) as client:
        assert (await client.get("/api/users")).status_code == 403
        found = (await client.get("/api/users/lookup?q=Ann")).json()["users"]
        assert [one["username"] for one in found] == ["anna", "anne", "annika"]
        assert set(found[0]) == {"id", "user_id", "username"}
        assert (await client.get("/api/users/lookup")).json() == {"users": []}
    async with door.client(token) as client:
        found = (await client.get("/api/users/lookup?q=a")).json()["users"]
    assert [one["username"] for one in found] == ["anna", "anne"]


async def test_an_account_is_made_with_a_password_that_is_shown_once(door: Door) -> None:
    async with door.client(await door.admin_token()) as client:
        made = await client.post("/api/users", json={"username": "Bob", "email": "Bob@Example.org"})
        body = made.json()
        assert (made.status_code, body["username"], body["email"]) == (201, "bob", "bob@example.org")
        assert await door.sign_in("bob", body["password"])
        given = (await client.post("/api/users", json={"username": "eve", "password": "long enough"})).json()
        assert given["password"] is None
        taken = await client.post("/api/users", json={"username": "BOB"})
        assert (taken.status_code, taken.json()["code"]) == (409, "username_taken")
        for wrong in (
            {"username": "a b"},
            {"username": "al"},
            {"username": "x" * 31},
            {},
            {"username": "al", "password": "short"},
        ):
            assert (await client.post("/api/users", json=wrong)).status_code == 400
        unknown = await client.post("/api/users", json={"username": "carl", "customer_id": "cust_nobody"})
        assert unknown.status_code == 400


@pytest.mark.parametrize("body", [{"is_admin": True}, {"role": "admin"}, {"role": "superadmin"}])
async def test_an_administrator_makes_no_other_administrators(door: Door, body: dict[str, Any]) -> None:  # portal E2.12
    async with door.client(await door.add_user("boss", Role.ADMIN)) as client:
        answer = await client.post("/api/users", json={"username": "twin", **body})
        assert (answer.status_code, answer.json()["code"]) == (403, "role_too_high")
        assert (await client.post("/api/users", json={"username": "mod", "role": "moderator"})).status_code == 201


async def test_a_superadmin_makes_administrators(door: Door) -> None:
    async with door.client(await door.admin_token()) as client:
        made = (await client.post("/api/users", json={"username": "boss", "is_admin": True})).json()
        assert (made["role"], made["is_admin"], made["scopes"]) == ("admin", True, "*")


async def test_only_those_below_are_managed(door: Door) -> None:  # portal C1
    for name in ("boss", "other"):
        token = await door.add_user(name, Role.ADMIN)
    async with door.client(token) as client:
        known = await ids(client)
        for name in ("admin", "boss"):
            for path in ("ban", "unban", "reset-password", "2fa/reset"):
                answer = await client.post(f"/api/users/{known[name]}/{path}")
                assert (answer.status_code, answer.json()["code"]) == (403, "role_too_high"), path
            answer = await client.put(f"/api/users/{known[name]}/role", json={"role": "user"})
            assert answer.json()["code"] == "role_too_high"
            assert (await client.get(f"/api/users/{known[name]}/sessions")).status_code == 403
            assert (await client.delete(f"/api/users/{known[name]}/sessions")).status_code == 403
            assert (await client.delete(f"/api/users/{known[name]}")).status_code == 403
        assert (await client.post("/api/users/999/ban")).status_code == 404


async def test_a_limited_key_gives_nobody_more_than_it_has(door: Door) -> None:  # portal E1.3
    await door.add_user("boss", Role.ADMIN)
    async with door.client(await door.admin_token()) as client:
        boss = (await ids(client))["boss"]
        made = await client.post("/api/api-keys", json={"name": "hr", "scopes": "users:*, services:read, access:*"})
    async with door.client(made.json()["api_key"]) as client:
        assert (await client.post("/api/users", json={"username": "ann"})).status_code == 201
        for answer in (
            await client.post("/api/users", json={"username": "evil", "role": "admin"}),
            await client.post("/api/users", json={"username": "evil", "scopes": "services:write"}),
            await client.post("/api/admin/invite-codes", json={"type": "daily", "role": "admin"}),
            await client.post(f"/api/users/{boss}/reset-password"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "role_too_high")


async def test_the_last_superadmin_stays_one(door: Door) -> None:
    async with door.client(await door.admin_token()) as client:
        for answer in (
            await client.put("/api/users/1/role", json={"role": "admin"}),
            await client.post("/api/users/1/ban"),
            await client.delete("/api/users/1"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (409, "last_superadmin")
        await door.add_user("second", Role.SUPERADMIN)
        answer = await client.post("/api/users/1/ban")
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")  # nobody does that to themselves


async def test_of_two_superadmins_who_remove_each_other_at_once_one_stays(door: Door) -> None:
    other = await door.add_user("second", Role.SUPERADMIN)
    async with door.client(await door.admin_token()) as first, door.client(other) as second:
        answers = await asyncio.gather(
            first.put("/api/users/2/role", json={"role": "user"}),
            second.put("/api/users/1/role", json={"role": "user"}),
        )
        left = [await client.get("/api/me") for client in (first, second)]
    assert sorted(answer.status_code for answer in answers) in ([200, 401], [200, 403], [200, 409])
    assert [one.json()["role"] for one in left if one.status_code == 200] == ["superadmin"]


async def test_a_demotion_counts_at_once_for_sessions_and_keys(door: Door) -> None:  # portal E2.11
    token = await door.add_user("boss", Role.ADMIN)
    key = await key_of(door, token)
    async with door.client(key) as by_key:
        assert (await by_key.get("/api/users")).status_code == 200
        async with door.client(await door.admin_token()) as client:
            boss = (await ids(client))["boss"]
            row = (await client.put(f"/api/users/{boss}/role", json={"role": "user"})).json()
        assert (row["role"], row["is_admin"], row["scopes"]) == ("user", False, "services:read, access:*")
        assert (await by_key.get("/api/users")).status_code == 403
        assert (await by_key.get("/api/me")).status_code == 200
    assert await status_of(door, token) == 401


async def test_a_role_may_come_with_scopes_of_its_own(door: Door) -> None:
    await door.add_user("ann", Role.USER)
    async with door.client(await door.admin_token()) as client:
        row = (await client.put("/api/users/2/role", json={"role": "user", "scopes": "services:*"})).json()
        assert (row["scopes"], row["scopes_given"]) == ("services:*", True)
        assert (await client.put("/api/users/2/role", json={"role": "user", "scopes": "no scope"})).status_code == 400
        row = (await client.put("/api/users/2/role", json={"role": "user"})).json()
        assert row["scopes_given"] is False


async def test_the_older_way_to_make_an_administrator_obeys_the_same_rules(door: Door) -> None:  # portal B8, E2.12
    await door.add_user("ann", Role.USER)
    async with door.client(await door.admin_token()) as client:
        assert (await client.put("/api/users/2/admin", json={"is_admin": True})).json()["role"] == "admin"
        assert (await client.put("/api/users/2/admin", json={"is_admin": False})).json()["role"] == "user"
        assert (await client.put("/api/users/1/admin", json={"is_admin": False})).status_code == 409
    async with door.client(await door.add_user("boss", Role.ADMIN)) as client:
        assert (await client.put("/api/users/2/admin", json={"is_admin": True})).status_code == 403


async def test_what_administrators_do_to_people_is_on_record_without_secrets(door: Door) -> None:
    async with door.client(await door.admin_token()) as client:
        made = (await client.post("/api/users", json={"username": "ann"})).json()
        reset = (await client.post("/api/users/2/reset-password", json={"new_password": "correct horse"})).json()
        await client.put("/api/users/2/role", json={"role": "moderator"})
        await client.post("/api/users/2/ban", json={"reason": "spam"})
        log = (await client.get("/api/admin/audit-log?target_type=user")).json()
    acts = [(one["action"], one["target_id"], one["details"]) for one in log["entries"]]
    assert acts[:2] == [("user_ban", "ann", {"reason": "spam"}), ("role_change", "ann", {"role": "moderator"})]
    assert [name for name, _, _ in acts[2:]] == ["reset_user_password", "create_user"]
    assert reset["password"] is None
    assert made["password"] not in str(log)
    assert "correct horse" not in str(log)


async def test_a_ban_ends_sessions_and_keys_and_keeps_the_person_out(door: Door) -> None:  # portal E2.11
    token = await door.add_user("ann", Role.USER)
    key = await key_of(door, token)
    async with door.client(await door.admin_token()) as client:
        row = (await client.post("/api/users/2/ban", json={"reason": "spam"})).json()
        assert (row["banned_at"], row["ban_reason"]) == ("2026-03-29T10:00:00Z", "spam")
        assert [await status_of(door, token), await status_of(door, key)] == [401, 401]
        async with door.client() as stranger:
            right = await stranger.post("/api/token", json={"username": "ann", "password": "ann"})
            wrong = await stranger.post("/api/token", json={"username": "ann", "password": "wrong"})
        assert (right.status_code, right.json()["code"]) == (403, "account_banned")
        assert wrong.json()["code"] == "invalid_credentials"
        assert (await client.post("/api/users/2/unban")).json()["banned_at"] is None
    assert await door.sign_in("ann", "ann")
    assert await status_of(door, key) == 401


async def test_a_reset_ends_sessions_and_keys(door: Door) -> None:  # portal E2.11
    token = await door.add_user("ann", Role.USER)
    key = await key_of(door, token)
    async with door.client(await door.admin_token()) as client:
        body = (await client.post("/api/users/2/reset-password")).json()
        assert body["status"] == "reset"
        assert await door.sign_in("ann", body["password"])
        given = await client.post("/api/users/2/reset-password", json={"new_password": "correct horse"})
        assert given.json() == {"status": "reset", "password": None}
    assert await door.sign_in("ann", "correct horse")
    assert [await status_of(door, token), await status_of(door, key)] == [401, 401]


async def test_an_administrator_sees_and_ends_somebodys_sessions(door: Door) -> None:
    token = await door.add_user("ann", Role.USER)
    async with door.client(await door.admin_token()) as client:
        rows = (await client.get("/api/users/2/sessions")).json()["sessions"]
        assert [(row["method"], row["current"]) for row in rows] == [("password", False)]
        assert (await client.delete("/api/users/2/sessions")).json()["ended"] == 1
    assert await status_of(door, token) == 401


async def test_removal_takes_everything_that_was_theirs(door: Door) -> None:
    token = await door.add_user("ann", Role.USER)
    key = await key_of(door, token)
    async with door.client(await door.admin_token()) as client:
        assert (await client.delete("/api/users/2")).json() == {"status": "deleted"}
        assert list(await ids(client)) == ["admin"]
        made = (await client.post("/api/users", json={"username": "bob"})).json()
    assert made["id"] == 3  # no number is given again
    assert [await status_of(door, token), await status_of(door, key)] == [401, 401]


async def test_administrators_remove_nobody(door: Door) -> None:  # portal B8: superadmins only
    await door.add_user("ann", Role.USER)
    async with door.client(await door.add_user("boss", Role.ADMIN)) as client:
        assert (await client.delete("/api/users/2")).status_code == 403


async def test_people_have_two_ids_and_paths_take_both(door: Door) -> None:
    await door.add_user("ann", Role.USER)
    async with door.client(await door.admin_token()) as client:
        row = next(row for row in (await client.get("/api/users")).json()["users"] if row["username"] == "ann")
        for ref in (row["id"], row["user_id"]):
            assert (await client.post(f"/api/users/{ref}/unban")).json()["username"] == "ann"


async def test_nobody_is_given_to_a_customer_by_who_does_not_outrank_them(door: Door) -> None:  # portal E2.12
    async with door.client(await door.admin_token()) as client:
        plan = (await client.get("/api/plans")).json()["data"][0]["id"]
        body = {"name": "Acme", "email": "it@acme.example", "plan_id": plan}
        customer = (await client.post("/api/customers", json=body)).json()["id"]
    await door.add_user("peer", Role.ADMIN)
    await door.add_user("ann", Role.USER)
    async with door.client(await door.add_user("boss", Role.ADMIN)) as client:
        for name in ("admin", "peer"):
            answer = await client.put(f"/api/customers/{customer}/users/{name}")
            assert (answer.status_code, answer.json()["code"]) == (403, "role_too_high")
        assert (await client.put(f"/api/customers/{customer}/users/ann")).status_code == 200
        assert (await client.delete(f"/api/customers/{customer}/users/ann")).status_code == 204


async def test_the_last_superadmin_is_given_to_no_customer(door: Door) -> None:
    second = await door.add_user("second", Role.SUPERADMIN)
    async with door.client(second) as client:
        plan = (await client.get("/api/plans")).json()["data"][0]["id"]
        body = {"name": "Acme", "email": "it@acme.example", "plan_id": plan}
        customer = (await client.post("/api/customers", json=body)).json()["id"]
        assert (await client.put(f"/api/customers/{customer}/users/admin")).status_code == 200
        assert (await client.put(f"/api/customers/{customer}/users/second")).status_code == 409
        assert (await client.post("/api/users/2/ban")).json()["code"] == "last_superadmin"
