"""All rows of a database in a form that SQLite and PostgreSQL both read: out of one moment, into an empty schema."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    cast,
    create_engine,
    event,
    select,
    text,
)
from sqlalchemy.engine import make_url

from homeport.kit.problems import Problem

PART_BYTES = 1024 * 1024  # of rows in one part, before it is packed; one row may be longer
_AT_ONCE = 500
_VERSIONS = "alembic_version"


class RowsUnreadable(Problem):
    """Rows that this version cannot keep or bring back; the message says which."""

    code = "rows_unreadable"
    status = 422


@dataclass(frozen=True)
class Part:
    """Some rows of one table: packed lines of JSON, one array a row, in the order of `columns`."""

    table: str
    rows: int
    packed: bytes


@contextlib.contextmanager
def engine_of(url: str) -> Iterator[Engine]:
    """For blocking use. `url` as the setting `database_url` has it, or `sqlite:////path`."""
    parsed = make_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    engine = create_engine(parsed.set(drivername="sqlite" if sqlite else "postgresql+psycopg"), hide_parameters=True)
    if sqlite:
        event.listen(engine, "connect", _leave_transactions_to_us)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    try:
        yield engine
    finally:
        engine.dispose()


def _leave_transactions_to_us(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout=10000")


class Snapshot:
    """One moment of a database, in a transaction that only reads; others go on writing meanwhile."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tables = MetaData()
        self._tables.reflect(connection)

    @classmethod
    @contextlib.contextmanager
    def of(cls, url: str) -> Iterator[Snapshot]:
        """Blocks, as everything here does. Raises RowsUnreadable where there is no schema."""
        with engine_of(url) as engine, engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield cls(connection)

    @property
    def revision(self) -> str:
        """Of the schema. Raises RowsUnreadable where there is none."""
        if _VERSIONS not in self._tables.tables:
            raise RowsUnreadable("The database is empty: there is nothing to keep.")
        return str(self._connection.execute(select(self._tables.tables[_VERSIONS].c.version_num)).scalar_one())

    def columns(self) -> dict[str, list[list[str]]]:
        """Table to its columns, each with its kind, in the order in which rows can be put back."""
        return {
            table.name: [[column.name, _kind(column)] for column in table.columns]
            for table in self._tables.sorted_tables
            if table.name != _VERSIONS
        }

    def counters(self) -> dict[str, int]:
        """Table to the last number that its primary key gave, where the database counts: none is given twice."""
        return dict(counters_of(self._connection, self._tables.sorted_tables))

    def parts(self) -> Iterator[Part]:
        """All rows of all tables, a bounded number at a time."""
        for table in self._tables.sorted_tables:
            if table.name != _VERSIONS:
                yield from self._parts_of(table)

    def _parts_of(self, table: Table) -> Iterator[Part]:
        kinds = [_kind(column) for column in table.columns]
        wanted = [cast(column, Text) if kind == "json" else column for column, kind in zip(table.c, kinds, strict=True)]
        query = select(*wanted).order_by(*table.primary_key.columns).execution_options(yield_per=_AT_ONCE)
        lines: list[str] = []
        size = 0
        for row in self._connection.execute(query):
            values = [_TO[kind](value) if value is not None else None for kind, value in zip(kinds, row, strict=True)]
            lines.append(json.dumps(values, ensure_ascii=False, separators=(",", ":")))
            size += len(lines[-1])
            if size >= PART_BYTES:
                yield _part(table.name, lines)
                lines, size = [], 0
        if lines:
            yield _part(table.name, lines)


def _part(table: str, lines: Sequence[str]) -> Part:
    packed = gzip.compress("\n".join(lines).encode("utf-8", "surrogatepass"), compresslevel=3, mtime=0)
    return Part(table, len(lines), packed)


def counters_of(connection: Connection, tables: Sequence[Table]) -> Iterator[tuple[str, int]]:
    """Tables whose primary key the database itself counts, and the last number that it gave (0: none yet)."""
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        made = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'"
        for (name,) in connection.execute(text(made)).all():
            last = connection.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": name})
            yield str(name), int(last or 0)
        return
    for table in tables:
        key = number_key(table)
        found = key and connection.scalar(
            text("SELECT pg_get_serial_sequence(:name, :key)"), {"name": f'"{table.name}"', "key": key}
        )
        if found:
            row = connection.execute(text(f"SELECT last_value, is_called FROM {found}")).one()  # noqa: S608
            yield table.name, int(row.last_value) if row.is_called else 0


def number_key(table: Table) -> str:
    keys = list(table.primary_key.columns)
    return keys[0].name if len(keys) == 1 and isinstance(keys[0].type, Integer) else ""


def _kind(column: Column[Any]) -> str:
    for kind, types in _KINDS:
        if isinstance(column.type, types):
            return kind
    raise RowsUnreadable(f"The column {column.table.name}.{column.name} is of a kind that a backup does not know.")


def _time(value: datetime) -> str:
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return aware.isoformat()


_KINDS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("json", (JSON,)),
    ("bool", (Boolean,)),
    ("int", (Integer,)),
    ("float", (Float,)),
    ("time", (DateTime,)),
    ("bytes", (LargeBinary,)),
    ("text", (String,)),
)
_TO: Mapping[str, Callable[[Any], Any]] = {
    "json": str,
    "bool": bool,
    "int": int,
    "float": float,
    "time": _time,
    "bytes": lambda value: base64.b64encode(value).decode(),
    "text": str,
}
