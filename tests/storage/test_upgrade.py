"""A database of an older version: everybody keeps their account, and may do what they might before."""

from __future__ import annotations

from sqlalchemy import Connection, text

from homeport.storage import Database, migrations

PEOPLE = [
    # id, name, role, customer
    ("usr_1", "admin", "admin", None),
    ("usr_2", "second", "admin", None),
    ("usr_3", "looking", "viewer", None),
    ("usr_4", "theirs", "admin", "cust_1"),
]
KEYS = [
    # id, user, name, role
    ("key_1", "usr_1", "The shell of this machine", None),
    ("key_2", "usr_1", "ci", None),
    ("key_3", "usr_1", "watch", "viewer"),
]


def _at_0002(connection: Connection) -> None:
    migrations.upgrade(connection, "0002")
    for id_, name, role, customer in PEOPLE:
        connection.execute(
            text(
                "INSERT INTO users (id, username, name, role, customer_id, password_hash, created_at, updated_at) "
                "VALUES (:id, :name, :name, :role, :customer, 'x', '2026-03-29 12:00:00', '2026-03-29 12:00:00')"
            ),
            {"id": id_, "name": name, "role": role, "customer": customer},
        )
    connection.execute(
        text(
            "INSERT INTO sessions (id, user_id, created_at, expires_at) "
            "VALUES ('ses_1', 'usr_1', '2026-03-29 12:00:00', '2026-03-29 12:00:00')"
        ),
    )
    for number, (key, user, label, within) in enumerate(KEYS):
        connection.execute(
            text(
                "INSERT INTO api_keys (id, user_id, name, role, lookup, secret_sha256, created_at) "
                "VALUES (:id, :user, :name, :role, :lookup, :secret, '2026-03-29 12:00:00')"
            ),
            {"id": key, "user": user, "name": label, "role": within, "lookup": f"l{number}", "secret": b"s"},
        )


async def test_accounts_sessions_and_keys_survive_with_the_roles_and_scopes_of_today(database_url: str) -> None:
    database = Database(database_url)
    async with database.engine.begin() as connection:
        await connection.run_sync(_at_0002)
    await database.open()
    async with database.read() as session:
        people = (await session.execute(text("SELECT username, role, number, scopes FROM users ORDER BY id"))).all()
        keys = (await session.execute(text("SELECT id, style, scopes, number FROM api_keys ORDER BY id"))).all()
        sessions = (await session.execute(text("SELECT id, method FROM sessions"))).all()
        counters = (await session.execute(text("SELECT name, value FROM counters ORDER BY name"))).all()
    await database.close()
    assert [tuple(row) for row in people] == [
        ("admin", "superadmin", 1, None),
        ("second", "admin", 2, None),
        ("looking", "user", 3, None),
        ("theirs", "admin", 4, None),
    ]
    assert [tuple(row) for row in keys] == [
        ("key_1", "machine", "*", 1),
        ("key_2", "apps", "*", 2),
        ("key_3", "apps", "services:read", 3),
    ]
    assert [tuple(row) for row in sessions] == [("ses_1", "password")]
    assert [tuple(row) for row in counters] == [("api_keys", 3), ("users", 4)]
