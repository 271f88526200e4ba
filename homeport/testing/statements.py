"""What a call asks of the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from homeport.storage import Database


@contextmanager
def asked(database: Database) -> Iterator[list[str]]:
    """The statements that are sent within the block, transactions' beginnings left out."""
    statements: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            statements.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", hear)
    try:
        yield statements
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", hear)
