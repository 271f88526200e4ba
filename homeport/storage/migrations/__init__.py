"""Alembic migrations, for SQLite and PostgreSQL alike. `HEAD` is the newest; a test compares it with the scripts."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

HEAD = "0004"
DIRECTORY = Path(__file__).parent


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run what is missing up to `revision`. Imported late: a portal whose schema is current never loads Alembic."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(DIRECTORY))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def revisions() -> set[str]:
    """All that this version knows."""
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory(str(DIRECTORY)).walk_revisions()}
