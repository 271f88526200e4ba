"""Tokens, one's own profile, password and sessions over the API (spec/portal.md A1 and A7)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from homeport.identity import COOKIE, Role, store
from homeport.identity.models import Passkey, User
from homeport.identity.problems import InvalidCredentials
from homeport.identity.sessions import SESSIONS_PER_USER
from homeport.storage import Database
from homeport.testing.door import Door
from homeport.testing.statements import asked

LOGIN = "/api/auth/login"


async def sign_in(door: Door, path: str = LOGIN, **more: Any) -> dict[str, Any]:
    async with door.client() as client:
        answer = await client.post(path, json={"username": "admin", "password": door.password, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def status_of(door: Door, token: str) -> int:
    async with door.client(token) as client:
        return (await client.get("/api/me")).status_code


async def test_ones_own_profile_costs_one_query(door: Door, database: Database) -> None:
    now = door.clock.now()
    other = await door.add_user("other", Role.USER)
    async with database.write() as db:
        names = {user.username: user.id for user in await db.scalars(select(User))}
        for number, owner in enumerate(("admin", "admin", "other")):
            db.add(
                Passkey(
                    id=f"psk_{number}", user_id=names[owner], name=owner, credential=str(number), public_key=b"",
                    sign_count=0, transports=[], created_at=now,
                )
            )  # fmt: skip
    for token, passkeys in ((await door.admin_token(), 2), (other, 1)):
        async with door.client(token) as client:
            await client.get("/api/me")
            with asked(database) as statements:
                answer = await client.get("/api/me")
        assert answer.json()["passkeys"] == passkeys
        assert len(statements) == 1


async def test_a_token_comes_with_its_id_and_its_user_and_without_a_cookie(door: Door) -> None:  # P001
    async with door.client() as client:
        answer = await client.post("/api/token", json={"username": "admin", "password": door.password})
        body = answer.json()
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
        assert body["user"] == {"id": 1, "username": "admin", "is_admin": True}
        assert (body["user_id"], body["scopes"], body["expires_at"]) == (1, ["*"], "2026-04-05T10:00:00Z")
        assert body["token_id"].startswith("ses_")
    assert await status_of(door, body["token"]) == 200


async def test_a_token_may_be_limited_in_what_it_does_and_how_long(door: Door) -> None:  # P001, portal E1.3
    made = await sign_in(door, "/api/token", scopes=["services:read"], name="grafana", expires_hours=1)
    assert (made["scopes"], made["expires_at"]) == (["services:read"], "2026-03-29T11:00:00Z")
    async with door.client(made["token"]) as client:
        assert (await client.get("/api/users")).status_code == 403
        assert (await client.post("/api/api-keys", json={"name": "more"})).status_code == 403
        assert (await client.put("/api/me/nickname", json={"nickname": "x y"})).status_code == 403
        assert (await client.get("/api/tokens")).status_code == 403
    door.clock.advance(3600)
    assert await status_of(door, made["token"]) == 401


async def test_a_token_that_asks_for_more_time_than_a_sign_in_gets_that_of_a_sign_in(door: Door) -> None:  # P001
    assert (await sign_in(door, "/api/token", expires_hours=8760))["expires_at"] == "2026-04-05T10:00:00Z"


@pytest.mark.parametrize("body", [{"username": "admin"}, {"password": "x"}, {"username": "", "password": "x"}, {}])
async def test_a_token_wants_name_and_password(door: Door, body: dict[str, str]) -> None:  # P001
    async with door.client() as client:
        answer = await client.post("/api/token", json=body)
    assert (answer.status_code, answer.json()["status"]) == (400, 400)
    assert set(answer.json()) >= {"error", "status"}


async def test_a_token_for_a_wrong_password_is_401_and_then_429(door: Door) -> None:  # P001, portal E2.18
    async with door.client() as client:
        for _ in range(5):
            answer = await client.post("/api/token", json={"username": "admin", "password": "wrong"})
            assert answer.status_code == 401
        answer = await client.post("/api/token", json={"username": "admin", "password": "wrong"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")


async def test_ones_tokens_are_listed_with_ids_that_revoke_them(door: Door) -> None:  # P006, P007, portal E2.12
    first = await sign_in(door, "/api/token", name="one")
    second = await sign_in(door, "/api/token", name="two")
    async with door.client(first["token"]) as client:
        rows = {row["name"]: row for row in (await client.get("/api/tokens")).json()["tokens"]}
        assert set(rows) == {"one", "two"}
        assert rows["two"]["token_id"] == second["token_id"]
        assert (rows["one"]["current"], rows["two"]["current"], rows["two"]["revoked"]) == (True, False, False)
        answer = await client.post("/api/token/revoke", json={"token_id": rows["two"]["token_id"]})
        assert (answer.status_code, answer.json()) == (200, {"status": "revoked"})
        assert len((await client.get("/api/tokens")).json()["tokens"]) == 1
    assert await status_of(door, second["token"]) == 401


async def test_nobody_revokes_somebody_elses_token(door: Door) -> None:  # P007, portal E2.12
    mine = await sign_in(door, "/api/token")
    async with door.client(await door.add_user("mallory", Role.ADMIN)) as client:
        for token_id in (mine["token_id"], "ses_unknown", "x" * 80):
            answer = await client.post("/api/token/revoke", json={"token_id": token_id})
            assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")
        assert (await client.delete(f"/api/me/sessions/{mine['token_id']}")).status_code == 404
        assert (await client.post("/api/token/revoke", json={})).status_code == 400
    assert await status_of(door, mine["token"]) == 200


async def test_the_profile_has_what_both_editions_of_seed_002_say(door: Door) -> None:  # P060
    async with door.client(await door.admin_token()) as client:
        me = (await client.get("/api/me")).json()
    assert (me["id"], me["username"], me["is_admin"], me["role"]) == (1, "admin", True, "superadmin")
    assert (me["scopes"], me["scopes_list"], me["granted_services"]) == ("*", ["*"], {})
    assert (me["totp_enabled"], me["created_at"]) == (False, "2026-03-29T10:00:00Z")
    assert (me["nickname"], me["status"], me["status_message"], me["chat_anonymous"]) == (None, "online", "", False)
    assert me["avatar"] == {"color": None, "emoji": None, "initials": None}
    assert me["permissions"] == {
        "can_manage_users": True,
        "can_reset_passwords": True,
        "can_delete_users": True,
        "manageable_roles": ["user", "moderator", "admin", "superadmin"],
        "can_add_connections": True,
        "can_add_streams": True,
    }
    assert (me["passkeys"], me["has_password"], me["oidc"], me["customer_id"]) == (0, True, False, None)


async def test_an_ordinary_persons_profile_says_what_they_may_not(door: Door) -> None:  # P060
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        me = (await client.get("/api/me")).json()
    assert (me["scopes"], me["is_admin"]) == ("services:read, access:*", False)
    assert me["permissions"]["manageable_roles"] == []
    assert not me["permissions"]["can_manage_users"]


async def test_a_new_password_ends_all_other_sessions_and_keys_but_the_one_in_use(door: Door) -> None:  # P061, E2.11
    other = await door.admin_token()
    async with door.client(await door.admin_token()) as client:
        key = (await client.post("/api/api-keys", json={"name": "ci"})).json()["api_key"]
        machine = await door.identity.machine.admit(None)
        body = {"current_password": door.password, "new_password": "correct horse"}
        answer = await client.post("/api/me/password", json=body)
        assert answer.status_code == 200
        assert (answer.json()["sessions_ended"], answer.json()["api_keys_revoked"]) == (1, 1)
        assert (await client.get("/api/me")).status_code == 200
    assert await status_of(door, other) == 401
    assert await status_of(door, key) == 401
    assert await status_of(door, machine) == 200
    assert await door.sign_in("admin", "correct horse")


async def test_keys_may_outlive_a_password_when_asked_to(door: Door) -> None:  # P061
    async with door.client(await door.admin_token()) as client:
        key = (await client.post("/api/api-keys", json={"name": "ci"})).json()["api_key"]
        body = {"current_password": door.password, "new_password": "correct horse", "keep_api_keys": True}
        assert (await client.post("/api/me/password", json=body)).json()["api_keys_revoked"] == 0
    assert await status_of(door, key) == 200


async def test_a_new_password_needs_the_old_one_which_cannot_be_guessed(door: Door) -> None:  # P061, portal E2.18
    async with door.client(await door.admin_token()) as client:
        for _ in range(5):
            body = {"current_password": "wrong", "new_password": "correct horse"}
            answer = await client.post("/api/me/password", json=body)
            assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")
        body = {"current_password": door.password, "new_password": "correct horse"}
        assert (await client.post("/api/me/password", json=body)).status_code == 429


@pytest.mark.parametrize("new", ["short", "x" * 129, None])
async def test_a_new_password_has_8_to_128_characters(door: Door, new: str | None) -> None:  # P061
    async with door.client(await door.admin_token()) as client:
        body = {"current_password": door.password, "new_password": new}
        answer = await client.post("/api/me/password", json=body)
    assert (answer.status_code, list(answer.json()["details"]["fields"])) == (400, ["new_password"])


async def test_presence_is_one_of_five_words_and_a_short_message(door: Door) -> None:  # P062
    async with door.client(await door.admin_token()) as client:
        for status in ("online", "away", "busy", "dnd", "offline"):
            answer = await client.put("/api/me/status", json={"status": status, "status_message": "lunch"})
            assert answer.json() == {"status": status, "status_message": "lunch"}
        assert (await client.put("/api/me/status", json={"status": "away"})).json()["status_message"] == "lunch"
        assert (await client.get("/api/me")).json()["status"] == "away"
        for body in ({"status": "gone"}, {}, {"status": "away", "status_message": "x" * 101}):
            assert (await client.put("/api/me/status", json=body)).status_code == 400


async def test_a_nickname_is_set_and_cleared(door: Door) -> None:  # P063
    async with door.client(await door.admin_token()) as client:
        assert (await client.put("/api/me/nickname", json={"nickname": " Big-Boss 1_ "})).json() == {
            "nickname": "Big-Boss 1_"
        }
        for wrong in ("x", "x" * 33, "<b>", "new\nline", "Zoë"):
            assert (await client.put("/api/me/nickname", json={"nickname": wrong})).status_code == 400
        assert (await client.get("/api/me")).json()["nickname"] == "Big-Boss 1_"
        assert (await client.put("/api/me/nickname", json={"nickname": ""})).json() == {"nickname": None}
        assert (await client.put("/api/me/nickname", json={})).status_code == 400


async def test_nobody_is_shown_by_the_name_of_somebody_else(door: Door) -> None:  # P063
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        assert (await client.put("/api/me/nickname", json={"nickname": "Admin"})).status_code == 409
        assert (await client.put("/api/me/nickname", json={"nickname": "Ann"})).status_code == 200


async def test_an_avatar_is_a_colour_an_emoji_and_initials_as_a_whole(door: Door) -> None:  # P064
    async with door.client(await door.admin_token()) as client:
        for emoji in ("🦊", "👩‍👩‍👧‍👦", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "1️⃣", "❤️"):
            given = {"color": "#A1b2C3", "emoji": emoji, "initials": "BB"}
            assert (await client.put("/api/me/avatar", json=given)).json() == {"avatar": given}
        cleared = {"color": "#A1b2C3", "emoji": None, "initials": None}
        assert (await client.put("/api/me/avatar", json={"color": "#A1b2C3"})).json() == {"avatar": cleared}
        assert (await client.get("/api/me")).json()["avatar"] == cleared
        for wrong in ({"color": "red"}, {"emoji": "<b>"}, {"emoji": "12"}, {"initials": "ABC"}, {"emoji": "🦊" * 17}):
            assert (await client.put("/api/me/avatar", json=wrong)).status_code == 400


async def test_anonymous_mode_is_turned_on_and_off(door: Door) -> None:  # P065
    async with door.client(await door.admin_token()) as client:
        for anonymous in (True, False):
            answer = await client.put("/api/me/anonymous", json={"anonymous": anonymous})
            assert answer.json() == {"anonymous": anonymous}
            assert (await client.get("/api/me")).json()["chat_anonymous"] is anonymous
        assert (await client.put("/api/me/anonymous", json={})).status_code == 400


async def test_sessions_are_seen_and_ended_one_by_one_or_all_others(door: Door) -> None:
    mine, second, third = [await door.admin_token() for _ in range(3)]
    async with door.client(mine) as client:
        rows = (await client.get("/api/me/sessions")).json()["sessions"]
        assert [row["current"] for row in rows].count(True) == 1
        assert {(row["method"], row["address"]) for row in rows} == {("password", "192.0.2.1")}
        other = next(row for row in rows if not row["current"])
        assert (await client.delete(f"/api/me/sessions/{other['id']}")).json()["ended"] == 1
        assert (await client.delete(f"/api/me/sessions/{other['id']}")).status_code == 404
        assert (await client.delete("/api/me/sessions")).json() == {"status": "ended", "ended": 1}
        assert len((await client.get("/api/me/sessions")).json()["sessions"]) == 1
    assert [await status_of(door, token) for token in (mine, second, third)] == [200, 401, 401]


async def test_signing_in_answers_as_both_seeds_expect(door: Door) -> None:  # fleet C.2, apps B.1
    body = await sign_in(door)
    assert body["token"] == body["access_token"]
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 7 * 24 * 3600)
    user = body["user"]
    assert (user["role"], user["rank"], user["sub"]) == ("admin", "superadmin", user["id"])
    assert user["roles"] == ["admin", "deployer", "operator", "viewer"]
    async with door.client(body["token"]) as client:
        assert (await client.get("/api/auth/me")).json() == user


@pytest.mark.parametrize(
    ("role", "roles"), [(Role.USER, ["viewer"]), (Role.ADMIN, ["admin", "deployer", "operator", "viewer"])]
)
async def test_the_fleets_roles_are_what_a_person_may_do(door: Door, role: Role, roles: list[str]) -> None:  # fleet C.3
    async with door.client(await door.add_user("ann", role)) as client:
        me = (await client.get("/api/auth/me")).json()
    assert (me["roles"], me["role"]) == (roles, role)


async def test_an_empty_name_or_password_is_422_at_the_fleets_door(door: Door) -> None:  # fleet C.2
    async with door.client() as client:
        for body in ({"username": "", "password": "x"}, {"username": "admin", "password": ""}):
            assert (await client.post(LOGIN, json=body)).status_code == 422


async def test_a_session_that_is_not_to_be_remembered_ends_with_the_browser(door: Door) -> None:
    async with door.client() as client:
        body = {"username": "admin", "password": door.password, "remember": False}
        cookie = (await client.post(LOGIN, json=body)).headers["set-cookie"].lower()
    assert cookie.startswith(COOKIE.lower())
    assert "max-age" not in cookie
    assert "expires" not in cookie


async def test_a_refresh_token_prolongs_the_session_once(door: Door) -> None:  # fleet C.2
    first = await sign_in(door)
    door.clock.advance(timedelta(days=6).total_seconds())
    async with door.client() as client:
        second = (await client.post("/api/auth/refresh", json={"refresh_token": first["refresh_token"]})).json()
        assert (second["expires_at"], second["token_type"]) == ("2026-04-11T10:00:00Z", "Bearer")
        assert second["refresh_token"] != first["refresh_token"]
        again = await client.post("/api/auth/refresh", json={"refresh_token": first["refresh_token"]})
        assert again.status_code == 401
        assert (await client.post("/api/auth/refresh", json={"refresh_token": ""})).status_code == 422
    assert await status_of(door, second["access_token"]) == 200


async def refresh(door: Door, token: str) -> httpx.Response:
    async with door.client() as client:
        return await client.post("/api/auth/refresh", json={"refresh_token": token})


async def test_a_refresh_token_that_comes_again_ends_the_session_and_is_recorded(door: Door) -> None:
    first = await sign_in(door)
    door.clock.advance(3600)
    second = (await refresh(door, first["refresh_token"])).json()
    door.clock.advance(5)
    assert (await refresh(door, first["refresh_token"])).status_code == 401  # twice at once is no theft
    assert await status_of(door, second["access_token"]) == 200
    door.clock.advance(5)
    forged = first["refresh_token"][:-1] + ("0" if first["refresh_token"][-1] != "0" else "1")
    assert (await refresh(door, forged)).status_code == 401
    assert await status_of(door, second["access_token"]) == 200
    assert (await refresh(door, first["refresh_token"])).status_code == 401
    assert await status_of(door, second["access_token"]) == 401
    assert (await refresh(door, second["refresh_token"])).status_code == 401
    async with door.client(await door.admin_token()) as admin:
        found = (await admin.get("/api/admin/audit-log?action=refresh_session&result=refused")).json()["entries"]
    told = [(entry["target_id"], entry["details"]) for entry in found if entry["details"]]
    assert told == [("admin", {"ended": "a refresh token that was used before"})]


async def test_of_two_refreshes_at_once_one_wins_and_the_session_lives(door: Door) -> None:
    first = await sign_in(door)
    door.clock.advance(3600)
    answers = await asyncio.gather(*(refresh(door, first["refresh_token"]) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401]
    [new] = [answer.json()["token"] for answer in answers if answer.status_code == 200]
    assert await status_of(door, new) == 200


async def test_of_too_many_sessions_the_one_that_was_not_used_for_the_longest_time_goes(door: Door) -> None:
    browser = await door.add_user("ann", Role.USER)
    async with door.client(browser) as client:
        me = (await client.get("/api/me")).json()
        [own] = (await client.get("/api/me/sessions")).json()["sessions"]
    async with door.database.read() as db:
        ann = await store.find_user(db, me["user_id"])
    assert ann is not None
    begin = partial(door.identity.sessions.begin, ann, address=None, user_agent=None)
    door.clock.advance(1)
    first = (await begin()).token
    door.clock.advance(1)
    async with door.database.write() as db:
        await store.note_use(db, {own["id"]: door.clock.now()})
    for _ in range(SESSIONS_PER_USER - 1):
        await begin()
    assert len(await door.identity.accounts.sessions(ann.id)) == SESSIONS_PER_USER
    assert (await status_of(door, first), await status_of(door, browser)) == (401, 200)


async def test_unknown_and_known_names_cost_the_same(door: Door) -> None:  # portal E2.18
    passwords = door.identity._passwords
    checked: list[str] = []
    check = passwords._matches

    def counted(password: str, stored: str) -> bool:
        checked.append(stored)
        return check(password, stored)

    passwords._matches = counted  # type: ignore[method-assign]
    async with door.client() as client:
        for name in ("admin", "nobody"):
            answer = await client.post("/api/token", json={"username": name, "password": "wrong"})
            assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")
    costs = [stored.split("$")[:4] for stored in checked]
    assert len(costs) == 2
    assert costs[0] == costs[1]


async def test_a_stranger_who_guesses_does_not_lock_the_owner_out(door: Door) -> None:  # portal E2.18
    async with door.client() as client:
        for _ in range(6):
            answer = await client.post("/api/token", json={"username": "admin", "password": "wrong"})
        assert answer.status_code == 429
    assert await door.sign_in("admin", door.password)  # from another address


@pytest.mark.parametrize("change", ["password", "ban", "removal"])
async def test_a_sign_in_that_is_overtaken_by_a_change_of_its_account_fails(door: Door, change: str) -> None:
    await door.add_user("ann", Role.USER)
    user = await door.identity.check_password("ann", "ann", address="192.0.2.1")
    async with door.client(await door.admin_token()) as client:
        if change == "password":
            await client.post("/api/users/2/reset-password")
        elif change == "ban":
            await client.post("/api/users/2/ban")
        else:
            await client.delete("/api/users/2")
    with pytest.raises(InvalidCredentials):
        await door.identity.sessions.begin(user, address=None, user_agent=None)


async def test_a_password_that_was_changed_is_not_brought_back_by_an_older_hash(door: Door) -> None:
    user = await door.identity.check_password("admin", door.password, address="192.0.2.1")
    password = await door.identity.machine.reset_password("admin")
    async with door.database.write() as db:
        assert not await store.rehash_password(db, user, "another hash of the old one")
    assert await door.sign_in("admin", password)


async def test_a_name_and_an_address_are_changed_one_at_a_time(door: Door) -> None:
    async with door.client(await door.admin_token()) as admin:
        changed = (await admin.patch("/api/me", json={"name": " Ada ", "email": "Ada@Example.org"})).json()
        assert (changed["name"], changed["email"]) == ("Ada", "ada@example.org")
        kept = (await admin.patch("/api/me", json={"name": "Ada L."})).json()
        assert (kept["name"], kept["email"]) == ("Ada L.", "ada@example.org")
        assert await sign_in(door, username="ada@example.org")
        assert (await admin.patch("/api/me", json={"email": None})).json()["email"] is None


async def test_an_address_of_somebody_else_is_refused(door: Door) -> None:
    await door.add_user("ann", Role.USER)
    async with door.client(await door.admin_token()) as admin:
        answer = await admin.patch("/api/me", json={"email": "ANN@example.org"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize("name", [" ", None])
async def test_a_name_cannot_be_taken_away(door: Door, name: str | None) -> None:
    async with door.client(await door.admin_token()) as admin:
        assert (await admin.patch("/api/me", json={"name": name})).status_code == 400


async def test_a_printed_password_counts_as_never_changed(door: Door) -> None:
    async with door.client(await door.admin_token()) as admin:
        assert (await admin.get("/api/me")).json()["password_changed_at"] is None
        body = {"current_password": door.password, "new_password": "seven herons on a roof"}
        assert (await admin.post("/api/me/password", json=body)).status_code == 200
        assert (await admin.get("/api/me")).json()["password_changed_at"] == "2026-03-29T10:00:00Z"


async def test_an_account_without_a_password_is_opened_by_none_and_told_so(door: Door) -> None:  # P061
    token = await door.add_user("ann", Role.USER)
    async with door.database.write() as db:
        user = await store.find_user_by_login(db, "ann")
        assert user is not None
        user.password_hash = ""
    async with door.client(token) as client:
        assert (await client.get("/api/me")).json()["has_password"] is False
        body = {"current_password": "ann", "new_password": "correct horse"}
        answer = await client.post("/api/me/password", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "no_password")
        for password in ("ann", " "):
            answer = await client.post("/api/token", json={"username": "ann", "password": password})
            assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")
