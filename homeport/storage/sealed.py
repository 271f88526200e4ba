"""Every column that holds sealed values: the one list that rotating keys goes by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, ColumnElement, Table, Text, cast

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
    def text(self) -> ColumnElement[str]:
        """The column as text: of JSON, the text that is stored."""
        values = self.of.c[self.column]
        return cast(values, Text) if isinstance(values.type, JSON) else values

    @property
    def before(self) -> str:
        """What stands before a sealed value in that text."""
        return '"' if isinstance(self.of.c[self.column].type, JSON) else ""

    def as_text(self, token: str) -> str:
        """A sealed value as it stands in that text."""
        return f"{self.before}{token}{self.before}"


SEALED = (
    SealedColumn("services", "variables", ("id",), lambda row: str(row["id"])),
    SealedColumn("releases", "variables", ("service_id",), lambda row: str(row["service_id"])),
    SealedColumn("shares", "key", ("id",), lambda row: f"share {row['id']}"),
    SealedColumn("users", "totp_secret", ("id",), lambda row: f"{row['id']}/totp"),
    # an option that is a secret: sealed under its own name
    SealedColumn("options", "value", ("name",), lambda row: str(row["name"])),
    SealedColumn("sessions", "oidc_id_token", ("id",), lambda row: f"oidc:{row['id']}"),
)
