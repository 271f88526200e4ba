"""What an administrator sets while the portal runs: named values in the database, read once and kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from homeport.storage.database import Database
from homeport.storage.tables import Base, Instant, Json


class Option(Base):
    __tablename__ = "options"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[Any] = mapped_column(Json, nullable=True)
    changed_at: Mapped[datetime] = mapped_column(Instant)
    changed_by: Mapped[str] = mapped_column(String(40))  # a user's id, or empty


class Options:
    """Owns the table `options`. A part asks `get(name, default)` each time it needs a value: that costs a look-up in a
    dictionary. `open()` before use."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._values: dict[str, Any] = {}

    async def open(self) -> None:
        """Read all of them, also what another process has set meanwhile."""
        async with self._database.read() as db:
            rows = (await db.execute(select(Option.name, Option.value))).all()
        self._values = {row.name: row.value for row in rows}

    def get(self, name: str, default: Any = None) -> Any:
        """The value as JSON has it; `default` when nobody set it."""
        return self._values.get(name, default)

    async def set(self, values: dict[str, Any], *, now: datetime, by: str) -> None:
        """All of them or none; on disk when this returns. Names are at most 64 characters."""
        async with self._database.write() as db:
            for name, value in values.items():
                await db.merge(Option(name=name, value=value, changed_at=now, changed_by=by))
        self._values.update(values)
