"""Putting portable rows back into a database, whichever it is."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, MetaData, func, select, text

from homeport.storage.portable import RowsUnreadable, counters_of, number_key


class Loader:
    """Puts rows into a schema that is there and empty, inside the caller's transaction."""

    def __init__(self, connection: Connection, columns: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._connection = connection
        self._columns = columns
        self._sqlite = connection.dialect.name == "sqlite"
        self._tables = MetaData()
        self._tables.reflect(connection)
        for name, described in columns.items():
            table = self._tables.tables.get(name)
            if table is None or {column.name for column in table.columns} != {column for column, _ in described}:
                raise RowsUnreadable(f"The table {name} is not as its schema says.")
        for table in reversed(self._tables.sorted_tables):  # a migration may have put rows in
            if table.name in columns:
                connection.execute(table.delete())

    def load(self, table: str, packed: bytes) -> int:
        """How many rows. Raises RowsUnreadable for what the database refuses."""
        described = self._columns[table]
        kinds = [kind for _, kind in described]
        rows = [
            {
                f"v{place}": None if value is None else self._from(kind, value)
                for place, (kind, value) in enumerate(zip(kinds, json.loads(line), strict=True))
            }
            for line in gzip.decompress(packed).decode("utf-8", "surrogatepass").split("\n")
        ]
        names = ", ".join(f'"{name}"' for name, _ in described)
        values = ", ".join(
            f"CAST(:v{place} AS JSON)" if kind == "json" and not self._sqlite else f":v{place}"
            for place, kind in enumerate(kinds)
        )
        try:
            self._connection.execute(text(f'INSERT INTO "{table}" ({names}) VALUES ({values})'), rows)  # noqa: S608
        except Exception as problem:
            raise RowsUnreadable(
                f"The database does not take the rows of {table} ({type(problem).__name__})."
            ) from problem
        return len(rows)

    def finish(self, counters: Mapping[str, int]) -> None:
        """Go on counting where the other database was. Raises RowsUnreadable for rows that belong to nothing."""
        if self._sqlite:
            if broken := self._connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise RowsUnreadable(f"A row of {broken[0]} belongs to nothing.")
            for name, _ in counters_of(self._connection, self._tables.sorted_tables):
                self._connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": name})
                self._connection.execute(
                    text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"),
                    {"name": name, "seq": max(counters.get(name, 0), self._highest(name))},
                )
            return
        for name, _ in counters_of(self._connection, self._tables.sorted_tables):
            last = max(counters.get(name, 0), self._highest(name))
            if last:
                self._connection.execute(
                    text("SELECT setval(pg_get_serial_sequence(:name, :key), :last)"),
                    {"name": f'"{name}"', "key": number_key(self._tables.tables[name]), "last": last},
                )

    def _highest(self, name: str) -> int:
        table = self._tables.tables[name]
        return int(self._connection.scalar(select(func.max(table.c[number_key(table)]))) or 0)

    def _from(self, kind: str, value: Any) -> Any:
        if kind == "bytes":
            return base64.b64decode(value)
        if kind == "time":
            instant = datetime.fromisoformat(value)
            # as storage.tables.Instant keeps it: SQLite has no zones
            return instant.replace(tzinfo=None).isoformat(" ", "microseconds") if self._sqlite else instant
        return value
