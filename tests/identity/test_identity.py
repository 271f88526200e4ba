"""The administrator, sign-in, sessions and API keys, on both databases."""

from __future__ import annotations

import asyncio
import base64
import json
import stat
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from sqlalchemy import event, select
from sqlalchemy.engine import Connection
from starlette.requests import HTTPConnection

from homeport.identity import Actor, Role
from homeport.identity.models import ApiKey, Session, User
from homeport.identity.problems import (
    ApiKeyNotFound,
    InvalidCredentials,
    TooManyAttempts,
    Unauthenticated,
    UserNotFound,
)
from homeport.kit.problems import ValidationFailed
from homeport.storage import Database
from homeport.testing.door import Door, open_door
from homeport.testing.waiting import within

READING = ("services:read",)


def connection(token: str) -> HTTPConnection:
    headers = [(b"authorization", f"Bearer {token}".encode())]
    return HTTPConnection({"type": "http", "method": "GET", "scheme": "https", "headers": headers, "query_string": b""})


async def who(door: Door, token: str) -> Actor | None:
    try:
        return (await door.identity.authenticate(connection(token)))[0]
    except Unauthenticated:
        return None


async def test_the_administrator_is_made_once_and_the_password_kept_only_as_a_hash(
    database: Database, tmp_path: Path
) -> None:
    async with open_door(database, tmp_path, administrator=False) as door:
        passwords = await asyncio.gather(*(door.identity.machine.ensure_administrator() for _ in range(3)))
        assert [password for password in passwords if password] == [next(filter(None, passwords))]
        assert await door.identity.machine.ensure_administrator() is None
        async with database.read() as db:
            admin = (await db.scalars(select(User))).one()
        assert (admin.username, admin.role, admin.number) == ("admin", "superadmin", 1)
        assert admin.password_hash.startswith("$argon2id$")
        assert not [row for row in vars(admin).values() if row in passwords and row]


async def test_signing_in_gives_a_session_by_name_in_any_case_or_by_address(door: Door) -> None:
    await door.add_user("ann", Role.USER)
    for login in ("ann", "ANN ", "Ann@Example.org"):
        actor = await who(door, await door.sign_in(login, "ann"))
        assert actor is not None
        assert (actor.kind, actor.name, actor.role) == ("user", "ann", Role.USER)


@pytest.mark.parametrize(
    ("login", "password"), [("admin", "wrong"), ("nobody", "wrong"), ("", ""), ("admin", "x" * 2000)]
)
async def test_a_wrong_name_and_a_wrong_password_look_the_same(door: Door, login: str, password: str) -> None:
    with pytest.raises(InvalidCredentials, match=r"The name or the password is wrong\."):
        await door.sign_in(login, password)


async def test_repeated_failures_wait_even_with_the_right_password(door: Door) -> None:
    for _ in range(5):
        with pytest.raises(InvalidCredentials):
            await door.sign_in("admin", "wrong")
    with pytest.raises(TooManyAttempts):
        await door.admin_token()
    door.clock.advance(2)
    assert await door.admin_token()


async def test_a_token_that_was_tampered_with_is_refused(door: Door, tmp_path: Path) -> None:
    token = await door.admin_token()
    head, claims, signature = token.split(".")
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).decode().rstrip("=")
    other_key = jwt.encode(decoded, "k" * 32, algorithm="HS256", headers=jwt.get_unverified_header(token))
    for forged in (
        f"{head}.{claims}.",
        f"{none}.{claims}.",
        f"{head}.{claims}.{signature[::-1]}",
        other_key,
        "x",
        "a.b.c",
    ):
        assert await who(door, forged) is None
    assert decoded.keys() == {"iss", "aud", "sub", "jti", "iat", "exp"}
    assert stat.S_IMODE((tmp_path / "keys" / "session.key").stat().st_mode) == 0o600


async def test_a_session_ends_when_it_expires(door: Door) -> None:
    token = await door.admin_token()
    assert await who(door, token)
    door.clock.advance(timedelta(hours=door.settings.session_hours).total_seconds() + 1)
    assert await who(door, token) is None


async def test_a_session_outlives_a_restart_of_the_portal(door: Door, database: Database, tmp_path: Path) -> None:
    token = await door.admin_token()
    async with open_door(database, tmp_path) as restarted:
        assert await who(restarted, token)


async def test_signing_out_ends_this_session_at_once_and_no_other(door: Door) -> None:
    first, second = await door.admin_token(), await door.admin_token()
    actor = await who(door, first)
    assert actor is not None
    await door.identity.sign_out(actor)
    assert await who(door, first) is None
    assert await who(door, second)


async def test_a_new_password_signs_out_everywhere(door: Door) -> None:
    token = await door.admin_token()
    actor = await who(door, token)
    assert actor is not None
    key = (await door.identity.api_keys.create(actor, "ci")).secret
    shell = await door.identity.machine.admit(None)
    password = await door.identity.machine.reset_password("admin")
    assert await who(door, token) is None
    assert await who(door, key) is None  # portal E2.11
    assert await who(door, shell)
    with pytest.raises(InvalidCredentials):
        await door.admin_token()
    assert await door.sign_in("admin", password)
    with pytest.raises(UserNotFound):
        await door.identity.machine.reset_password("nobody")


async def test_another_process_ending_a_session_is_noticed_within_seconds(door: Door, database: Database) -> None:
    token = await door.admin_token()
    assert await who(door, token)
    async with database.write() as db:
        for session in await db.scalars(select(Session)):
            await db.delete(session)
    door.clock.advance(5)
    assert await who(door, token) is None


async def test_asking_again_who_somebody_is_costs_no_query(door: Door, database: Database) -> None:
    token, statements = await door.admin_token(), list[str]()

    def count(_connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            statements.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", count)
    for _ in range(10):
        assert await who(door, token)
    assert len(statements) == 1


async def admin(door: Door) -> Actor:
    actor = await who(door, await door.admin_token())
    assert actor is not None
    return actor


async def test_a_key_is_recognised_and_only_the_hash_of_its_secret_is_kept(door: Door, database: Database) -> None:
    new = await door.identity.api_keys.create(await admin(door), "ci")
    actor = await who(door, new.secret)
    assert actor is not None
    assert (actor.kind, actor.credential_id, actor.role) == ("key", new.key.id, Role.SUPERADMIN)
    async with database.read() as db:
        stored = (await db.scalars(select(ApiKey))).one()
    secret = new.secret.rpartition("_")[2]
    assert len(secret) == 43
    assert all(secret.encode() not in str(value).encode() for value in vars(stored).values())


async def test_a_key_with_another_secret_is_refused_before_and_after_it_was_used(door: Door) -> None:
    new = await door.identity.api_keys.create(await admin(door), "ci")
    forged = new.secret[:-1] + ("a" if new.secret[-1] != "a" else "b")
    assert await who(door, forged) is None
    assert await who(door, new.secret)
    assert await who(door, forged) is None
    for odd in ("aap_", "aap_k1_", new.secret + "x", new.secret.upper(), "aap_k1_" + "a" * 12 + "_" + "a" * 43):
        assert await who(door, odd) is None


async def test_a_key_expires(door: Door) -> None:
    until = door.clock.now() + timedelta(hours=1)
    new = await door.identity.api_keys.create(await admin(door), "ci", expires_at=until)
    assert await who(door, new.secret)
    door.clock.advance(3600)
    assert await who(door, new.secret) is None
    with pytest.raises(ValidationFailed):
        await door.identity.api_keys.create(await admin(door), "late", expires_at=until)


async def test_a_revoked_key_is_refused_at_once(door: Door) -> None:
    owner = await admin(door)
    new = await door.identity.api_keys.create(owner, "ci")
    assert await who(door, new.secret)
    await door.identity.revoke_api_key(owner, new.key.id)
    assert await who(door, new.secret) is None
    assert [key.revoked_at for key in await door.identity.api_keys.list_for(owner.id)] == [door.clock.now()]
    await door.identity.delete_api_key(owner, new.key.id)
    with pytest.raises(ApiKeyNotFound):
        await door.identity.revoke_api_key(owner, new.key.id)


async def test_nobody_revokes_another_users_key(door: Door) -> None:
    new = await door.identity.api_keys.create(await admin(door), "ci")
    ann = await who(door, await door.add_user("ann", Role.USER))
    assert ann is not None
    with pytest.raises(ApiKeyNotFound):
        await door.identity.revoke_api_key(ann, new.key.id)
    assert await who(door, new.secret)


async def test_a_key_exceeds_neither_its_user_nor_the_key_that_made_it(door: Door) -> None:
    ann = await who(door, await door.add_user("ann", Role.USER))
    assert ann is not None
    with pytest.raises(ValidationFailed):
        await door.identity.api_keys.create(ann, "more", within=("services:write",))
    until = door.clock.now() + timedelta(hours=1)
    lesser = await door.identity.api_keys.create(await admin(door), "lesser", expires_at=until, within=READING)
    key = await who(door, lesser.secret)
    assert key is not None
    assert key.within == READING
    child = await door.identity.api_keys.create(key, "child")
    made = await who(door, child.secret)
    assert made is not None
    assert (made.within, made.expires_at) == (READING, until)
    with pytest.raises(ValidationFailed):
        await door.identity.api_keys.create(key, "more", within=("services:write",))


async def test_the_last_use_is_listed_at_once_and_written_later(door: Door, database: Database) -> None:
    owner = await admin(door)
    new = await door.identity.api_keys.create(owner, "ci")
    door.clock.advance(30)
    assert await who(door, new.secret)
    used_at = door.clock.now()

    async def stored() -> object:
        async with database.read() as db:
            return await db.scalar(select(ApiKey.last_used_at))

    assert await stored() is None
    assert (await door.identity.api_keys.list_for(owner.id))[0].last_used_at == used_at
    await door.identity.close()
    assert await stored() == used_at


async def test_upkeep_writes_last_uses_and_removes_sessions_that_expired(door: Door, database: Database) -> None:
    owner = await admin(door)
    new = await door.identity.api_keys.create(owner, "ci")
    assert await who(door, new.secret)
    door.clock.advance(timedelta(hours=door.settings.session_hours).total_seconds())

    async def tidied() -> None:
        while True:
            await asyncio.sleep(0.01)
            async with database.read() as db:
                if await db.scalar(select(ApiKey.last_used_at)) and not (await db.scalars(select(Session))).all():
                    return

    upkeep = asyncio.create_task(door.identity.run(), name="upkeep")  # the manual clock never really sleeps
    try:
        await within(5, tidied())
    finally:
        upkeep.cancel()
        await asyncio.gather(upkeep, return_exceptions=True)
