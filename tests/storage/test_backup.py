"""Backup and restore: everything comes back, on either database, or nothing changes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

import homeport.identity.models
import homeport.relay.models
import homeport.services.models  # noqa: F401 - registers its tables
from homeport.kit import sealed_file
from homeport.kit.files import atomic_write
from homeport.kit.problems import Conflict, Problem
from homeport.kit.sealed_file import FileDamaged, NotSealed, PassphraseWrong
from homeport.storage import Base, migrations
from homeport.storage.backup import BackupImpossible, Kept, write_backup
from homeport.storage.into_place import finish_restore
from homeport.storage.portable import RowsUnreadable, engine_of
from homeport.storage.restore import (
    BackupTooNew,
    Found,
    Restored,
    RestoreImpossible,
    check_backup,
    restore_backup,
)
from homeport.testing.postgres import PostgresServer

WORDS = "correct horse battery staple"
NOON = datetime(2026, 3, 29, 12, 0, 0, 123456, tzinfo=UTC)
RESTORE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from homeport.storage.restore import restore_backup

def ready(*_):
    print("ready", flush=True)
    sys.stdin.read()

restore_backup(
    Path(sys.argv[1]), sys.argv[2], data_dir=Path(sys.argv[3]), database_url=None, sqlite=True, force=True,
    now=datetime.now(UTC), ready=ready,
)
"""
Rows = dict[str, list[tuple[Any, ...]]]
Databases = Callable[[str], str]


@pytest.fixture(autouse=True)
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The passphrase's key costs less here than it should: the file says how much, so reading needs no change."""
    monkeypatch.setattr(sealed_file, "_MEMORY_KIB", 1024)


@pytest.fixture
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Databases:
    """An empty database of either kind: its URL."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/{uuid4().hex}.db"
        server: PostgresServer = request.getfixturevalue("postgres_server")
        return server.create_database(f"t{uuid4().hex[:12]}")

    return make


class Machine:
    """A data directory and a database with something of everything."""

    def __init__(self, folder: Path, url: str) -> None:
        self.data_dir = folder
        self.url = url

    def fill(self) -> None:
        atomic_write_in(self.data_dir / "keys" / "seal.key", b"k1 AAAA\n", 0o600)
        atomic_write_in(self.data_dir / "ca" / "ca.pem", b"certificate", 0o644)
        atomic_write_in(self.data_dir / "portal-id", b"0123456789abcdef", 0o644)
        atomic_write_in(self.data_dir / "homeport.toml", b'domain = "example.org"\n', 0o600)
        atomic_write_in(self.data_dir / "uploads" / "upl_1", os.urandom(3_000_000), 0o644)
        service = self.data_dir / "services" / "svc_1"
        atomic_write_in(service / "data" / "deep" / "note \N{HOT BEVERAGE}", b"kept", 0o640)
        (service / "data" / "link").symlink_to("/etc/hostname")
        (service / "data" / "empty").mkdir()
        atomic_write_in(service / "logs" / "app.log", b"not kept", 0o644)
        atomic_write_in(service / "releases" / "rel_1" / "main.py", b"built", 0o644)
        for name in ("homeport.lock", "local.json", "durable.db"):
            atomic_write_in(self.data_dir / name, b"of this process", 0o600)
        with engine_of(self.url) as engine, engine.begin() as connection:
            migrations.upgrade(connection)
            for table in Base.metadata.sorted_tables:
                if table.name == "counters":
                    connection.execute(table.insert(), [{"name": "things", "value": 7}])
                elif table.name == "options":
                    values: tuple[Any, ...] = (
                        None,
                        5,
                        "text",
                        {"a": [1, 2.5, None, True]},
                        [],
                        "hs2.\N{HOT BEVERAGE}",
                        False,
                    )
                    for number, value in enumerate(values):
                        connection.execute(
                            table.insert(),
                            [{"name": f"o{number}", "value": value, "changed_at": NOON, "changed_by": ""}],
                        )
                elif table.name == "invites":
                    row = {
                        "code": "a", "type": "timed", "label": "x", "role": "user", "created_at": NOON, "uses": 0,
                    }  # fmt: skip
                    connection.execute(table.insert(), [row])
                    connection.execute(table.insert(), [{**row, "code": "b"}])
                    connection.execute(table.delete().where(table.c.code == "b"))
                elif table.name == "audit_ends":
                    connection.execute(
                        table.insert(),
                        [{"name": "first", "record_id": 0, "mac": bytes(range(32)), "seal": b"\xff" * 32}],
                    )

    def rows(self) -> Rows:
        """Of every table, as the product reads them."""
        with engine_of(self.url) as engine, engine.connect() as connection:
            return {
                table.name: sorted((tuple(row) for row in connection.execute(table.select())), key=repr)
                for table in Base.metadata.sorted_tables
            }

    def files(self) -> Mapping[str, tuple[int, bytes]]:
        """Relative path to mode and content (of a link: where it leads)."""
        found = {}
        for path in sorted(self.data_dir.rglob("*")):
            if path.name.startswith("homeport.db"):
                continue
            if path.is_symlink():
                found[str(path.relative_to(self.data_dir))] = (0, os.fsencode(path.readlink()))
            elif path.is_file():
                mode = stat.S_IMODE(path.stat().st_mode)
                found[str(path.relative_to(self.data_dir))] = (mode, path.read_bytes())
        return found

    def backup(self, target: Path, **options: Any) -> Kept:
        return write_backup(target, WORDS, data_dir=self.data_dir, database_url=self.url, now=NOON, **options)


def atomic_write_in(path: Path, data: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, data, mode=mode)


def restore(file: Path, into: Path, url: str | None = None, words: str = WORDS, **options: Any) -> Restored:
    into.mkdir(exist_ok=True)

    def ready(folder: Path, database_url: str, found: Found) -> None:
        assert (folder / "keys").is_dir()

    given: dict[str, Any] = {"sqlite": False, "force": False, "now": NOON, "ready": ready, **options}
    return restore_backup(file, words, data_dir=into, database_url=url, **given)


@pytest.fixture
def machine(tmp_path: Path, databases: Databases) -> Machine:
    folder = tmp_path / "one"
    folder.mkdir()
    machine = Machine(folder, databases("sqlite"))
    machine.fill()
    return machine


@pytest.fixture
def backup(machine: Machine, tmp_path: Path) -> Path:
    machine.backup(tmp_path / "it.backup")
    return tmp_path / "it.backup"


@pytest.mark.parametrize("source", ["sqlite", "postgres"])
@pytest.mark.parametrize("target", ["sqlite", "postgres"])
def test_every_row_comes_back_on_either_database(
    source: str, target: str, tmp_path: Path, databases: Databases
) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    one = Machine(folder, databases(source))
    one.fill()
    kept = one.backup(tmp_path / "it.backup")
    other = Machine(tmp_path / "other", databases(target))
    done = restore(tmp_path / "it.backup", other.data_dir, other.url)
    assert other.rows() == one.rows()
    assert done.rows == kept.rows == sum(map(len, one.rows().values()))
    with (
        engine_of(other.url) as engine,
        engine.begin() as connection,
    ):  # the number of what was deleted is not given again
        invites = Base.metadata.tables["invites"]
        row = {"code": "c", "type": "timed", "label": "", "role": "user", "created_at": NOON, "uses": 0}
        assert connection.execute(invites.insert().returning(invites.c.id), [row]).scalar_one() == 3


def test_files_come_back_with_their_modes_and_links(machine: Machine, backup: Path, tmp_path: Path) -> None:
    other = Machine(tmp_path / "other", "")
    done = restore(backup, other.data_dir)
    before = {
        name: file
        for name, file in machine.files().items()
        if "/logs/" not in name
        and "/releases/" not in name
        and name not in {"homeport.lock", "local.json", "durable.db"}
    }
    assert other.files() == before
    assert done.files == len(before)
    assert (other.data_dir / "services/svc_1/data/empty").is_dir()


def test_builds_are_taken_along_when_asked_for_and_apps_left_out(machine: Machine, tmp_path: Path) -> None:
    machine.backup(tmp_path / "builds", builds=True)
    restore(tmp_path / "builds", tmp_path / "with")
    assert (tmp_path / "with/services/svc_1/releases/rel_1/main.py").read_text() == "built"
    machine.backup(tmp_path / "lean", apps=False)
    restore(tmp_path / "lean", tmp_path / "without")
    assert not (tmp_path / "without/services").exists()
    assert (tmp_path / "without/uploads/upl_1").stat().st_size == 3_000_000


def test_a_backup_is_for_its_owner_only_and_says_nothing_without_the_passphrase(backup: Path) -> None:
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    content = backup.read_bytes()
    assert not any(word in content for word in (b"example.org", b"seal.key", b"users", b"ca.pem"))


def test_a_backup_replaces_nothing_and_does_not_hold_itself(machine: Machine, backup: Path) -> None:
    before = backup.read_bytes()
    with pytest.raises(Conflict):
        machine.backup(backup)
    assert backup.read_bytes() == before
    with pytest.raises(BackupImpossible, match="data directory"):
        machine.backup(machine.data_dir / "it.backup")


def test_a_backup_that_cannot_be_written_leaves_nothing(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(BackupImpossible):
        machine.backup(tmp_path / "no such folder" / "it.backup")
    empty = Machine(machine.data_dir, f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(RowsUnreadable):
        empty.backup(tmp_path / "it.backup")
    assert not list(tmp_path.glob("*it.backup*"))


def refused(problem: type[Problem], file: Path, into: Path, words: str = WORDS) -> None:
    """The restore raises `problem` and changes nothing in an empty directory, or in one with a portal."""
    for force in (False, True):
        into.mkdir(exist_ok=True)
        if force:
            atomic_write_in(into / "keys" / "seal.key", b"of the portal that is here", 0o600)
        before = sorted(into.rglob("*"))
        with pytest.raises(problem):
            restore(file, into, words=words, force=force)
        assert sorted(into.rglob("*")) == before


def test_a_wrong_passphrase_changes_nothing(backup: Path, tmp_path: Path) -> None:
    refused(PassphraseWrong, backup, tmp_path / "other", "correct horse battery stable")


@pytest.mark.parametrize("place", [0.0005, 0.3, 0.6, 0.9, 0.999999])
def test_a_flipped_bit_anywhere_changes_nothing(backup: Path, tmp_path: Path, place: float) -> None:
    data = bytearray(backup.read_bytes())
    data[int(len(data) * place)] ^= 4
    backup.write_bytes(data)
    refused(FileDamaged, backup, tmp_path / "other")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99999])
def test_a_cut_file_changes_nothing(backup: Path, tmp_path: Path, share: float) -> None:
    data = backup.read_bytes()
    backup.write_bytes(data[: int(len(data) * share)])
    refused(FileDamaged, backup, tmp_path / "other")


def test_another_file_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b"PK\3\4" + bytes(1000))
    refused(NotSealed, tmp_path / "it", tmp_path / "other")
    refused(NotSealed, tmp_path / "none", tmp_path / "another")


def test_a_backup_of_a_newer_version_is_refused(machine: Machine, tmp_path: Path) -> None:
    with engine_of(machine.url) as engine, engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    machine.backup(tmp_path / "it.backup")
    refused(BackupTooNew, tmp_path / "it.backup", tmp_path / "other")


@pytest.mark.parametrize("target", ["sqlite", "postgres"])
def test_a_backup_of_an_older_version_is_restored_as_it_was_and_can_be_migrated(
    tmp_path: Path, databases: Databases, target: str
) -> None:
    old = Machine(tmp_path / "old", databases("sqlite"))
    atomic_write_in(old.data_dir / "keys" / "seal.key", b"k1 AAAA\n", 0o600)
    with engine_of(old.url) as engine, engine.begin() as connection:
        migrations.upgrade(connection, "0002")
        connection.execute(text("INSERT INTO onboarding VALUES (1, 'COMPLETE', '2026-03-29 12:00:00.000000')"))
    old.backup(tmp_path / "it.backup")
    url = databases(target)

    def migrate(_folder: Path, database_url: str, found: Found) -> None:
        assert found.revision == "0002"
        with engine_of(database_url) as engine, engine.begin() as connection:
            migrations.upgrade(connection)

    restore(tmp_path / "it.backup", tmp_path / "new", url, ready=migrate)
    with engine_of(url) as engine, engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == migrations.HEAD
        assert connection.execute(text("SELECT status FROM onboarding")).scalar_one() == "COMPLETE"


def test_what_is_there_is_not_replaced_unasked_and_put_aside_when_asked(backup: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    atomic_write_in(other / "keys" / "seal.key", b"of the portal that was here", 0o600)
    with pytest.raises(Conflict, match="--force"):
        restore(backup, other)
    done = restore(backup, other, force=True)
    assert done.aside is not None
    assert (done.aside / "keys" / "seal.key").read_bytes() == b"of the portal that was here"
    assert (other / "keys" / "seal.key").read_bytes() == b"k1 AAAA\n"


def test_a_filled_postgres_is_put_aside_only_when_asked(backup: Path, tmp_path: Path, databases: Databases) -> None:
    url = databases("postgres")
    with engine_of(url) as engine, engine.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (id INTEGER)"))
        connection.execute(text("INSERT INTO theirs VALUES (5)"))
    with pytest.raises(Conflict, match="PostgreSQL"):
        restore(backup, tmp_path / "other", url)
    assert list((tmp_path / "other").iterdir()) == []
    restore(backup, tmp_path / "other", url, force=True)
    with engine_of(url) as engine, engine.connect() as connection:
        assert connection.scalar(text("SELECT id FROM public_before_20260329_120000.theirs")) == 5
        assert connection.scalar(text("SELECT value FROM counters WHERE name = 'things'")) == 7


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_what_fails_at_the_last_moment_leaves_everything_as_it_was(
    backup: Path, tmp_path: Path, databases: Databases, kind: str
) -> None:
    url = databases(kind) if kind == "postgres" else None
    if url:
        with engine_of(url) as engine, engine.begin() as connection:
            connection.execute(text("CREATE TABLE theirs (id INTEGER)"))
    atomic_write_in(tmp_path / "other" / "keys" / "seal.key", b"theirs", 0o600)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(RestoreImpossible, match="No space"):
        restore(backup, tmp_path / "other", url, force=True, ready=fail)
    assert [path.name for path in (tmp_path / "other").rglob("*")] == ["keys", "seal.key"]
    if url:
        with engine_of(url) as engine, engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM theirs")) == 0


def test_a_restore_that_is_killed_leaves_nothing_half(backup: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    atomic_write_in(other / "keys" / "seal.key", b"theirs", 0o600)
    argv = [sys.executable, "-c", RESTORE, str(backup), WORDS, str(other)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"  # all is built, and nothing counts yet
    process.kill()
    process.communicate()
    assert not finish_restore(other)
    assert (other / "keys" / "seal.key").read_bytes() == b"theirs"
    assert not (other / "homeport.toml").exists()
    restore(backup, other, force=True)
    assert not list(other.glob(".restor*"))
    assert (other / "keys" / "seal.key").read_bytes() == b"k1 AAAA\n"


def test_a_restore_that_is_killed_while_it_moves_into_place_is_finished_by_the_next_start(
    backup: Path, tmp_path: Path
) -> None:
    """Whatever was moved when it was killed: cut after each step in turn."""
    whole = tmp_path / "whole"
    restore(backup, whole)
    wanted = {path.name for path in whole.iterdir()}
    for moved in range(len(wanted) + 1):
        other = tmp_path / f"other{moved}"
        (other / ".restored").mkdir(parents=True)
        new = other / ".restored" / "new"
        subprocess.run(["cp", "-a", str(whole), str(new)], check=True)
        (other / "keys-of-old").mkdir()
        if moved == 0:
            (other / ".restored" / "aside").write_text("before-x")
        else:
            (other / "before-x").mkdir()
            (other / "keys-of-old").rename(other / "before-x" / "keys-of-old")
        for name in sorted(wanted)[:moved]:
            (new / name).rename(other / name)
        assert finish_restore(other)
        assert {path.name for path in other.iterdir()} == wanted | {"before-x"}
        assert [path.name for path in (other / "before-x").iterdir()] == ["keys-of-old"]
        assert not finish_restore(other)


def test_sqlite_is_taken_instead_of_the_database_that_the_settings_name(machine: Machine, tmp_path: Path) -> None:
    (machine.data_dir / "homeport.toml").write_text('domain = "example.org"\ndatabase_url = "postgresql://gone/x"\n')
    machine.backup(tmp_path / "it.backup")
    restore(tmp_path / "it.backup", tmp_path / "other", sqlite=True)
    toml = (tmp_path / "other" / "homeport.toml").read_text()
    assert 'domain = "example.org"' in toml
    assert "postgresql" not in toml
    assert (tmp_path / "other" / "homeport.db").is_file()


def test_a_backup_is_one_moment_while_others_write(machine: Machine, tmp_path: Path) -> None:
    """Two counters that are always changed together agree in the backup."""
    counters = Base.metadata.tables["counters"]
    with engine_of(machine.url) as engine, engine.begin() as connection:
        connection.execute(counters.insert(), [{"name": f"c{n}", "value": 0} for n in range(2000)])
    script = (
        "import sys, sqlite3\n"
        "db = sqlite3.connect(sys.argv[1], timeout=20)\n"
        "db.execute('PRAGMA journal_mode=WAL')\n"
        "print('writing', flush=True)\n"
        "while True:\n"
        "    db.execute('UPDATE counters SET value = value + 1')\n"
        "    db.commit()\n"
    )
    path = machine.url.removeprefix("sqlite:///")
    with subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.2)
        machine.backup(tmp_path / "it.backup")
        process.kill()
    restore(tmp_path / "it.backup", tmp_path / "other")
    other = Machine(tmp_path / "other", f"sqlite:///{tmp_path}/other/homeport.db")
    values = {row[1] for row in other.rows()["counters"] if str(row[0])[:1] == "c"}
    assert len(values) == 1


def test_a_database_that_is_not_there_is_said_not_to_be(machine: Machine, backup: Path, tmp_path: Path) -> None:
    gone = f"postgresql://nobody@/none?host={tmp_path}"
    with pytest.raises(RestoreImpossible, match="database"):
        restore(backup, tmp_path / "other", gone)
    assert list((tmp_path / "other").iterdir()) == []
    with pytest.raises(BackupImpossible, match="database"):
        Machine(machine.data_dir, gone).backup(tmp_path / "another.backup")


def test_a_key_that_is_dropped_while_the_backup_is_made_is_in_it(machine: Machine, tmp_path: Path) -> None:
    """The rows were read before the rotation and need the old key; others are sealed by the new one."""
    key = machine.data_dir / "keys" / "seal.key"

    def rotate(what: str) -> None:
        if what == "the files":
            atomic_write(key, b"k2 BBBB\n", mode=0o600)

    machine.backup(tmp_path / "it.backup", progress=rotate)
    restore(tmp_path / "it.backup", tmp_path / "other")
    restored = tmp_path / "other" / "keys" / "seal.key"
    assert restored.read_text() == "k2 BBBB\nk1 AAAA\n"
    assert stat.S_IMODE(restored.stat().st_mode) == 0o600


def test_checking_says_what_the_file_is(backup: Path) -> None:
    found = check_backup(backup, WORDS)
    assert (found.revision, found.portal_id, found.apps) == (migrations.HEAD, "0123456789abcdef", True)
    assert found.made_at == "2026-03-29T12:00:00Z"


def test_a_pipe_or_an_unreadable_file_does_not_stop_a_backup(machine: Machine, tmp_path: Path) -> None:
    os.mkfifo(machine.data_dir / "services/svc_1/data/pipe")
    (machine.data_dir / "services/svc_1/data/gone").symlink_to("nowhere")
    kept = machine.backup(tmp_path / "it.backup")
    assert kept.unread == 0
    restore(tmp_path / "it.backup", tmp_path / "other")
    assert not (tmp_path / "other/services/svc_1/data/pipe").exists()
    assert (tmp_path / "other/services/svc_1/data/gone").is_symlink()
