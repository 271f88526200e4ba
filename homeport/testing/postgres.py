"""A real PostgreSQL for tests and benchmarks: made from nothing in under a second, gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

START_SECONDS = 20
# Durability is not what these tests test; the portal asks its own SQLite for it.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=64MB", "max_connections=60")
Rows = Mapping[str, bytes]  # by table, as COPY writes them

_END_THE_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
_RESTART_SEQUENCES = """
SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) FROM pg_sequences
WHERE last_value IS NOT NULL
"""


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    return Path(on_path).parent if on_path else None


def postgres_is_installed() -> bool:
    return _binaries() is not None


class PostgresServer:
    """Listens on a Unix socket in `folder` only. As root it runs as the user postgres, for it refuses root."""

    def __init__(self, folder: Path) -> None:
        binaries = _binaries()
        if binaries is None:
            raise FileNotFoundError("PostgreSQL is not installed: apt-get install postgresql")
        self._binaries = binaries
        self._folder = folder
        self._as_user = (
            ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.geteuid() == 0 else []
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if self._as_user:
            shutil.chown(self._folder, "postgres")
            for parent in (self._folder, *self._folder.parents):  # pytest makes its folders for its own user only
                if parent.owner() == "root" and parent != Path("/"):
                    parent.chmod(parent.stat().st_mode | 0o011)
        data = self._folder / "data"
        self._run(
            "initdb", "-D", str(data), "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"
        )
        options = [word for option in (*FAST, "listen_addresses=") for word in ("-c", option)]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [*self._as_user, str(self._binaries / "postgres"), "-D", str(data), "-k", str(self._folder), *options],
                stdout=log, stderr=log, cwd=self._folder, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run([self._binaries / "pg_isready", "-q", "-h", self._folder], check=False).returncode:
            if time.monotonic() > deadline:
                self._process.kill()
                raise TimeoutError(f"PostgreSQL did not start: {(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self._process.send_signal(signal.SIGQUIT)  # at once: nothing is kept
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)

    def create_database(self, name: str) -> str:
        """Its URL."""
        with self._connected("postgres") as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return f"postgresql://postgres@/{name}?host={self._folder}"

    def rows(self, name: str) -> Rows:
        """Of every table of the database `name`, for `restore`."""
        with self._connected(name) as connection:
            tables = [table for (table,) in connection.execute(_TABLES)]
            return {table: _copied(connection, table) for table in tables}

    def restore(self, name: str, rows: Rows) -> None:
        """End whoever is connected to the database `name`; its tables, which are the same, then hold these rows again.

        Takes a hundredth of a second. Raises RuntimeError when the tables are others.
        """
        with self._connected(name) as connection:
            connection.execute(_END_THE_OTHERS)
            if {table for (table,) in connection.execute(_TABLES)} != rows.keys():
                raise RuntimeError(f"the tables of {name} are no longer the same")
            connection.execute("SET session_replication_role = replica")  # no foreign key is in the way
            names = map(sql.Identifier, rows)
            connection.execute(sql.SQL("; ").join(sql.SQL("DELETE FROM {}").format(table) for table in names))
            connection.execute(_RESTART_SEQUENCES)
            for table, copied in rows.items():
                if copied:
                    into = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))
                    with connection.cursor() as cursor, cursor.copy(into) as copy:
                        copy.write(copied)

    def _connected(self, name: str) -> psycopg.Connection:
        return psycopg.connect(host=str(self._folder), user="postgres", dbname=name, autocommit=True)

    def _run(self, program: str, *arguments: str) -> None:
        argv = [*self._as_user, str(self._binaries / program), *arguments]
        subprocess.run(argv, check=True, capture_output=True, cwd=self._folder, timeout=60)


def _copied(connection: psycopg.Connection, table: str) -> bytes:
    out = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))
    with connection.cursor() as cursor, cursor.copy(out) as copy:
        return b"".join(map(bytes, copy))
