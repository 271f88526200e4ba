"""SQLite off the event loop: a statement is one trip to its connection's thread, with aiosqlite's own cursor four."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Self

import aiosqlite
from sqlalchemy import URL


def connecting(url: URL) -> Callable[[], Awaitable[SqliteConnection]]:
    """What opens a connection to `url`, for `create_async_engine(async_creator=…)`."""
    given, options = url.get_dialect()().create_connect_args(url)
    connector = partial(sqlite3.connect, *given, **options)

    async def connect() -> SqliteConnection:
        connection = SqliteConnection(connector)
        await connection
        return connection

    return connect


class Answer(NamedTuple):
    """What a statement gave: sqlite3.Cursor's attributes, and every row."""

    description: Any
    rows: list[Any]
    rowcount: int
    lastrowid: int | None


class SqliteConnection(aiosqlite.Connection):
    """As SQLAlchemy uses it: nothing streams, so each statement's rows are fetched where it was executed."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, iter_chunk_size=64)
        self._thread.daemon = True  # a connection that nobody closed does not keep the process

    def cursor(self) -> Cursor:  # type: ignore[override]
        return Cursor(self)

    async def rollback(self) -> None:
        """Nothing to do after a read, which begins no transaction."""
        if self.in_transaction:
            await super().rollback()

    async def run(self, many: bool, sql: str, parameters: Any) -> Answer:
        """Execute a statement, once or for `many` parameters, in one trip."""
        given: Answer = await self._execute(self._run, many, sql, parameters)  # type: ignore[no-untyped-call]
        return given

    def _run(self, many: bool, sql: str, parameters: Any) -> Answer:
        cursor = self._conn.cursor()
        try:
            (cursor.executemany if many else cursor.execute)(sql, parameters)
            rows = cursor.fetchall() if cursor.description else []
            return Answer(cursor.description, rows, cursor.rowcount, cursor.lastrowid)
        finally:
            cursor.close()


class Cursor:
    """As SQLAlchemy uses one; the real cursor was closed by the thread that used it, cancelled or not."""

    def __init__(self, connection: SqliteConnection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, operation: str, parameters: Sequence[Any] = ()) -> None:
        await self._run(False, operation, parameters)

    async def executemany(self, operation: str, parameters: Sequence[Sequence[Any]]) -> None:
        await self._run(True, operation, parameters)

    async def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        self._rows = []

    async def _run(self, many: bool, sql: str, parameters: Any) -> None:
        self.description, self._rows, self.rowcount, self.lastrowid = await self._connection.run(many, sql, parameters)
