"""Fixtures that every part's tests share: both databases, for real."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from homeport.identity import credentials
from homeport.storage import Database
from homeport.testing.docker import DockerEngine, docker_is_installed
from homeport.testing.postgres import PostgresServer, Rows, postgres_is_installed

# Signing in takes long on purpose. What it proves is the same after one pass over little memory.
credentials.PASSES, credentials.MEMORY_KIB = 1, 64
# Hypothesis would fail an example for 200 ms on the wall, and a property for a second in which it thought of examples:
# a busy machine takes that for any of them.
settings.register_profile("homeport", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("homeport")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL of this test run's own, on a socket in a temporary directory."""
    if not postgres_is_installed():
        pytest.skip("PostgreSQL is not installed (Debian package postgresql): `make test` says how")
    # Not in pytest's own folder: each start of pytest shuts that for other users, and under root PostgreSQL is one.
    with tempfile.TemporaryDirectory(prefix="homeport-postgres-") as folder, PostgresServer(Path(folder)) as server:
        yield server


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerEngine]:
    """A Docker engine of this test run's own (of each worker's, under xdist), with nothing in it."""
    if not docker_is_installed():
        pytest.skip("no Docker engine can be started here (root, Debian package docker.io): `make test` says how")
    with DockerEngine() as engine:
        yield engine


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database, to copy: the migrations take longer than most tests."""
    file = tmp_path_factory.mktemp("migrated") / "homeport.db"
    _migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: PostgresServer) -> tuple[str, Rows]:
    """A migrated database that serves one test after the other, as it was at first: its URL, and what it then holds."""
    url = postgres_server.create_database("migrated")
    _migrate(url)
    return url, postgres_server.rows("migrated")


def _migrate(url: str) -> None:
    async def migrate() -> None:
        database = Database(url)
        await database.open()
        await database.close()

    with ThreadPoolExecutor() as thread:  # where no event loop runs
        thread.submit(asyncio.run, migrate()).result()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database, on each engine in turn: migrated for who also asks for `database`, without a table for others."""
    migrated = "database" in request.fixturenames
    if request.param == "sqlite":
        if migrated:
            shutil.copyfile(request.getfixturevalue("migrated_sqlite"), tmp_path / "homeport.db")
        yield f"sqlite:///{tmp_path}/homeport.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    if migrated:
        url, rows = request.getfixturevalue("migrated_postgres")
        yield url
        server.restore("migrated", rows)
    else:
        yield server.create_database(f"t{uuid4().hex[:12]}")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A migrated database, on each engine in turn."""
    database = Database(database_url)
    await database.open()
    yield database
    await database.close()
    await asyncio.sleep(0)


@pytest.fixture
async def sqlite_database(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """A migrated SQLite database, for what does not depend on the engine."""
    shutil.copyfile(migrated_sqlite, tmp_path / "sqlite.db")
    database = Database(f"sqlite:///{tmp_path}/sqlite.db")
    await database.open()
    yield database
    await database.close()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """As `homeport up` does: what is loaded by now stays, and need not be searched for cycles again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI nothing is left out: a skipped test fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("In CI no test may be left out: install what the skipped ones need.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
