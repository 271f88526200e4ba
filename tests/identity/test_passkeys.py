"""Passkeys: registering, signing in by one alone, and beside a password."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pyotp
import pytest

from homeport.identity import COOKIE, Role
from homeport.identity.audit.store import after
from homeport.identity.passkeys.challenges import OPEN, SECONDS, Challenges
from homeport.testing.authenticator import Authenticator
from homeport.testing.clock import ManualClock
from homeport.testing.door import BASE_URL, Door


async def registered(client: httpx.AsyncClient, key: Authenticator, name: str = "yellow key") -> dict[str, Any]:
    """The row of a passkey that the client's user has made."""
    options = (await client.post("/api/user/passkeys/options")).json()["publicKey"]
    answer = await client.post("/api/user/passkeys", json={"name": name, "credential": key.create(options)})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def question(client: httpx.AsyncClient, **body: str) -> dict[str, Any]:
    return dict((await client.post("/api/auth/passkey/options", json=body)).json()["publicKey"])


async def sign_in(client: httpx.AsyncClient, key: Authenticator, **password: str) -> httpx.Response:
    named = {"username": password["username"]} if password else {}
    credential = key.get(await question(client, **named))
    return await client.post("/api/auth/passkey", json={"credential": credential, **password})


async def with_totp(door: Door, client: httpx.AsyncClient) -> None:
    secret = (await client.post("/api/user/2fa/setup")).json()["secret"]
    code = pyotp.TOTP(secret).at(door.clock.now())
    assert (await client.post("/api/user/2fa/verify", json={"code": code})).status_code == 200


async def test_a_passkey_is_made_listed_and_deleted(door: Door) -> None:
    key = Authenticator(BASE_URL)
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        options = (await client.post("/api/user/passkeys/options")).json()["publicKey"]
        made = await registered(client, key)
        listed = (await client.get("/api/user/passkeys")).json()
        gone = await client.delete(f"/api/user/passkeys/{made['id']}")
        again = await client.delete(f"/api/user/passkeys/{made['id']}")
        refused = await sign_in(client, key)
    assert options["rp"] == {"id": "localhost", "name": "Homeport"}
    assert options["user"]["name"] == "ann"
    assert options["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "preferred",
    }
    assert listed == {"passkeys": [made]}
    assert made == {
        "id": made["id"],
        "name": "yellow key",
        "created_at": "2026-03-29T10:00:00Z",
        "last_used_at": None,
        "transports": ["usb"],
    }
    assert (gone.status_code, again.status_code, again.json()["code"]) == (200, 404, "passkey_not_found")
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_passkey")


async def test_a_passkey_alone_signs_in_as_a_password_does(door: Door) -> None:
    key = Authenticator(BASE_URL)
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        await registered(client, key)
    async with door.client() as client:
        asked = await question(client)
        answer = await sign_in(client, key)
        me = await client.get("/api/auth/me", headers={"authorization": f"Bearer {answer.json()['token']}"})
        listed = (await client.get("/api/user/passkeys")).json()
    assert (asked["rpId"], asked["userVerification"], asked["allowCredentials"]) == ("localhost", "required", [])
    assert answer.status_code == 200
    assert answer.headers["set-cookie"].startswith(f"{COOKIE}=")
    assert me.json()["username"] == "ann"
    assert listed["passkeys"][0]["last_used_at"] == "2026-03-29T10:00:00Z"
    async with door.database.read() as db:
        acts = [(row.actor_name, row.action, row.target_id, row.result) for row in await after(db, 0, 100)]
    assert ("ann", "login", "ann", "done") in acts


async def test_a_passkey_alone_needs_a_device_that_has_verified_the_person(door: Door) -> None:
    key = Authenticator(BASE_URL, verified=False)
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        await registered(client, key)
    async with door.client() as client:
        answer = await sign_in(client, key)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_passkey")


async def test_the_touch_of_a_key_is_the_second_factor_beside_a_password(door: Door) -> None:
    key = Authenticator(BASE_URL, verified=False)
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        await registered(client, key)
        await with_totp(door, client)
    login = {"username": "ann", "password": "ann"}
    async with door.client() as client:
        asked = await client.post("/api/auth/login", json=login)
        wrong = await sign_in(client, key, username="ann", password="wrong")
        right = await sign_in(client, key, **login)
    assert asked.json()["details"] == {"methods": ["totp", "backup_code", "passkey"]}
    assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_credentials")
    assert right.status_code == 200


async def test_a_person_with_passkeys_and_without_totp_still_signs_in_by_the_password_alone(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        await registered(client, Authenticator(BASE_URL))
    await door.sign_in("ann", "ann")


async def test_another_persons_passkey_is_no_second_factor(door: Door) -> None:
    key = Authenticator(BASE_URL)
    async with (
        door.client(await door.add_user("ann", Role.USER)) as ann,
        door.client(await door.add_user("bob", Role.USER)) as bob,
    ):
        await with_totp(door, ann)
        made = await registered(bob, key)
        assert (await ann.delete(f"/api/user/passkeys/{made['id']}")).status_code == 404
    async with door.client() as client:
        answer = await sign_in(client, key, username="ann", password="ann")
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_passkey")


async def test_a_question_for_beside_a_password_opens_nothing_alone(door: Door) -> None:
    key = Authenticator(BASE_URL)
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        await registered(client, key)
    async with door.client() as client:
        credential = key.get(await question(client, username="ann"))
        answer = await client.post("/api/auth/passkey", json={"credential": credential})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_passkey")


async def test_an_answer_is_good_once(door: Door) -> None:
    key = Authenticator(BASE_URL)
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        await registered(client, key)
    async with door.client() as client:
        body = {"credential": key.get(await question(client))}
        answers = await asyncio.gather(*(client.post("/api/auth/passkey", json=body) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401]


async def test_a_question_is_open_for_five_minutes(door: Door) -> None:
    key = Authenticator(BASE_URL)
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        await registered(client, key)
    async with door.client() as client:
        credential = key.get(await question(client))
        door.clock.advance(SECONDS)
        answer = await client.post("/api/auth/passkey", json={"credential": credential})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_passkey")


async def test_a_counter_that_goes_back_is_a_copied_key(door: Door) -> None:
    key = Authenticator(BASE_URL)
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        await registered(client, key)
    async with door.client() as client:
        assert (await sign_in(client, key)).status_code == 200
        key.counter -= 1
        copied = await sign_in(client, key)
        assert (await sign_in(client, key)).status_code == 200
    assert (copied.status_code, copied.json()["code"]) == (401, "invalid_passkey")


@pytest.mark.parametrize("origin", ["https://hello.localhost:8443", "https://localhost", "http://localhost:8443"])
async def test_an_answer_from_another_sites_page_counts_for_nothing(door: Door, origin: str) -> None:
    key = Authenticator(BASE_URL)
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        await registered(client, key)
        key.origin = origin
        options = (await client.post("/api/user/passkeys/options")).json()["publicKey"]
        body = {"name": "x", "credential": Authenticator(origin).create(options)}
        refused = await client.post("/api/user/passkeys", json=body)
    async with door.client() as client:
        answer = await sign_in(client, key)
    assert (refused.status_code, refused.json()["code"]) == (400, "validation_error")
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_passkey")


async def test_another_sites_page_cannot_sign_its_visitor_in_by_a_passkey(door: Door) -> None:
    key = Authenticator(BASE_URL)
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        await registered(client, key)
    async with door.client() as client:
        body = {"credential": key.get(await question(client))}
        answer = await client.post("/api/auth/passkey", json=body, headers={"origin": "https://evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused")


async def test_what_one_person_was_asked_makes_no_passkey_for_another(door: Door) -> None:
    async with (
        door.client(await door.add_user("ann", Role.USER)) as ann,
        door.client(await door.add_user("bob", Role.USER)) as bob,
    ):
        options = (await ann.post("/api/user/passkeys/options")).json()["publicKey"]
        body = {"name": "x", "credential": Authenticator(BASE_URL).create(options)}
        answer = await bob.post("/api/user/passkeys", json=body)
        assert (await bob.get("/api/user/passkeys")).json() == {"passkeys": []}
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")


async def test_a_passkey_that_is_known_already_is_not_made_again(door: Door) -> None:
    key = Authenticator(BASE_URL)
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        await registered(client, key)
        options = (await client.post("/api/user/passkeys/options")).json()["publicKey"]
        answer = await client.post("/api/user/passkeys", json={"name": "again", "credential": key.create(options)})
    assert len(options["excludeCredentials"]) == 1
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize("broken", ["signature", "authenticatorData", "userHandle", "clientDataJSON"])
async def test_a_changed_answer_is_refused_whatever_was_changed(door: Door, broken: str) -> None:
    key = Authenticator(BASE_URL)
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        await registered(client, key)
    async with door.client() as client:
        for replacement in ("AAAA", "", "oWFh", "_" * 100, None):
            credential = key.get(await question(client))
            credential["response"][broken] = replacement
            answer = await client.post("/api/auth/passkey", json={"credential": credential})
            if broken == "userHandle" and not replacement:
                assert answer.status_code == 200  # it may be left out: the credential's id says enough
            else:
                assert answer.status_code in {401, 422}, replacement


@pytest.mark.parametrize("replacement", ["AAAA", "", "oWFh", "o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YUA", "_" * 100])
async def test_an_attestation_that_cannot_be_read_is_refused(door: Door, replacement: str) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        options = (await client.post("/api/user/passkeys/options")).json()["publicKey"]
        credential = Authenticator(BASE_URL).create(options)
        credential["response"]["attestationObject"] = replacement
        answer = await client.post("/api/user/passkeys", json={"name": "x", "credential": credential})
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")


async def test_a_banned_person_does_not_come_in_by_a_passkey(door: Door) -> None:
    from sqlalchemy import text

    key = Authenticator(BASE_URL)
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        await registered(client, key)
    async with door.database.write() as db:
        await db.execute(text("UPDATE users SET banned_at = created_at WHERE username = 'ann'"))
    async with door.client() as client:
        answer = await sign_in(client, key)
    assert (answer.status_code, answer.json()["code"]) == (403, "account_banned")


async def test_a_key_without_account_security_makes_no_passkey(door: Door) -> None:  # portal E1.3
    actor = await door.identity.sessions.find(await door.add_user("ann", Role.USER))
    assert actor is not None
    key = await door.identity.api_keys.create(actor, "from OBS", within=("services:read",))
    async with door.client(key.secret) as client:
        assert (await client.post("/api/user/passkeys/options")).status_code == 403


def test_when_too_many_questions_are_open_the_oldest_goes() -> None:
    challenges = Challenges(ManualClock())
    first = challenges.new("x")
    for _ in range(OPEN):
        challenges.new("x")
    assert challenges.take(_client_data(first), "x") is None


def _client_data(challenge: bytes) -> str:
    import base64
    import json

    said = {"challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("=")}
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode()


async def test_nothing_that_is_less_than_the_person_makes_a_passkey(door: Door) -> None:
    token = await door.add_user("ann", Role.USER)
    async with door.client(token) as client:
        made = await client.post("/api/api-keys", json={"name": "ci", "scopes": "account:security"})
        whole = await client.post("/api/api-keys", json={"name": "all"})
        body = {"username": "ann", "password": "ann", "scopes": "account:security"}
        limited = (await client.post("/api/token", json=body)).json()["token"]
        credential = Authenticator(BASE_URL).create(
            (await client.post("/api/user/passkeys/options")).json()["publicKey"]
        )
    for less in (made.json()["api_key"], whole.json()["api_key"], limited):
        async with door.client(less) as client:
            assert (await client.post("/api/user/passkeys/options")).status_code == 403
            answer = await client.post("/api/user/passkeys", json={"name": "mine", "credential": credential})
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
