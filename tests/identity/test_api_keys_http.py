"""API keys of seed 002: P002 to P005, and the faults of its reference."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from homeport.identity import Role
from homeport.identity.api_keys import STYLES
from homeport.identity.models import ApiKey, User
from homeport.storage import Database
from homeport.testing.door import Door


async def test_a_key_is_made_shown_once_and_works(door: Door) -> None:  # P002
    async with door.client(await door.admin_token()) as client:
        answer = await client.post("/api/api-keys", json={"name": "My Integration", "expires_in_days": 30})
        made = answer.json()
        listed = (await client.get("/api/api-keys")).json()["api_keys"]  # P003
    assert answer.status_code == 201
    assert (made["id"], made["name"], made["scopes"]) == (1, "My Integration", "*")
    assert made["api_key"].startswith("portal_")
    assert len(made["api_key"]) == len("portal_") + 64
    assert made["api_key"] == made["key"]
    assert made["key_prefix"] == made["prefix"] == made["api_key"][:10]
    assert made["expires_at"].endswith("Z")
    assert [(row["id"], row["key_prefix"], row["revoked"]) for row in listed] == [(1, made["key_prefix"], False)]
    assert made["api_key"] not in str(listed)
    async with door.client(made["api_key"]) as by_key:
        assert (await by_key.get("/api/auth/me")).status_code == 200
    async with door.client() as plain:
        for headers in ({"authorization": f"Api-Key {made['key']}"}, {"x-api-key": made["key"]}):
            assert (await plain.get("/api/auth/me", headers=headers)).status_code == 200
        assert (await plain.get("/api/auth/me", params={"token": made["key"]})).status_code == 200


async def test_a_revoked_key_stays_listed_and_a_deleted_one_does_not(door: Door) -> None:
    async with door.client(await door.admin_token()) as client:
        key = (await client.post("/api/api-keys", json={"name": "ci", "expires_days": None})).json()
        assert (await client.post(f"/api/api-keys/{key['id']}/revoke")).json()["status"] == "revoked"  # P004
        async with door.client(key["api_key"]) as by_key:
            assert (await by_key.get("/api/auth/me")).status_code == 401
        assert [row["revoked"] for row in (await client.get("/api/api-keys")).json()["api_keys"]] == [True]
        assert (await client.delete(f"/api/api-keys/{key['id']}")).json()["status"] == "deleted"  # P005
        assert (await client.get("/api/api-keys")).json()["api_keys"] == []
        assert (await client.delete(f"/api/api-keys/{key['id']}")).status_code == 404


@pytest.mark.parametrize(
    "body",
    [{}, {"name": ""}, {"name": "x", "scopes": "not a scope"}, {"name": "x", "expires_in_days": 0}, {"name": "taken"}],
)
async def test_what_does_not_fit_is_a_400(door: Door, body: dict[str, object]) -> None:
    async with door.client(await door.admin_token()) as client:
        await client.post("/api/api-keys", json={"name": "taken"})
        answer = await client.post("/api/api-keys", json=body)
    assert answer.status_code == 400
    assert answer.json()["status"] == 400
    assert answer.json()["error"]


async def test_nobody_reaches_another_persons_key(door: Door) -> None:
    async with (
        door.client(await door.admin_token()) as admin,
        door.client(await door.add_user("ann", Role.USER)) as ann,
    ):
        key = (await admin.post("/api/api-keys", json={"name": "ci"})).json()
        assert (await ann.post(f"/api/api-keys/{key['id']}/revoke")).status_code == 404
        assert (await ann.delete(f"/api/api-keys/{key['key_id']}")).status_code == 404
        assert (await ann.get("/api/api-keys")).json()["api_keys"] == []


async def test_a_restricted_key_is_no_full_credential(door: Door) -> None:  # portal E1.3
    """It reads what it names: no account, no keys, no second factor, no other people."""
    async with door.client(await door.admin_token()) as client:
        key = (await client.post("/api/api-keys", json={"name": "obs", "scopes": "services:read"})).json()
    async with door.client(key["api_key"]) as by_key:
        for method, path in (
            ("GET", "/api/api-keys"),
            ("POST", "/api/api-keys"),
            ("GET", "/api/customers"),
            ("GET", "/api/admin/audit-log"),
        ):
            answer = await by_key.request(method, path, json={"name": "more"} if method == "POST" else None)
            assert answer.status_code == 403, path
            assert answer.json()["details"]["required"]


async def test_a_key_gives_no_more_than_the_key_that_made_it(door: Door) -> None:
    async with door.client(await door.admin_token()) as client:
        body = {"name": "maker", "scopes": "account:keys, services:read"}
        maker = (await client.post("/api/api-keys", json=body)).json()
    async with door.client(maker["api_key"]) as by_key:
        assert (await by_key.post("/api/api-keys", json={"name": "all"})).json()["scopes"] == body["scopes"].replace(
            " ", ""
        )
        assert (await by_key.post("/api/api-keys", json={"name": "w", "scopes": "services:write"})).status_code == 400


async def test_a_demoted_administrators_key_loses_what_its_person_lost(door: Door, database: Database) -> None:
    # portal E2.11
    token = await door.add_user("ann", Role.ADMIN)
    async with door.client(token) as ann:
        key = (await ann.post("/api/api-keys", json={"name": "ci"})).json()
    async with door.client(key["api_key"]) as by_key:
        assert (await by_key.get("/api/customers")).status_code == 200
        async with database.write() as db:
            await db.execute(update(User).where(User.username == "ann").values(role="user"))
            user_id = await db.scalar(select(User.id).where(User.username == "ann"))
        door.identity.changed(str(user_id))
        assert (await by_key.get("/api/customers")).status_code == 403


async def test_keys_with_the_same_beginning_are_told_apart(door: Door, database: Database) -> None:  # portal E2.10
    """The reference found a key by three hexadecimal digits; here the whole public part is unique in the database."""
    async with door.client(await door.admin_token()) as client:
        keys = [(await client.post("/api/api-keys", json={"name": f"k{n}"})).json()["api_key"] for n in range(90)]
    async with database.write() as db:  # make all of them begin with the same digits, as far as the row allows
        rows = (await db.scalars(select(ApiKey).where(ApiKey.style == "portal"))).all()
        alike = {row.lookup: f"abc{row.lookup[3:]}" for row in rows}
        for row in rows:
            row.lookup = alike[row.lookup]
    for key in keys:
        public, secret = STYLES["portal"].parts(key) or ("", "")
        async with door.client(f"portal_{alike[public]}{secret}") as by_key:
            assert (await by_key.get("/api/auth/me")).status_code == 200


@pytest.mark.parametrize(
    "key", ["portal_", "portal_abc", "portal_" + "0" * 64, "portal_" + "0" * 63 + "G", "portal_" + "é" * 64, "aap_x"]
)
async def test_an_unknown_key_is_a_401_and_no_fault(door: Door, key: str) -> None:  # portal E2.10
    async with door.client() as client:
        answer = await client.get("/api/auth/me", headers=[(b"authorization", f"Bearer {key}".encode())])
    assert answer.status_code == 401
