"""Rotating keys: a new one seals, every value is wrapped anew, and a kill in the middle loses nothing."""

from __future__ import annotations

import ast
import asyncio
import re
import signal
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select, update

import homeport.identity.models  # noqa: F401 - registers its tables
from homeport.identity import openid, second_factors
from homeport.kit.ids import new_id
from homeport.kit.problems import Conflict
from homeport.kit.sealing import Sealer, key_id_of
from homeport.services.models import ServiceRow
from homeport.storage import Database, KeyRotation, Options
from homeport.storage.sealed import SEALED
from homeport.testing.clock import ManualClock

ROTATE = """
import asyncio, itertools, os, signal, sys
from pathlib import Path
import homeport.identity.models, homeport.services.models
from homeport.kit.clock import SystemClock
from homeport.kit.sealing import Sealer
from homeport.storage import Database, KeyRotation, rotation
rotation.BATCH = 3
replace, counted = rotation._replace, itertools.count()

async def replace_until_killed(*given):
    if next(counted) == 61:  # the second value of a batch: the first one is not committed yet
        os.kill(os.getpid(), signal.SIGKILL)
    return await replace(*given)

rotation._replace = replace_until_killed
database = Database(sys.argv[1])
asyncio.run(KeyRotation(database, Sealer(Path(sys.argv[2])), SystemClock()).rotate(drop_old=True, settle=0))
"""


class Safe:
    """A database with sealed variables in it, its keys, and a rotation."""

    def __init__(self, database: Database, key_dir: Path) -> None:
        self.database = database
        self.key_dir = key_dir
        self.clock = ManualClock()
        self.sealer = Sealer(key_dir)
        self.rotation = KeyRotation(database, self.sealer, self.clock)

    async def fill(self, count: int) -> None:
        now = self.clock.now()
        async with self.database.write() as db:
            for number in range(count):
                service_id = new_id("svc")
                db.add(
                    ServiceRow(
                        id=service_id, name=f"app-{number}", deploy_method="upload",
                        variables=self.sealer.seal(f"value {number}", service_id), cpu_limit=1.0,
                        memory_limit_mb=64, status="stopped", created_at=now, updated_at=now,
                    )
                )  # fmt: skip

    async def tokens(self) -> dict[str, tuple[str, str]]:
        """Name to id and sealed value."""
        async with self.database.read() as db:
            rows = (await db.execute(select(ServiceRow.name, ServiceRow.id, ServiceRow.variables))).all()
        return {name: (service_id, token) for name, service_id, token in rows}

    async def opened(self) -> dict[str, str]:
        """Every value, opened with what the key file has now and nothing remembered."""
        sealer = Sealer(self.key_dir)
        return {name: sealer.open(token, service_id) for name, (service_id, token) in (await self.tokens()).items()}

    async def keys_in_use(self) -> set[str]:
        return {key_id_of(token) for _, token in (await self.tokens()).values()}


@pytest.fixture
def safe(database: Database, tmp_path: Path) -> Safe:
    return Safe(database, tmp_path / "keys")


async def test_every_value_is_wrapped_anew_and_opens(safe: Safe) -> None:
    await safe.fill(450)  # more than two batches
    before = safe.sealer.current
    done = await safe.rotation.rotate()
    assert (done.rewrapped, done.resumed, done.broken, done.dropped, done.kept) == (450, False, (), (), (before,))
    assert await safe.keys_in_use() == {done.key}
    assert await safe.opened() == {f"app-{number}": f"value {number}" for number in range(450)}


async def test_the_list_of_keys_says_since_when_and_for_how_many(safe: Safe) -> None:
    await safe.fill(3)
    first = safe.sealer.current
    done = await safe.rotation.rotate()
    uses = await safe.rotation.uses()
    assert [(use.id, use.current, use.values) for use in uses] == [(done.key, True, 3), (first, False, 0)]
    assert uses[0].made_at == safe.clock.now()
    assert uses[1].made_at is not None


async def test_an_old_key_is_dropped_when_nothing_needs_it(safe: Safe) -> None:
    await safe.fill(3)
    first = safe.sealer.current
    done = await safe.rotation.rotate(drop_old=True)
    assert (done.dropped, done.kept) == ((first,), ())
    assert len(await safe.opened()) == 3


async def test_an_old_key_stays_while_a_value_anywhere_needs_it(safe: Safe) -> None:
    options = Options(safe.database)
    await options.set({"mail": {"password": safe.sealer.seal("a", "mail")}}, now=safe.clock.now(), by="usr_1")
    first = safe.sealer.current
    done = await safe.rotation.rotate(drop_old=True)
    assert (done.dropped, done.kept) == ((), (first,))


async def test_a_secret_option_is_wrapped_anew(safe: Safe) -> None:
    options = Options(safe.database)
    values: dict[str, object] = {"plain": "text", "number": 5, "dns": safe.sealer.seal("s3cret", "dns")}
    await options.set(values, now=safe.clock.now(), by="")
    done = await safe.rotation.rotate(drop_old=True)
    assert (done.rewrapped, done.kept) == (1, ())
    after = Options(safe.database)
    await after.open()
    assert Sealer(safe.key_dir).open(after.get("dns"), "dns") == "s3cret"
    assert (after.get("plain"), after.get("number")) == ("text", 5)


async def test_a_value_that_no_key_opens_is_reported_and_its_key_kept(safe: Safe) -> None:
    await safe.fill(2)
    first = safe.sealer.current
    async with safe.database.write() as db:
        await db.execute(
            update(ServiceRow)
            .where(ServiceRow.name == "app-0")
            .values(variables=safe.sealer.seal("a", "the context of something else"))
        )
    done = await safe.rotation.rotate(drop_old=True)
    assert (done.rewrapped, done.broken, done.kept) == (1, ("services.variables",), (first,))
    again = await safe.rotation.rotate()
    assert not again.resumed  # what cannot be opened does not keep the next key away


async def test_a_value_written_meanwhile_is_not_overwritten(safe: Safe) -> None:
    await safe.fill(300)
    names = sorted(await safe.tokens())

    async def write() -> None:
        for name in names[::7]:
            async with safe.database.write() as db:
                service = (await db.scalars(select(ServiceRow).where(ServiceRow.name == name))).one()
                service.variables = safe.sealer.seal("written meanwhile", service.id)

    await asyncio.gather(safe.rotation.rotate(), write())
    opened = await safe.opened()
    assert {opened[name] for name in names[::7]} == {"written meanwhile"}
    assert len(await safe.keys_in_use()) == 1


async def test_one_rotation_at_a_time(safe: Safe) -> None:
    await safe.fill(50)
    first = asyncio.create_task(safe.rotation.rotate())
    await asyncio.sleep(0)
    with pytest.raises(Conflict):
        await safe.rotation.rotate()
    await first
    assert len(await safe.rotation.uses()) == 2


async def test_a_rotation_goes_on_when_its_caller_leaves(safe: Safe) -> None:
    await safe.fill(50)
    caller = asyncio.create_task(safe.rotation.rotate())
    await asyncio.sleep(0)
    caller.cancel()
    deadline = time.monotonic() + 10
    while len(safe.sealer.key_ring()) < 2 or await safe.keys_in_use() != {safe.sealer.current}:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_a_killed_rotation_loses_nothing_and_is_finished_by_the_next(safe: Safe, database_url: str) -> None:
    await safe.fill(600)
    first = safe.sealer.current
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", ROTATE, database_url, str(safe.key_dir))
    assert await asyncio.wait_for(process.wait(), 60) == -signal.SIGKILL
    assert first in await safe.keys_in_use()
    assert len(await safe.opened()) == 600
    added = Sealer(safe.key_dir).current
    done = await KeyRotation(safe.database, Sealer(safe.key_dir), safe.clock).rotate(drop_old=True, settle=0)
    assert (done.resumed, done.key, done.dropped) == (True, added, (first,))
    assert done.rewrapped == 540
    assert await safe.keys_in_use() == {added}
    assert len(await safe.opened()) == 600


def test_every_column_with_sealed_values_is_listed() -> None:
    listed = {str(column) for column in SEALED}
    for column in SEALED:
        assert column.column in column.of.c
        assert all(name in column.of.c for name in column.needs)
    said = set()
    for file in Path("homeport").glob("*/models.py"):
        table = ""
        for line in file.read_text().splitlines():
            if found := re.match(r'    __tablename__ = "(\w+)"', line):
                table = found[1]
            elif (found := re.match(r"    (\w+): Mapped.*#.*\bsealed\b", line)) or (
                found := re.match(r"    (\w*(?:sealed|secret)\w*): Mapped\[str", line)
            ):
                said.add(f"{table}.{found[1]}")
    assert said - listed == set(), "a column is said to be sealed: name it in storage/sealed.py"
    assert {"services.variables", "users.totp_secret"} <= said


# Who seals, and where it is kept.
SEALERS = {
    "kit/sealing.py": "itself",
    "services/variables.py": "services.variables, releases.variables",
    "services/shares/shares.py": "shares.key",
    "identity/second_factors/__init__.py": "users.totp_secret",
    "identity/openid/__init__.py": "sessions.oidc_id_token",
    "identity/openid/sign_in.py": "a cookie that lives for minutes",
    "relay/certificates/provider_secrets.py": "options.value",
}


def test_everything_that_seals_is_known_here() -> None:
    found = set()
    for file in Path("homeport").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in {"seal", "_wrapped"} and isinstance(node.ctx, ast.Load):
                on = ast.unparse(node.value)
                if on.endswith("sealer") or file.name == "sealing.py":
                    found.add(str(file.relative_to("homeport")))
    assert found == set(SEALERS), "say here where it is kept, and name its column in storage/sealed.py"


def test_the_contexts_are_those_of_the_owners() -> None:
    contexts = {str(column): column.context for column in SEALED}
    assert contexts["users.totp_secret"]({"id": "usr_1"}) == second_factors._context("usr_1")
    assert contexts["sessions.oidc_id_token"]({"id": "ses_1"}) == openid._context("ses_1")
