"""TOTP and backup codes: as seed 002 has them, on every path that takes a password, and beside a certificate."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import httpx
import pyotp
import pytest
from cryptography import x509
from starlette.requests import HTTPConnection

from homeport.identity import COOKIE, Role
from homeport.identity.audit.store import after
from homeport.identity.problems import InvalidTotpCode, SecondFactorRequired, TooManyCodes
from homeport.identity.second_factors.totp import matching_step, tidy
from homeport.kit.clock import rfc3339
from homeport.storage import Database
from homeport.testing.door import BASE_URL, Door, open_door

HOME, ELSEWHERE = "192.0.2.1", "198.51.100.7"


def code_of(door: Door, secret: str, steps: int = 0) -> str:
    """What the authenticator app shows now, or some steps of 30 seconds from now."""
    return pyotp.TOTP(secret).at(door.clock.now(), counter_offset=steps)


async def enabled(door: Door, client: httpx.AsyncClient) -> tuple[str, list[str]]:
    """Turn it on for the client's user; the secret and the backup codes. The app's next code is a new one."""
    secret = (await client.post("/api/user/2fa/setup")).json()["secret"]
    answer = await client.post("/api/user/2fa/verify", json={"code": code_of(door, secret)})
    assert answer.status_code == 200, answer.text
    door.clock.advance(60)
    return secret, answer.json()["backup_codes"]


async def acts(door: Door) -> list[tuple[str, str, str]]:
    """Who did what, and how it ended."""
    async with door.database.read() as db:
        return [(row.actor_name, row.action, row.result) for row in await after(db, 0, 500)]


# P071 GET /api/user/2fa/status
async def test_the_status_says_that_it_is_off_and_later_how_many_backup_codes_are_left(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        before = await client.get("/api/user/2fa/status")
        await enabled(door, client)
        after_ = await client.get("/api/user/2fa/status")
    assert before.json() == {"enabled": False, "backup_codes_remaining": 0, "methods": []}
    assert after_.json() == {"enabled": True, "backup_codes_remaining": 10, "methods": ["totp", "backup_code"]}


# P072 POST /api/user/2fa/setup
async def test_set_up_gives_a_secret_its_address_and_a_picture_of_it_once(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        answer = await client.post("/api/user/2fa/setup")
        body = answer.json()
        status = await client.get("/api/user/2fa/status")
    assert set(body) == {"secret", "provisioning_uri", "uri", "issuer", "qr_svg"}
    assert re.fullmatch(r"[A-Z2-7]{32}", body["secret"])
    assert body["uri"] == body["provisioning_uri"]
    parsed = pyotp.parse_uri(body["uri"])
    assert (parsed.secret, parsed.issuer, parsed.name) == (body["secret"], "Homeport", "ann@localhost")
    assert body["qr_svg"].startswith("<svg xmlns=")
    assert "<script" not in body["qr_svg"]
    assert answer.headers["cache-control"] == "no-store"
    assert status.json()["enabled"] is False  # nobody is asked for a code that was never shown to work


# P072
async def test_set_up_while_it_is_on_is_refused(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        await enabled(door, client)
        answer = await client.post("/api/user/2fa/setup")
    assert (answer.status_code, answer.json()["code"]) == (400, "2fa_already_enabled")


# P073 POST /api/user/2fa/verify
async def test_a_right_code_turns_it_on_and_shows_ten_backup_codes(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        secret = (await client.post("/api/user/2fa/setup")).json()["secret"]
        wrong = await client.post("/api/user/2fa/verify", json={"code": code_of(door, secret, 5)})
        right = await client.post("/api/user/2fa/verify", json={"code": code_of(door, secret)})
    assert (wrong.status_code, wrong.json()["error"], wrong.json()["code"]) == (
        401,
        "Invalid TOTP code",
        "invalid_totp_code",
    )
    body = right.json()
    assert (right.status_code, body["status"]) == (200, "enabled")
    assert len(set(body["backup_codes"])) == 10
    assert all(re.fullmatch(r"[0-9A-F]{8}", code) for code in body["backup_codes"])
    assert body["message"]
    assert right.headers["cache-control"] == "no-store"


# P073
async def test_nothing_is_turned_on_that_was_not_set_up(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        answer = await client.post("/api/user/2fa/verify", json={"code": "123456"})
        empty = await client.post("/api/user/2fa/verify", json={})
    assert (answer.status_code, answer.json()["code"]) == (400, "2fa_not_enabled")
    assert (empty.status_code, empty.json()["details"]["fields"]) == (400, {"code": "is required"})


async def test_turning_it_on_ends_the_persons_other_sessions_and_nobody_elses(door: Door) -> None:
    here = await door.add_user("ann", Role.USER)
    there = await door.sign_in("ann", "ann")
    bob = await door.add_user("bob", Role.USER)
    async with door.client(here) as client, door.client(there) as other, door.client(bob) as stranger:
        await enabled(door, client)
        assert (await client.get("/api/auth/me")).status_code == 200
        assert (await other.get("/api/auth/me")).status_code == 401
        assert (await stranger.get("/api/auth/me")).status_code == 200


# P074 POST /api/user/2fa/disable
@pytest.mark.parametrize("by", ["code", "backup code", "password"])
async def test_it_is_turned_off_by_a_code_or_by_the_password(door: Door, by: str) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        secret, backup = await enabled(door, client)
        body = {
            "code": {"code": code_of(door, secret)},
            "backup code": {"code": backup[0]},
            "password": {"password": "ann"},
        }[by]
        answer = await client.post("/api/user/2fa/disable", json=body)
        status = await client.get("/api/user/2fa/status")
    assert (answer.status_code, answer.json()) == (200, {"status": "disabled"})
    assert status.json() == {"enabled": False, "backup_codes_remaining": 0, "methods": []}
    await door.sign_in("ann", "ann")
    assert ("ann", "disable_2fa", "done") in await acts(door)


# P074
async def test_it_stays_on_for_a_wrong_code_a_wrong_password_and_an_empty_body(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        await enabled(door, client)
        wrong = await client.post("/api/user/2fa/disable", json={"code": "DEADBEEF"})
        password = await client.post("/api/user/2fa/disable", json={"password": "bob"})
        empty = await client.post("/api/user/2fa/disable", json={})
        assert (await client.get("/api/user/2fa/status")).json()["enabled"] is True
    assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_totp_code")
    assert (password.status_code, password.json()["code"]) == (401, "invalid_credentials")
    assert empty.status_code == 400
    assert ("ann", "disable_2fa", "refused") in await acts(door)


async def test_turning_off_what_is_off_says_so(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        by_code = await client.post("/api/user/2fa/disable", json={"code": "123456"})
        by_password = await client.post("/api/user/2fa/disable", json={"password": "ann"})
    assert by_code.json()["code"] == by_password.json()["code"] == "2fa_not_enabled"
    assert by_code.status_code == by_password.status_code == 400


async def test_new_backup_codes_replace_the_old_ones(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        secret, old = await enabled(door, client)
        answer = await client.post("/api/user/2fa/backup-codes", json={"code": code_of(door, secret)})
        new = answer.json()["backup_codes"]
        assert len(new) == 10
        assert not set(new) & set(old)
    with pytest.raises(InvalidTotpCode):
        await door.identity.sign_in("ann", "ann", address=HOME, totp_code=old[0])
    await door.identity.sign_in("ann", "ann", address=HOME, totp_code=new[0])


# portal E1.2: the token endpoint of the source ignores the second factor
@pytest.mark.parametrize("path", ["/api/auth/login", "/api/token"])
async def test_every_path_that_takes_a_password_asks_for_the_second_factor(door: Door, path: str) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        secret, _ = await enabled(door, client)
    login = {"username": "ann", "password": "ann"}
    async with door.client() as client:
        asked = await client.post(path, json=login)
        wrong = await client.post(path, json={**login, "totp_code": "000000"})
        right = await client.post(path, json={**login, "totp_code": code_of(door, secret)})
    assert asked.status_code == 401
    assert (asked.json()["error"], asked.json()["code"]) == ("2fa_required", "2fa_required")
    assert asked.json()["details"] == {"methods": ["totp", "backup_code"]}
    assert "set-cookie" not in asked.headers
    assert (wrong.status_code, wrong.json()["error"]) == (401, "Invalid TOTP code")
    assert (right.status_code, bool(right.json()["token"])) == (200, True)


async def test_a_wrong_password_does_not_tell_that_there_is_a_second_factor(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        secret, _ = await enabled(door, client)
    async with door.client() as client:
        body = {"username": "ann", "password": "wrong", "totp_code": code_of(door, secret)}
        answer = await client.post("/api/auth/login", json=body)
    assert answer.json()["code"] == "invalid_credentials"


# host B.5: a replay answers 401 `Invalid TOTP code`
async def test_a_code_is_good_once(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        secret, _ = await enabled(door, client)
    code = code_of(door, secret)
    await door.identity.sign_in("ann", "ann", address=HOME, totp_code=code)
    with pytest.raises(InvalidTotpCode):
        await door.identity.sign_in("ann", "ann", address=ELSEWHERE, totp_code=code)


async def test_the_code_that_turned_it_on_does_not_sign_in(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        secret = (await client.post("/api/user/2fa/setup")).json()["secret"]
        code = code_of(door, secret)
        await client.post("/api/user/2fa/verify", json={"code": code})
    with pytest.raises(InvalidTotpCode):
        await door.identity.sign_in("ann", "ann", address=HOME, totp_code=code)


async def test_of_many_sign_ins_with_the_same_code_at_the_same_moment_one_succeeds(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        secret, backup = await enabled(door, client)
    for code in (code_of(door, secret), backup[3]):
        tries = [door.identity.sign_in("ann", "ann", address=f"192.0.2.{n}", totp_code=code) for n in range(6)]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        assert sorted(type(one).__name__ for one in outcomes) == ["InvalidTotpCode"] * 5 + ["SignIn"]


async def test_a_backup_code_signs_in_once_however_it_is_typed(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        _, backup = await enabled(door, client)
        typed = f" {backup[0][:4].lower()}-{backup[0][4:].lower()} "
        await door.identity.sign_in("ann", "ann", address=HOME, totp_code=typed)
        with pytest.raises(InvalidTotpCode):
            await door.identity.sign_in("ann", "ann", address=HOME, totp_code=backup[0])
        assert (await client.get("/api/user/2fa/status")).json()["backup_codes_remaining"] == 9


async def test_one_persons_codes_are_nobody_elses(door: Door) -> None:
    async with (
        door.client(await door.add_user("ann", Role.USER)) as ann,
        door.client(await door.add_user("bob", Role.USER)) as bob,
    ):
        secret, backup = await enabled(door, ann)
        await enabled(door, bob)
    for code in (code_of(door, secret), backup[0]):
        with pytest.raises(InvalidTotpCode):
            await door.identity.sign_in("bob", "bob", address=HOME, totp_code=code)


@pytest.mark.parametrize(("steps", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_differ_by_one_step(steps: int, good: bool) -> None:
    from homeport.testing.clock import ManualClock

    secret, now = pyotp.random_base32(), ManualClock().now()
    found = matching_step(secret, pyotp.TOTP(secret).at(now, counter_offset=steps), now)
    assert found == (int(now.timestamp()) // 30 + steps if good else None)


@pytest.mark.parametrize("code", ["", "12345", "1234567", "٠١٢٣٤٥", "'; drop", "ZZZZZZZZ", "0" * 32])
async def test_what_is_no_code_is_a_wrong_code(door: Door, code: str) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        await enabled(door, client)
    with pytest.raises(SecondFactorRequired if not code else InvalidTotpCode):
        await door.identity.sign_in("ann", "ann", address=HOME, totp_code=code)


def test_spaces_and_dashes_do_not_count() -> None:
    assert tidy(" 123 456 ") == "123456"
    assert tidy("dead-beef") == "DEADBEEF"


# host B.5, portal E2.18: guesses are limited
async def test_five_wrong_codes_in_two_minutes_close_the_door_for_five(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        secret, _ = await enabled(door, client)
        bodies = [{"code": f"{n:06}"} for n in range(5)]
        answers = [await client.post("/api/user/2fa/backup-codes", json=body) for body in bodies]
        assert [answer.status_code for answer in answers] == [401] * 5
        door.clock.advance(10)
        closed = await client.post("/api/user/2fa/backup-codes", json={"code": code_of(door, secret)})
        assert (closed.status_code, closed.json()["error"]) == (429, "Too many attempts. Try again later.")
        assert closed.json()["retryAfter"] == 290
        assert closed.headers["retry-after"] == "290"
        door.clock.advance(290)
        opened = await client.post("/api/user/2fa/backup-codes", json={"code": code_of(door, secret)})
        assert opened.status_code == 200


async def test_a_stranger_who_guesses_does_not_lock_the_owner_out(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        secret, _ = await enabled(door, client)
    for n in range(5):
        with pytest.raises(InvalidTotpCode):
            await door.identity.sign_in("ann", "ann", address=ELSEWHERE, totp_code=f"{n:06}")
    with pytest.raises(TooManyCodes):
        await door.identity.sign_in("ann", "ann", address=ELSEWHERE, totp_code=code_of(door, secret))
    await door.identity.sign_in("ann", "ann", address=HOME, totp_code=code_of(door, secret))


async def test_many_guesses_at_once_are_no_more_than_five(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        await enabled(door, client)
        answers = await asyncio.gather(
            *(client.post("/api/user/2fa/backup-codes", json={"code": f"{n:08X}"}) for n in range(20))
        )
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 15


async def test_neither_the_secret_nor_a_backup_code_is_readable_in_the_database_or_the_audit_log(door: Door) -> None:
    from sqlalchemy import text

    async with door.client(await door.add_user("ann", Role.USER)) as client:
        secret, backup = await enabled(door, client)
    async with door.database.read() as db:
        row = (await db.execute(text("SELECT totp_secret FROM users WHERE username = 'ann'"))).scalar_one()
        hashes = (await db.execute(text("SELECT sha256 FROM backup_codes"))).scalars().all()
        log = json.dumps([record.details for record in await after(db, 0, 500)])
    assert secret not in row
    assert all(len(one) == 32 for one in hashes)
    assert secret not in log
    assert not any(code in log for code in backup)


async def test_a_secret_in_another_persons_row_is_no_good(door: Door) -> None:
    from sqlalchemy import text

    async with door.client(await door.add_user("ann", Role.USER)) as client:
        secret, _ = await enabled(door, client)
    await door.add_user("bob", Role.USER)
    move = (
        "UPDATE users SET totp_enabled_at = (SELECT totp_enabled_at FROM users WHERE username = 'ann'), "
        "totp_secret = (SELECT totp_secret FROM users WHERE username = 'ann') WHERE username = 'bob'"
    )
    async with door.database.write() as db:
        await db.execute(text(move))
    async with door.client() as client:
        body = {"username": "bob", "password": "bob", "totp_code": code_of(door, secret)}
        answer = await client.post("/api/auth/login", json=body)
    assert (answer.status_code, answer.json()["code"]) == (500, "seal_broken")


async def test_a_key_without_account_security_turns_nothing_on_or_off(door: Door) -> None:  # portal E1.3
    token = await door.add_user("ann", Role.USER)
    actor = await door.identity.sessions.find(token)
    assert actor is not None
    key = await door.identity.api_keys.create(actor, "from OBS", within=("services:read",))
    async with door.client(key.secret) as client:
        answers = [
            await client.post(f"/api/user/2fa/{verb}", json={"code": "123456"})
            for verb in ("setup", "verify", "disable", "backup-codes")
        ]
    assert [answer.status_code for answer in answers] == [403] * 4


async def test_reset_turns_it_off_for_somebody_who_lost_it(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        await enabled(door, client)
    with pytest.raises(SecondFactorRequired):
        await door.sign_in("ann", "ann")
    assert (await door.identity.second_factors.reset("Ann")).username == "ann"
    await door.sign_in("ann", "ann")


# host B.5, the door of those who come by a client certificate


async def test_the_host_door_tells_whether_it_is_on(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.ADMIN)) as client:
        before = (await client.get("/api/settings/2fa")).json()
        await enabled(door, client)
        after_ = (await client.get("/api/settings/2fa")).json()
    assert before == {"enabled": False, "setupComplete": False, "satisfied": True}
    assert after_ == {"enabled": True, "setupComplete": True, "satisfied": True}


async def test_the_host_doors_routes_set_it_up_check_a_code_and_turn_it_off(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.ADMIN)) as client:
        secret = (await client.post("/api/settings/2fa/setup")).json()["secret"]
        confirmed = await client.post("/api/settings/2fa/confirm", json={"code": code_of(door, secret)})
        door.clock.advance(60)
        code = code_of(door, secret)
        checked = await client.post("/api/settings/2fa/verify", json={"code": code})
        again = await client.post("/api/settings/2fa/verify", json={"code": code})
        door.clock.advance(60)
        disabled = await client.post("/api/settings/2fa/disable", json={"code": code_of(door, secret)})
    assert len(confirmed.json()["backup_codes"]) == 10
    assert (checked.status_code, checked.json()["ok"]) == (200, True)
    assert COOKIE not in checked.headers.get("set-cookie", "")  # a session is there already
    assert (again.status_code, again.json()["error"]) == (401, "Invalid TOTP code")
    assert disabled.json() == {"status": "disabled"}


def shown(issued: dict[str, str]) -> dict[str, str]:
    """What a reverse proxy says of a certificate that it has verified."""
    subject = x509.load_pem_x509_certificate(issued["cert"].encode()).subject.rfc4514_string()
    serial = issued["serial"]
    return {"x-ssl-client-verify": "SUCCESS", "x-ssl-client-dn": subject, "x-ssl-client-serial": serial}


# host B.5: 401 2fa_required for people who come by a certificate alone, HTTP and WebSocket; a session of 12 hours
async def test_a_person_with_a_certificate_gives_the_second_factor_once_for_twelve_hours(
    database: Database, tmp_path: Path
) -> None:
    async with open_door(database, tmp_path, settings={"certificate_proxies": ("192.0.2.9",)}) as door:
        async with door.client(await door.add_user("ann", Role.ADMIN)) as client:
            secret, _ = await enabled(door, client)
            issued = (await client.post("/api/me/certificates", json={"label": "laptop", "format": "pem"})).json()
        headers = shown(issued)
        transport = httpx.ASGITransport(app=door.app, client=("192.0.2.9", 4711))
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=headers) as client:
            alone = await client.get("/api/auth/me")
            state = await client.get("/api/settings/2fa")
            health = await client.get("/api/health")
            wrong = await client.post("/api/settings/2fa/verify", json={"code": "000000"})
            right = await client.post("/api/settings/2fa/verify", json={"code": code_of(door, secret)})
            cookie = right.headers["set-cookie"].lower()
            inside = await client.get("/api/auth/me")
            for _ in range(6):
                door.clock.advance(7199)
                assert (await client.get("/api/auth/me")).status_code == 200
            door.clock.advance(12 * 3600 - 1 - 6 * 7199)
            late = await client.get("/api/auth/me")
            door.clock.advance(1)
            expired = await client.get("/api/auth/me")
    assert (alone.status_code, alone.json()["error"]) == (401, "2fa_required")
    assert state.json() == {"enabled": True, "setupComplete": True, "satisfied": False}
    assert health.status_code == 200
    assert (wrong.status_code, wrong.json()["error"]) == (401, "Invalid TOTP code")
    assert right.status_code == 200
    assert "max-age=43200; path=/; samesite=strict; secure" in cookie.replace("httponly; ", "")
    assert (inside.status_code, late.status_code, expired.status_code) == (200, 200, 401)
    assert expired.json()["code"] == "2fa_required"


# host B.5: 12 hours absolute, 2 hours idle
async def test_two_hours_without_a_request_end_what_a_certificates_second_factor_began(
    database: Database, tmp_path: Path
) -> None:
    async with open_door(database, tmp_path, settings={"certificate_proxies": ("192.0.2.9",)}) as door:
        async with door.client(await door.add_user("ann", Role.ADMIN)) as client:
            secret, _ = await enabled(door, client)
            issued = (await client.post("/api/me/certificates", json={"label": "laptop", "format": "pem"})).json()
        transport = httpx.ASGITransport(app=door.app, client=("192.0.2.9", 4711))
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=shown(issued)) as client:
            await client.post("/api/settings/2fa/verify", json={"code": code_of(door, secret)})
            door.clock.advance(7199)
            used = await client.get("/api/auth/me")
            door.clock.advance(7199)
            again = await client.get("/api/auth/me")
            door.clock.advance(7200)
            idle = await client.get("/api/auth/me")
    assert (used.status_code, again.status_code, idle.status_code) == (200, 200, 401)
    assert idle.json()["code"] == "2fa_required"


async def test_somebody_elses_session_is_no_second_factor(database: Database, tmp_path: Path) -> None:
    async with open_door(database, tmp_path, settings={"certificate_proxies": ("192.0.2.9",)}) as door:
        async with door.client(await door.add_user("ann", Role.ADMIN)) as client:
            await enabled(door, client)
            issued = (await client.post("/api/me/certificates", json={"label": "laptop", "format": "pem"})).json()
        bob = await door.add_user("bob", Role.ADMIN)
        headers = {**shown(issued), "cookie": f"{COOKIE}={bob}"}
        transport = httpx.ASGITransport(app=door.app, client=("192.0.2.9", 4711))
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=headers) as client:
            answer = await client.get("/api/auth/me")
    assert (answer.status_code, answer.json()["error"]) == (401, "2fa_required")


# host F20: in the seed, streams go on when the second factor has expired
async def test_whoever_comes_by_a_certificate_is_let_in_no_longer_than_the_second_factor_counts(
    database: Database, tmp_path: Path
) -> None:
    async with open_door(database, tmp_path, settings={"certificate_proxies": ("192.0.2.9",)}) as door:
        async with door.client(await door.add_user("ann", Role.ADMIN)) as client:
            secret, _ = await enabled(door, client)
            issued = (await client.post("/api/me/certificates", json={"label": "laptop", "format": "pem"})).json()
        transport = httpx.ASGITransport(app=door.app, client=("192.0.2.9", 4711))
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=shown(issued)) as client:
            answer = await client.post("/api/settings/2fa/verify", json={"code": code_of(door, secret)})
            headers = {**shown(issued), "cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
        scope = {
            "type": "websocket",
            "scheme": "wss",
            "path": "/api/live",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("192.0.2.9", 4711),
            "server": ("localhost", 8443),
        }
        door.clock.advance(3600)
        actor, via = await door.identity.authenticate(HTTPConnection(scope))
    assert via == "certificate"
    assert actor.expires_at is not None
    assert rfc3339(actor.expires_at) == answer.json()["expires_at"]
