"""Signing in, API keys and set-up over the API."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from homeport.identity import COOKIE, Role
from homeport.storage import Database
from homeport.testing.door import BASE_URL, Door, open_door

OWN = {"origin": BASE_URL}


async def test_signing_in_sets_a_cookie_that_only_this_host_gets_and_no_script_reads(door: Door) -> None:
    async with door.client() as client:
        answer = await client.post("/api/auth/login", json={"username": "admin", "password": door.password})
    assert answer.status_code == 200
    body = answer.json()
    assert body["token_type"] == "Bearer"
    assert body["expires_at"] == "2026-04-05T10:00:00Z"
    assert body["user"]["username"] == "admin"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}={body['token']};")
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert attributes == {"httponly", "secure", "samesite=strict", "path=/", "max-age=604800"}
    assert answer.headers["cache-control"] == "no-store"


async def test_the_e_mail_address_does_as_well_as_the_name(door: Door) -> None:
    await door.add_user("ann", Role.USER)
    async with door.client() as client:
        answer = await client.post("/api/auth/login", json={"email": "ann@example.org", "password": "ann"})
    assert answer.json()["user"]["role"] == "user"


async def test_a_wrong_password_says_so_and_repeating_it_says_when_to_come_back(door: Door) -> None:
    async with door.client() as client:
        for _ in range(5):
            answer = await client.post("/api/auth/login", json={"username": "admin", "password": "wrong"})
            assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")
        answer = await client.post("/api/auth/login", json={"username": "admin", "password": door.password})
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts")
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["details"] == {"retry_after": 1}


async def test_a_body_that_lacks_something_names_it_and_repeats_no_password(door: Door) -> None:
    async with door.client() as client:
        nameless = await client.post("/api/auth/login", json={"password": "hunter2"})
        wordless = await client.post("/api/auth/login", json={"username": "admin"})
    assert nameless.status_code == wordless.status_code == 422
    assert "hunter2" not in nameless.text
    assert wordless.json()["details"]["fields"] == {"password": "is required"}


async def test_another_sites_page_cannot_sign_its_visitor_in(door: Door) -> None:
    body = {"username": "admin", "password": door.password}
    async with door.client() as client:
        foreign = await client.post("/api/auth/login", json=body, headers={"origin": "https://hello.localhost:8443"})
        own = await client.post("/api/auth/login", json=body, headers=OWN)
    assert (foreign.status_code, foreign.json()["code"]) == (403, "origin_refused")
    assert own.status_code == 200


async def test_me_is_the_user_and_what_it_may_do(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER, "cust_1")) as client:
        me = (await client.get("/api/auth/me")).json()
    assert re.fullmatch("usr_[a-z0-9]{16}", me["id"])
    assert me["created_at"] == "2026-03-29T10:00:00Z"
    assert (me["email"], me["role"], me["rank"], me["customer_id"]) == ("ann@example.org", "customer", "user", "cust_1")
    assert "services.read" in me["verbs"]
    assert "services.write" not in me["verbs"]


async def test_signing_out_ends_the_session_and_clears_the_cookie(door: Door) -> None:
    async with door.client(await door.admin_token()) as client:
        answer = await client.post("/api/auth/logout")
        assert (answer.status_code, answer.json()) == (
            200,
            {"message": "Signed out.", "success": True, "logout_url": None},
        )
        assert "max-age=0" in answer.headers["set-cookie"].lower()
        after = await client.get("/api/auth/me")
    assert (after.status_code, after.json()["code"]) == (401, "unauthenticated")
    assert after.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": BASE_URL}, 200),
        ({}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://hello.localhost:8443"}, 403),
        ({"origin": "http://localhost:8443"}, 403),
        ({"origin": "https://localhost"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
    ],
)
async def test_a_cookie_alone_changes_nothing_unless_our_own_page_sent_it(
    door: Door, headers: dict[str, str], status: int
) -> None:
    cookie = {"cookie": f"{COOKIE}={await door.admin_token()}"}
    async with door.client() as client:
        assert (await client.get("/api/auth/me", headers=cookie)).status_code == 200
        assert (await client.post("/api/auth/logout", headers={**cookie, **headers})).status_code == status


async def test_a_bearer_token_needs_no_origin(door: Door) -> None:
    async with door.client(await door.admin_token()) as client:
        answer = await client.post("/api/auth/api-keys", json={"name": "ci"}, headers={"origin": "https://a.example"})
    assert answer.status_code == 201


async def test_a_key_lives_from_its_making_to_its_revocation(door: Door) -> None:
    async with door.client(await door.admin_token()) as client:
        made = await client.post("/api/auth/api-keys", json={"name": " ci ", "expires_at": "2027-01-01T00:00:00+01:00"})
        assert made.status_code == 201
        key = made.json()
        assert re.fullmatch("key_[a-z0-9]{16}", key["id"])
        assert re.fullmatch("aap_k1_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}", key["key"])
        assert key["key"].startswith(f"{key['prefix']}_")
        assert (key["name"], key["expires_at"]) == ("ci", "2026-12-31T23:00:00Z")
        listed = (await client.get("/api/auth/api-keys")).json()
        assert listed == {"data": [{name: key[name] for name in key if name != "key"}], "total": 1}
        async with door.client(key["key"]) as with_key:
            assert (await with_key.get("/api/auth/me")).json()["username"] == "admin"
            assert (await client.delete(f"/api/auth/api-keys/{key['id']}")).status_code == 204
            refused = await with_key.get("/api/auth/me")
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
        again = await client.delete(f"/api/auth/api-keys/{key['id']}")
    assert (again.status_code, again.json()["code"]) == (404, "api_key_not_found")


async def test_the_newer_path_speaks_camel_case_and_takes_both(door: Door) -> None:
    async with door.client(await door.admin_token()) as client:
        for spelling in ("expiresAt", "expires_at"):
            made = await client.post("/api/v1/api-keys", json={"name": "ci", spelling: "2027-01-01T00:00:00Z"})
            assert made.status_code == 201
            assert made.json()["expiresAt"] == "2027-01-01T00:00:00Z"
        made = await client.post("/api/auth/api-keys", json={"name": "ci", "expiresAt": "2027-01-01T00:00:00Z"})
        assert made.json()["expires_at"] == "2027-01-01T00:00:00Z"
        listed = (await client.get("/api/v1/api-keys")).json()
        assert listed["total"] == 3
        assert "lastUsedAt" in listed["data"][0]
        assert (await client.delete(f"/api/v1/api-keys/{listed['data'][0]['id']}")).status_code == 204


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "ci", "expires_at": "2027-01-01T00:00:00"}, "expires_at"),
        ({"name": "ci", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "ci", "role": "emperor"}, "role"),
        ({"name": "ci", "rateLimitRpm": 0}, "rateLimitRpm"),
    ],
)
async def test_a_key_that_cannot_be_made_as_asked_is_not_made(door: Door, body: dict[str, object], field: str) -> None:
    async with door.client(await door.admin_token()) as client:
        answer = await client.post("/api/auth/api-keys", json=body)
        assert (await client.get("/api/auth/api-keys")).json()["total"] == 0
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
    assert list(answer.json()["details"]["fields"]) == [field]


async def test_until_set_up_is_complete_only_set_up_answers(database: Database, tmp_path: Path) -> None:
    async with open_door(database, tmp_path, administrator=False) as door, door.client() as client:
        assert (await client.get("/api/health")).json() == {"status": "ok", "version": "0.1.0"}
        status = await client.get("/api/onboarding/status")
        assert status.json().items() >= {"status": "FRESH", "domain": "localhost"}.items()
        assert (await client.get("/api/auth/me")).status_code == 401
        await door.identity.machine.ensure_administrator()
        assert (await client.get("/api/onboarding/status")).json()["status"] == "COMPLETE"
