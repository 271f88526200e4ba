"""A backup: one sealed file with all rows of the database, keys, authorities, settings, uploads and the apps' data."""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy.exc import SQLAlchemyError

from homeport import __version__
from homeport.kit.clock import rfc3339
from homeport.kit.problems import Conflict, Problem
from homeport.kit.sealed_file import CHUNK, SealedWriter
from homeport.kit.sealing import KEY_FILE
from homeport.storage.portable import Snapshot

FORMAT = 1
HEAD, END = "homeport.json", "end.json"  # the first and the last entry
ROWS, FILES = "rows", "files"  # folders in the archive
# What a portal makes anew, or what is only true while it runs. The database is kept as rows.
_LEFT_OUT = frozenset({"homeport.lock", "local.json", "instances", "tmp"})
_LEFT_OUT_BEGINNINGS = ("homeport.db", "durable.db", ".restor", "before-")
# Of a service: its log, what building and running can make again. `data` stays.
_OF_SERVICES = frozenset({"logs", "cache", "tmp", "releases"})
_SEAL_KEY = Path("keys") / KEY_FILE
_MOST_NAMED = 20


class BackupImpossible(Problem):
    """The file cannot be written, lies where it would be part of itself, or the database cannot be read."""

    code = "backup_impossible"
    status = 422


@dataclass
class Kept:
    """What went into a backup. `skipped`: files that could not be read, the first of them; `unread` is how many."""

    rows: int = 0
    files: int = 0
    bytes: int = 0
    unread: int = 0
    skipped: list[str] = field(default_factory=list)
    tables: dict[str, int] = field(default_factory=dict)
    revision: str = ""

    def skip(self, name: str) -> None:
        self.unread += 1
        if len(self.skipped) < _MOST_NAMED:
            self.skipped.append(name)


def write_backup(
    target: Path, passphrase: str, *, data_dir: Path, database_url: str, now: datetime, apps: bool = True,
    builds: bool = False, progress: Callable[[str], None] = lambda _: None,
) -> Kept:  # fmt: skip
    """Write `target` whole or not at all; the portal may run meanwhile. Blocks; memory does not grow with the size.

    Raises Conflict where `target` exists, BackupImpossible, RowsUnreadable.
    """
    target = target.absolute()
    if target.exists():
        raise Conflict(f"{target} exists already: a backup replaces nothing.")
    if target.resolve().is_relative_to(data_dir.resolve()):
        raise BackupImpossible(f"{target} lies in the data directory, which it is a backup of: write it elsewhere.")
    partial = target.with_name(f".{target.name}.partial")
    ring = _key_lines(data_dir)
    try:
        with _private(partial) as file, Snapshot.of(database_url) as snapshot:
            sealed: Any = SealedWriter(file, passphrase)
            with tarfile.open(fileobj=sealed, mode="w|", format=tarfile.PAX_FORMAT, bufsize=CHUNK) as archive:
                kept = _fill(archive, snapshot, data_dir, ring, now, apps=apps, builds=builds, progress=progress)
            sealed.finish()
            file.flush()
            os.fsync(file.fileno())
        os.link(partial, target)  # unlike a rename it never replaces what came meanwhile
        _flush_folder(target.parent)
    except FileExistsError as problem:
        raise Conflict(f"{target} exists already: a backup replaces nothing.") from problem
    except OSError as problem:
        raise BackupImpossible(f"{target} cannot be written: {problem.strerror or problem}.") from problem
    except SQLAlchemyError as problem:
        raise BackupImpossible(f"The database cannot be read ({type(problem).__name__}).") from problem
    finally:
        partial.unlink(missing_ok=True)
    return kept


def _key_lines(data_dir: Path) -> list[str]:
    """Of the sealing keys. Read before the rows and again after them, for a rotation may come between: then the rows
    need keys that the file had only before, or has only since."""
    try:
        return [f"{line}\n" for line in (data_dir / _SEAL_KEY).read_text().splitlines()]
    except FileNotFoundError:
        return []


@contextlib.contextmanager
def _private(path: Path) -> Iterator[BinaryIO]:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        yield file


def _fill(
    archive: tarfile.TarFile, snapshot: Snapshot, data_dir: Path, ring: list[str], now: datetime, *, apps: bool,
    builds: bool, progress: Callable[[str], None],
) -> Kept:  # fmt: skip
    kept = Kept()
    portal_id = data_dir / "portal-id"
    head = {
        "format": FORMAT, "homeport": __version__, "revision": snapshot.revision, "made_at": rfc3339(now),
        "portal_id": portal_id.read_text().strip() if portal_id.is_file() else "", "apps": apps, "builds": builds,
        "columns": snapshot.columns(), "counters": snapshot.counters(),
    }  # fmt: skip
    kept.revision = snapshot.revision
    _add(archive, HEAD, _json(head))
    progress("the database")
    for number, part in enumerate(snapshot.parts()):
        _add(archive, f"{ROWS}/{part.table}/{number:08}.jsonl.gz", part.packed)
        kept.rows += part.rows
        kept.tables[part.table] = kept.tables.get(part.table, 0) + part.rows
    progress("the files")
    _add_files(archive, data_dir, kept, apps=apps, builds=builds)
    _add(archive, f"{FILES}/{_SEAL_KEY}", "".join(dict.fromkeys([*_key_lines(data_dir), *ring])).encode())
    kept.files += 1
    _add(archive, END, _json({"tables": kept.tables, "files": kept.files}))
    return kept


def _add_files(archive: tarfile.TarFile, root: Path, kept: Kept, *, apps: bool, builds: bool) -> None:
    """By descriptors, so that an app that puts a link in our way gets nothing of others into its own data."""
    leave = _OF_SERVICES - ({"releases"} if builds else set())

    def refused(problem: OSError) -> None:
        kept.skip(os.path.relpath(problem.filename or "?", root))

    for folder, names, files, descriptor in os.fwalk(root, onerror=refused, follow_symlinks=False):
        below = Path(folder).relative_to(root)
        depth, top = len(below.parts), below.parts[0] if below.parts else ""
        if depth == 0:
            names[:] = [name for name in names if not _is_left_out(name) and (apps or name != "services")]
            files = [name for name in files if not _is_left_out(name)]
        elif depth == 2 and top == "services":
            names[:] = [name for name in names if name not in leave]
        names.sort()
        links = [name for name in names if _is_link(name, descriptor)]
        if depth:
            _add_folder(archive, f"{FILES}/{below}", os.fstat(descriptor))
        for name in sorted([*files, *links]):
            if below / name != _SEAL_KEY:
                _add_file(archive, below / name, name, descriptor, kept)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_left_out(name: str) -> bool:
    return name in _LEFT_OUT or name.startswith(_LEFT_OUT_BEGINNINGS)


def _is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _add_folder(archive: tarfile.TarFile, name: str, info: os.stat_result) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, stat.S_IMODE(info.st_mode) & 0o777, int(info.st_mtime)
    _put(archive, entry)


def _add_file(archive: tarfile.TarFile, below: Path, name: str, folder: int, kept: Kept) -> None:
    entry = tarfile.TarInfo(f"{FILES}/{below}")
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
        entry.mode, entry.mtime = stat.S_IMODE(info.st_mode) & 0o777, int(info.st_mtime)
        if stat.S_ISLNK(info.st_mode):
            entry.type, entry.linkname = tarfile.SYMTYPE, os.readlink(name, dir_fd=folder)
            _put(archive, entry)
            kept.files += 1
            return
        if not stat.S_ISREG(info.st_mode):  # a socket or a pipe: nothing to keep
            return
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:  # gone since the folder was read
        return
    except OSError:
        kept.skip(str(below))
        return
    with os.fdopen(opened, "rb") as file:
        entry.size = os.fstat(file.fileno()).st_size
        _put(archive, entry, _Exactly(file, entry.size))
    kept.files += 1
    kept.bytes += entry.size


class _Exactly:
    """Reads `size` bytes of a file that may grow or shrink meanwhile: no more, and zeros for what is gone."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        self._left -= wanted
        return self._file.read(wanted).ljust(wanted, b"\0")


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o600
    _put(archive, entry, io.BytesIO(data))


def _put(archive: tarfile.TarFile, entry: tarfile.TarInfo, content: Any = None) -> None:
    archive.addfile(entry, content)
    archive.members = []  # type: ignore[attr-defined]  # it would remember every entry of a large backup


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
