"""What a portal that nobody uses keeps in memory; `python -m bench idle` has the sum."""

from __future__ import annotations

import pytest

from homeport.testing.portal import PortalProcess

# Each of them costs 0.3 to 10 MB, and somebody has to ask for something before it is needed.
HEAVY = {
    "PIL",
    "aiodocker",
    "aiohttp",
    "aioquic",
    "alembic",
    "asyncpg",
    "coincurve",
    "dbos",
    "dns",
    "homeport.cli.app",
    "homeport.services.analysis.analyse",
    "homeport.services.drivers.compose",
    "homeport.services.drivers.swarm",
    "httpx",
    "psutil",
    "psycopg",
    "pygments",
    "pyotp",
    "redis",
    "rich.console",
    "segno",
    "sqlalchemy.dialects.postgresql",
    "tarfile",
    "webauthn",
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The modules that a second start loads: the first one also makes the database."""
    with PortalProcess(tmp_path_factory.mktemp("idle")) as portal:
        portal.stop()
        portal.log.unlink()
        portal.environment["PYTHONPROFILEIMPORTTIME"] = "1"
        portal.start()
        portal.fetch("", "/api/health").raise_for_status()
        portal.stop()
        lines = portal.log.read_text().splitlines()
    return {line.rsplit("|", 1)[1].strip() for line in lines if line.startswith("import time:")}


def test_an_idle_portal_loads_nothing_heavy_that_nobody_asked_for(loaded: set[str]) -> None:
    assert {"homeport.portal", "sqlalchemy.dialects.sqlite"} <= loaded
    assert loaded & HEAVY == set()
