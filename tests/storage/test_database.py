"""The database: what is committed stays, what fails leaves nothing, and the schema is what the models say."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, CursorResult, delete, select

import homeport.identity.models
import homeport.relay.models
import homeport.services.models  # noqa: F401 - registers its tables
from homeport.services.models import UploadRow
from homeport.storage import Base, Database
from homeport.storage.migrations import DIRECTORY, HEAD

NOON = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)


def upload(upload_id: str, at: datetime = NOON) -> UploadRow:
    return UploadRow(id=upload_id, owner="usr_1", size=1, sha256="0" * 64, created_at=at, expires_at=at)


def test_head_is_the_newest_migration() -> None:
    assert ScriptDirectory(str(DIRECTORY)).get_current_head() == HEAD


async def test_the_migrations_make_exactly_the_models_tables(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_opening_again_changes_nothing(database: Database) -> None:  # portal E3.37
    async with database.write() as session:
        session.add(upload("upl_1"))
    await database.open()
    async with database.read() as session:
        assert (await session.scalars(select(UploadRow.id))).all() == ["upl_1"]


async def test_a_write_that_raises_leaves_nothing(database: Database) -> None:
    async def fail_half_way() -> None:
        async with database.write() as session:
            session.add(upload("upl_1"))
            await session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail_half_way()
    async with database.read() as session:
        assert (await session.scalars(select(UploadRow.id))).all() == []


async def test_instants_come_back_in_utc_whatever_zone_they_had(database: Database) -> None:
    tokyo = NOON.astimezone(timezone(timedelta(hours=9)))
    async with database.write() as session:
        session.add(upload("upl_1", tokyo))
    async with database.read() as session:
        row = await session.get(UploadRow, "upl_1")
    assert row is not None
    assert row.created_at == NOON
    assert row.created_at.utcoffset() == timedelta()


async def test_an_instant_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(Exception, match="time zone"):
        async with database.write() as session:
            session.add(upload("upl_1", datetime(2026, 1, 1)))  # noqa: DTZ001


async def test_many_writers_at_once_all_succeed(database: Database) -> None:
    async def write(number: int) -> None:
        async with database.write() as session:
            assert await session.get(UploadRow, f"upl_{number}") is None
            session.add(upload(f"upl_{number}"))

    await asyncio.gather(*(write(number) for number in range(40)))
    async with database.read() as session:
        assert len((await session.scalars(select(UploadRow.id))).all()) == 40


async def test_readers_go_on_while_somebody_writes(database: Database) -> None:
    async with database.write() as session:
        session.add(upload("upl_1"))
        await session.flush()
        async with asyncio.timeout(8), database.read() as reader:
            assert (await reader.scalars(select(UploadRow.id))).all() == []


class Trips:
    """Stands before the queue of a connection's thread and counts what is put into it."""

    def __init__(self, connection: Any) -> None:
        self._queue, self.made = connection._tx, 0
        connection._tx = self

    def put_nowait(self, work: object) -> None:
        self.made += 1
        self._queue.put_nowait(work)


async def test_on_sqlite_a_statement_is_one_trip_to_the_connections_thread(sqlite_database: Database) -> None:
    async with sqlite_database.engine.connect() as connection:
        trips = Trips((await connection.get_raw_connection()).driver_connection)
    async with sqlite_database.read() as session:
        await session.scalars(select(UploadRow.id))
        await session.scalars(select(UploadRow))
    assert trips.made == 2
    trips.made = 0
    async with sqlite_database.write() as session:
        session.add(upload("upl_1"))
    assert trips.made == 3  # BEGIN, INSERT, COMMIT


async def test_whoever_is_cancelled_at_a_statement_leaves_nothing_behind(database: Database) -> None:
    async def write(begun: asyncio.Event) -> None:
        async with database.write() as session:
            session.add(upload("upl_1"))
            await session.flush()
            begun.set()
            while True:
                await session.scalar(select(UploadRow.id))

    for _ in range(20):
        begun = asyncio.Event()
        writer = asyncio.create_task(write(begun))
        await begun.wait()
        writer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writer
    async with asyncio.timeout(8), database.write() as session:
        assert await session.get(UploadRow, "upl_1") is None
        session.add(upload("upl_1"))
    async with database.read() as session:
        assert (await session.scalars(select(UploadRow.id))).all() == ["upl_1"]


async def test_a_statement_tells_how_many_rows_it_changed(database: Database) -> None:
    async with database.write() as session:
        session.add_all([upload(f"upl_{number}") for number in range(3)])
    async with database.write() as session:
        changed = await session.execute(delete(UploadRow).where(UploadRow.id != "upl_0"))
        gone = await session.scalars(delete(UploadRow).returning(UploadRow.id))
    assert isinstance(changed, CursorResult)
    assert changed.rowcount == 2
    assert gone.all() == ["upl_0"]


async def fill_and_empty(database: Database) -> None:
    async with database.write() as session:
        for number in range(300):
            row = upload(f"upl_{number}")
            row.owner = "x" * 80
            row.sha256 = "y" * 64
            session.add(row)
    async with database.write() as session:
        await session.execute(delete(UploadRow))


async def test_a_vacuum_gives_back_what_deleted_rows_took(database: Database) -> None:
    await fill_and_empty(database)
    before = await database.size()
    freed = await database.vacuum()
    assert before - await database.size() == freed
    assert freed > 0 or not database.is_sqlite


async def test_a_database_from_before_incremental_vacuum_learns_it(tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    with contextlib.closing(sqlite3.connect(file)) as old:
        old.execute("CREATE TABLE before_us (x)")
        old.commit()
    database = Database(f"sqlite:///{file}")
    await database.open()
    await fill_and_empty(database)
    assert await database.vacuum() > 0
    async with database.engine.connect() as connection:
        assert (await connection.exec_driver_sql("PRAGMA auto_vacuum")).scalar() == 2
    await database.close()
