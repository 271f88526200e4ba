"""Files: written whole or not at all, and read from trees that nobody trusts."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from homeport.kit.problems import Problem


class UnsafePath(Problem):
    """A path in a foreign tree that is a link, leaves the tree, or is no regular file."""

    code = "unsafe_path"
    status = 422


def atomic_write(path: Path, data: bytes | str, *, mode: int = 0o644) -> None:
    """Write beside `path`, flush to disk and rename: a reader, or a crash, sees the old content or the new.

    What root writes belongs to whom the folder belongs: root's shell must not lock the portal of another user out.
    """
    body = data.encode() if isinstance(data, str) else data
    partial = path.with_name(f".{path.name}.{secrets.token_hex(6)}.partial")
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, mode)
            if os.geteuid() == 0 and (owner := path.parent.stat()).st_uid != 0:
                os.fchown(fd, owner.st_uid, owner.st_gid)
            file.write(body)
            file.flush()
            os.fsync(fd)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def remove_tree(folder: Path) -> None:
    """The folder and all below it, where there is one. Links are removed, not followed. Blocks."""
    if folder.exists():
        shutil.rmtree(folder)


@dataclass(frozen=True)
class Size:
    """What a tree holds: bytes on disk and entries; links are counted and never followed."""

    bytes: int
    entries: int


def measure(root: Path, *, stop_bytes: int | None = None, stop_entries: int | None = None) -> Size:
    """The size of a tree that may change meanwhile; stops counting as soon as a limit is passed."""
    total = entries = 0
    queue = [os.fspath(root)]
    while queue:
        try:
            with os.scandir(queue.pop()) as listing:
                for entry in listing:
                    entries += 1
                    try:
                        info = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    total += max(info.st_blocks * 512, info.st_size if stat.S_ISREG(info.st_mode) else 0)
                    if stat.S_ISDIR(info.st_mode):
                        queue.append(entry.path)
        except FileNotFoundError:
            continue
        if (stop_bytes is not None and total > stop_bytes) or (stop_entries is not None and entries > stop_entries):
            break
    return Size(total, entries)


class Tree:
    """Reads regular files below `root` without ever following a link, on the last part or on the way."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str, *, limit: int = 1024 * 1024) -> str | None:
        """The text of a file, None where there is none. Raises UnsafePath for links, devices and files over `limit`
        bytes; undecodable bytes are replaced."""
        with self._open(path, os.O_RDONLY | os.O_NONBLOCK) as fd:
            if fd is None or stat.S_ISDIR(os.fstat(fd).st_mode):
                return None
            info = os.fstat(fd)
            if not stat.S_ISREG(info.st_mode):
                raise UnsafePath(f"{path} is not a regular file.")
            if info.st_size > limit:
                raise UnsafePath(f"{path} is larger than {limit // 1024} KB.")
            with os.fdopen(os.dup(fd), "rb") as file:
                return file.read(limit).decode("utf-8-sig", errors="replace")

    def has(self, path: str) -> bool:
        """Whether there is a regular file; raises UnsafePath for a link."""
        with self._open(path, os.O_PATH) as fd:
            return fd is not None and self._kind(path, fd) == stat.S_IFREG

    def has_folder(self, path: str) -> bool:
        with self._open(path, os.O_PATH) as fd:
            return fd is not None and self._kind(path, fd) == stat.S_IFDIR

    def names(self, path: str = ".", *, limit: int = 10_000) -> list[str]:
        """Sorted names in a folder, `limit` at most; empty where there is no such folder."""
        with self._open(path, os.O_RDONLY | os.O_DIRECTORY) as fd:
            if fd is None:
                return []
            with os.scandir(fd) as listing:
                return sorted(entry.name for entry, _ in zip(listing, range(limit), strict=False))

    @staticmethod
    def _kind(path: str, fd: int) -> int:
        kind = stat.S_IFMT(os.fstat(fd).st_mode)
        if kind == stat.S_IFLNK:
            raise UnsafePath(f"{path} is a symbolic link: make it a file of its own.")
        return kind

    @contextmanager
    def _open(self, path: str, flags: int) -> Iterator[int | None]:
        """Each part is opened below the one before, so that no link on the way is followed."""
        parts = PurePosixPath(path).parts
        if path.startswith("/") or ".." in parts or "\0" in path:
            raise UnsafePath(f"{path!r} leaves the folder.")
        way = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        opened = [os.open(self.root, way)]
        try:
            found = True
            for number, part in enumerate(parts or (".",), start=1):
                fd = self._step(path, opened[-1], part, way if number < len(parts) else flags | os.O_CLOEXEC)
                if fd is None:
                    found = False
                    break
                opened.append(fd)
            yield opened[-1] if found else None
        finally:
            for fd in opened:
                os.close(fd)

    @staticmethod
    def _step(path: str, parent: int, part: str, flags: int) -> int | None:
        try:
            return os.open(part, flags | os.O_NOFOLLOW, dir_fd=parent)
        except FileNotFoundError:
            return None
        except OSError as error:
            is_link = error.errno == errno.ELOOP or (
                error.errno == errno.ENOTDIR
                and stat.S_ISLNK(os.stat(part, dir_fd=parent, follow_symlinks=False).st_mode)
            )
            if is_link:
                raise UnsafePath(f"{path} is a symbolic link: make it a file of its own.") from None
            if error.errno == errno.ENOTDIR:
                return None
            raise
