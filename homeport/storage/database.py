"""One engine, two kinds of session: `read()` and `write()`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from homeport.storage.migrations import HEAD, upgrade
from homeport.storage.sqlite_connection import connecting

# SQLite waits this long for another process's write; in this process the lock below already queues writers.
BUSY_TIMEOUT_MS = 10_000
VACUUM_PAGES = 500  # given back in one step: 2 MB
_INCREMENTAL = (
    2  # https://sqlite.org/pragma.html#pragma_auto_vacuum; a new database must be told before its first table
)


class Database:
    """SQLite in WAL mode (`sqlite:////path`) or PostgreSQL (`postgresql://…`).

    What `write()` has committed is on disk (synchronous=FULL): an acknowledged change survives a power cut.
    """

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.url = parsed.set(drivername="sqlite+aiosqlite" if self.is_sqlite else "postgresql+asyncpg")
        options: dict[str, Any] = (
            {"pool_reset_on_return": None, "async_creator": connecting(self.url)}
            if self.is_sqlite
            else {"pool_size": 10, "max_overflow": 10}
        )
        self.engine: AsyncEngine = create_async_engine(self.url, hide_parameters=True, **options)
        self._writers: AbstractAsyncContextManager[Any] = asyncio.Lock() if self.is_sqlite else nullcontext()
        self._write_engine = self.engine.execution_options(homeport_write=True)
        if self.is_sqlite:
            event.listen(self.engine.sync_engine, "connect", _configure_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_sqlite)

    async def open(self) -> None:
        """Bring the schema up to date."""
        async with self.engine.connect() as connection:
            current = await connection.run_sync(_current_revision)
        if current != HEAD:
            async with self.engine.begin() as connection:
                await connection.run_sync(upgrade)

    async def close(self) -> None:
        await self.engine.dispose()

    async def size(self) -> int:
        """Bytes that the database takes on disk."""
        query = "SELECT pg_database_size(current_database())"
        if self.is_sqlite:
            query = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        async with self.engine.connect() as connection:
            return int((await connection.execute(text(query))).scalar_one())

    async def vacuum(self) -> int:
        """Give the disk back what deleted rows took; how many bytes. Nothing on PostgreSQL, which sees to it itself.

        In small steps, between which others write. A database made before it could do that is rewritten once.
        """
        if not self.is_sqlite:
            return 0
        before = await self.size()
        async with self._writers, self.engine.connect() as connection:
            if (await connection.exec_driver_sql("PRAGMA auto_vacuum")).scalar() != _INCREMENTAL:
                await connection.exec_driver_sql(f"PRAGMA auto_vacuum={_INCREMENTAL}")
                await connection.exec_driver_sql("VACUUM")
        free = 1
        while free:
            async with self._writers, self.engine.connect() as connection:
                driver: Any = (await connection.get_raw_connection()).driver_connection
                # Not `execute`: this statement gives back one page each time it is stepped, and only a script is
                # stepped to its end.
                await driver.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
                left = (await connection.exec_driver_sql("PRAGMA freelist_count")).scalar_one()
            free = 0 if left == free else left
        return max(0, before - await self.size())

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session for queries; it is not to change anything. On SQLite each statement sees a moment of its own."""
        async with AsyncSession(self.engine, expire_on_commit=False, autoflush=False) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session that commits when the block ends well and rolls back when it raises. Writers queue on SQLite."""
        async with self._writers, AsyncSession(self._write_engine, expire_on_commit=False) as session:
            yield session
            await session.commit()


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the "begin" listener below says BEGIN itself
    cursor = connection.cursor()
    cursor.execute("PRAGMA page_count")
    if cursor.fetchone()[0] == 0:  # of an existing one it would wait for whoever writes
        cursor.execute(f"PRAGMA auto_vacuum={_INCREMENTAL}")
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "cache_size=-4096",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE takes the write lock at once, so that a read-then-write cannot fail half way with SQLITE_BUSY. A read
    # needs none: each of its statements sees the database at one moment, and each BEGIN saved is a trip to a thread.
    if connection.get_execution_options().get("homeport_write", False):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _current_revision(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
