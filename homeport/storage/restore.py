"""Restoring a backup: the whole file is checked first, then everything is built beside, and then it is put in place."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from homeport.kit.files import atomic_write
from homeport.kit.problems import Conflict, Problem
from homeport.kit.sealed_file import CHUNK, FileDamaged, NotSealed, SealedReader
from homeport.storage import migrations
from homeport.storage.backup import END, FILES, FORMAT, HEAD, ROWS
from homeport.storage.into_place import NEW, RESTORING, finish_restore, let_it_count, old_content
from homeport.storage.loader import Loader
from homeport.storage.portable import engine_of

_DATABASE_SETTING = re.compile(r"^\s*database_url\s*=.*$", re.MULTILINE)


class BackupTooNew(Problem):
    """Made by a newer version, whose tables this one does not know."""

    code = "backup_too_new"
    status = 422


class RestoreImpossible(Problem):
    """There is no room, no permission or no database for what the backup holds."""

    code = "restore_impossible"
    status = 422


@dataclass(frozen=True)
class Found:
    """What a checked backup says of itself."""

    homeport: str
    revision: str
    made_at: str
    portal_id: str
    apps: bool
    bytes: int


@dataclass(frozen=True)
class Restored:
    """`aside`: where the data directory's earlier content went, if there was any."""

    found: Found
    rows: int
    files: int
    aside: Path | None


def check_backup(file: Path, passphrase: str) -> Found:
    """Read all of it and change nothing. Blocks.

    Raises NotSealed, PassphraseWrong, FileDamaged, BackupTooNew.
    """
    with _archive(file, passphrase) as (archive, sealed):
        head = _head(archive)
        sealed.check()
    return Found(
        head["homeport"], head["revision"], head["made_at"], head["portal_id"], head["apps"], file.stat().st_size
    )


def restore_backup(
    file: Path, passphrase: str, *, data_dir: Path, database_url: str | None, sqlite: bool, force: bool, now: datetime,
    ready: Callable[[Path, str, Found], None], progress: Callable[[str], None] = lambda _: None,
) -> Restored:  # fmt: skip
    """Everything of the backup into an empty data directory, whose lock the caller holds; or with `force` in place of
    what is there, which is kept aside. Blocks.

    The database: `database_url`, else what the backup's homeport.toml names unless `sqlite` is asked for, else SQLite
    in the data directory. `ready(folder, url, found)` is called when all is built, before it counts: what it raises
    leaves nothing. Raises as `check_backup` does, and Conflict, RestoreImpossible, RowsUnreadable.
    """
    progress("checking the file")
    found = check_backup(file, passphrase)
    finish_restore(data_dir)
    if old_content(data_dir) and not force:
        raise Conflict(f"{data_dir} is not empty: --force puts what is there aside and the backup in its place.")
    if shutil.disk_usage(data_dir).free < file.stat().st_size:
        raise RestoreImpossible(f"There is not enough room in {data_dir}.")
    for left in data_dir.glob(f"{RESTORING}*"):  # of a restore that was killed
        shutil.rmtree(left)
    stage = data_dir / f"{RESTORING}{secrets.token_hex(6)}"
    new = stage / NEW
    aside = data_dir / f"before-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}" if old_content(data_dir) else None
    new.mkdir(mode=0o700, parents=True)
    filled = ""
    try:
        with _archive(file, passphrase) as (archive, _):
            head = _head(archive)
            progress("the files and the database")
            rows, files, url = _build(archive, head, new, database_url, sqlite=sqlite, force=force, now=now)
        filled = url
        ready(new, url, found)
        let_it_count(stage, aside, data_dir)
    except BaseException as problem:
        shutil.rmtree(stage, ignore_errors=True)
        _empty_again(filled, now)
        if isinstance(problem, SQLAlchemyError):
            name = type(problem).__name__
            raise RestoreImpossible(
                f"The database cannot be reached, or does not let itself be filled ({name})."
            ) from problem
        if isinstance(problem, OSError):
            raise RestoreImpossible(f"{data_dir} cannot be written: {problem.strerror or problem}.") from problem
        raise
    finish_restore(data_dir)
    return Restored(found, rows, files, aside)


@contextlib.contextmanager
def _archive(path: Path, passphrase: str) -> Iterator[tuple[tarfile.TarFile, SealedReader]]:
    try:
        file: BinaryIO = path.open("rb")
    except OSError as problem:
        raise NotSealed(f"{path} cannot be read: {problem.strerror}.") from problem
    with file:
        sealed: Any = SealedReader(file, passphrase)
        try:
            with tarfile.open(fileobj=sealed, mode="r|", bufsize=CHUNK) as archive:
                yield archive, sealed
        except tarfile.TarError as problem:
            raise FileDamaged(f"What is in the backup cannot be read: {problem}.") from problem


def _head(archive: tarfile.TarFile) -> dict[str, Any]:
    entry = archive.next()
    if entry is None or entry.name != HEAD:
        raise FileDamaged("The backup does not begin as one.")
    head: dict[str, Any] = json.loads(_content(archive, entry))
    if head["format"] != FORMAT or head["revision"] not in migrations.revisions():
        raise BackupTooNew(
            f"This backup was made by Homeport {head['homeport']}, which is newer than this one: update it first."
        )
    return head


def _content(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(entry)
    if file is None:
        raise FileDamaged(f"{entry.name} is no file.")
    with file:
        return file.read()


def _build(
    archive: tarfile.TarFile, head: dict[str, Any], new: Path, database_url: str | None, *, sqlite: bool, force: bool,
    now: datetime,
) -> tuple[int, int, str]:  # fmt: skip
    """Rows come before files in a backup, but which database they go to stands in a file: so they wait on disk."""
    rows_folder = new.parent / ROWS
    rows_folder.mkdir(mode=0o700)
    tables: dict[str, int] = {}
    files, end = 0, None
    parts: list[tuple[str, Path]] = []
    links: list[tuple[Path, str]] = []
    while (entry := archive.next()) is not None:
        archive.members = []  # type: ignore[attr-defined]  # it would remember every entry of a large backup
        where, _, rest = entry.name.partition("/")
        if where == ROWS:
            part = rows_folder / str(len(parts))
            part.write_bytes(_content(archive, entry))
            parts.append((rest.partition("/")[0], part))
        elif where == FILES:
            files += _put_file(archive, entry, new, rest, links)
        elif entry.name == END:
            end = json.loads(_content(archive, entry))
    for path, target in links:  # last, so that nothing was written through one
        path.symlink_to(target)
    url = database_url or _url_of_settings(new, sqlite=sqlite) or f"sqlite:///{new / 'homeport.db'}"
    with engine_of(url) as engine, engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            _empty_postgres(connection, now, force=force)
        migrations.upgrade(connection, head["revision"])
        loader = Loader(connection, head["columns"])
        for table, part in parts:
            tables[table] = tables.get(table, 0) + loader.load(table, part.read_bytes())
        loader.finish(head["counters"])
        if end is None or (end["tables"], end["files"]) != (tables, files):
            raise FileDamaged("The backup does not hold what it says at its end.")
    shutil.rmtree(rows_folder)
    return sum(tables.values()), files, url


def _put_file(
    archive: tarfile.TarFile, entry: tarfile.TarInfo, root: Path, name: str, links: list[tuple[Path, str]]
) -> int:
    """1 for a file or link, 0 for a folder; links are noted in `links`, to be made last."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts:
        raise FileDamaged("An entry of the backup leads out of it.")
    path = root.joinpath(*parts)
    if entry.isdir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod((entry.mode & 0o777) | 0o700)
        return 0
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if entry.issym():
        links.append((path, entry.linkname))
        return 1
    content = archive.extractfile(entry)
    if content is None:
        raise FileDamaged(f"{name} is neither a file nor a link.")
    with content, path.open("xb") as file:
        shutil.copyfileobj(content, file, CHUNK)
        os.fchmod(file.fileno(), entry.mode & 0o777)
    os.utime(path, (entry.mtime, entry.mtime))
    return 1


def _url_of_settings(new: Path, *, sqlite: bool) -> str | None:
    """The database that the backup's homeport.toml names; with `sqlite` the line goes out of it."""
    import tomllib

    file = new / "homeport.toml"
    if not file.is_file():
        return None
    content = file.read_text()
    url = str(tomllib.loads(content).get("database_url") or "")
    if url and sqlite:
        changed = _DATABASE_SETTING.sub("# database_url: in the data directory since a restore", content)
        atomic_write(file, changed, mode=file.stat().st_mode & 0o777)
        return None
    return url or None


def _empty_postgres(connection: Connection, now: datetime, *, force: bool) -> None:
    """With `force` what is there is put aside, as schemas of another name."""
    # DBOS keeps its journals in a schema of its own: those of another portal's jobs must not meet these jobs.
    filled = connection.execute(
        text("SELECT DISTINCT table_schema FROM information_schema.tables WHERE table_schema IN ('public', 'dbos')")
    ).scalars()
    for schema in list(filled):
        if not force:
            raise Conflict("The PostgreSQL database is not empty: --force puts what is there aside.")
        connection.execute(text(f'ALTER SCHEMA "{schema}" RENAME TO "{schema}_before_{now:%Y%m%d_%H%M%S}"'))
        if schema == "public":
            connection.execute(text("CREATE SCHEMA public"))


def _empty_again(url: str, now: datetime) -> None:
    """What `_empty_postgres` put aside comes back in place of what was restored; nothing for another database."""
    if not url.startswith("postgres"):
        return
    with engine_of(url) as engine, engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
        for schema in ("public", "dbos"):
            aside = f"{schema}_before_{now:%Y%m%d_%H%M%S}"
            known = text("SELECT 1 FROM information_schema.schemata WHERE schema_name = :name")
            if connection.scalar(known, {"name": aside}):
                if schema == "public":
                    connection.execute(text("DROP SCHEMA public"))
                connection.execute(text(f'ALTER SCHEMA "{aside}" RENAME TO "{schema}"'))
