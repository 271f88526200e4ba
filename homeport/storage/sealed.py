"""Every column that holds sealed values: the one list that rotating keys goes by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Table

from homeport.storage.tables import Base


@dataclass(frozen=True)
class SealedColumn:
    """`context` makes from a row (by column name; it reads `needs` only) what the value was sealed under."""

    table: str
    column: str
    needs: tuple[str, ...]
    context: Callable[[Mapping[str, Any]], str]

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"

    @property
    def of(self) -> Table:
        """The table, once its models are loaded. Raises KeyError before."""
        return Base.metadata.tables[self.table]

    @property
    def values(self) -> Column[Any]:
        return self.of.c[self.column]


SEALED = (
    SealedColumn("services", "variables", ("id",), lambda row: str(row["id"])),
    SealedColumn("releases", "variables", ("service_id",), lambda row: str(row["service_id"])),
    SealedColumn("users", "totp_secret", ("id",), lambda row: f"totp:{row['id']}"),
    SealedColumn("sessions", "oidc_id_token", ("id",), lambda row: f"oidc:{row['id']}"),
)
