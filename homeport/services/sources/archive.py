"""Unpacks uploads (.tar, .tar.gz, .zip) into a new folder, trusting nothing that they say about themselves."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import shutil
import stat
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from homeport.kit.commands import OnLine
from homeport.services.problems import SourceRefused
from homeport.services.sources.archive_names import Names
from homeport.services.sources.contents import check_tree
from homeport.services.sources.revision import Revision

_CHUNK = 256 * 1024
_MAX_HEADER = 64 * 1024  # bytes of one extended tar header
_MAX_DIRECTORY = 32 * 1024 * 1024  # bytes of a zip's directory of contents
_NO_FOLDER_TO_STRIP = {"public"}  # a folder that means something by its name


@dataclass(frozen=True)
class Limits:
    """`bytes` in all and for each file, counted while unpacking, and `files` with folders."""

    bytes: int
    files: int


async def unpack(
    archive: Path, into: Path, *, limit_mb: int = 500, max_files: int = 100_000, on_line: OnLine | None = None
) -> Revision:
    """Unpack `archive` into `into`, which is replaced; a single folder around everything is left away.

    The revision is the archive's digest. Raises SourceRefused naming the entry at fault; nothing is left behind.
    """
    stop = threading.Event()
    partial = into.with_name(f".{into.name}.fetch")
    work = asyncio.ensure_future(
        asyncio.to_thread(_unpack, archive, partial, into, Limits(limit_mb * 1024 * 1024, max_files), stop)
    )
    try:
        unpacked = await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({work})
        raise
    if on_line is not None:
        on_line(unpacked.summary)
    return unpacked


class _Stopped(Exception):
    """The one who asked has gone."""


def _unpack(archive: Path, partial: Path, into: Path, limits: Limits, stop: threading.Event) -> Revision:
    for folder in (partial, into):
        if folder.exists():
            shutil.rmtree(folder)
    try:
        partial.mkdir(parents=True)
        digest = _digest(archive, stop)
        taker = _Taker(partial, limits, stop)
        with _readable():
            _read(archive, taker)
        if taker.names.count == 0:
            raise SourceRefused("The archive is empty.")
        top = _single_folder(partial)
        root = partial / top if top else partial
        check_tree(root)
        root.rename(into)
        around = f", taken out of the folder {top} that was around everything" if top else ""
        summary = f"Upload of {taker.files} files, {taker.total / 1024 / 1024:.1f} MB{around}"
        return Revision(digest, summary)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _digest(archive: Path, stop: threading.Event) -> str:
    digest = hashlib.sha256()
    with archive.open("rb") as file:
        while block := file.read(_CHUNK):
            if stop.is_set():
                raise _Stopped
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise SourceRefused(f"The archive is damaged: {error or 'it ends too early'}.") from None
    except (UnicodeError, ValueError, OverflowError, KeyError) as error:
        raise SourceRefused(f"The archive is malformed ({type(error).__name__}).") from None


def _read(archive: Path, taker: _Taker) -> None:
    """By what the file begins with, never by its name."""
    with archive.open("rb") as file:
        head = file.read(512)
        file.seek(0)
        if head.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=file) as unzipped:
                _read_tar(cast("IO[bytes]", unzipped), taker)
        elif head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            _read_zip(file, taker)
        elif head[257:262] == b"ustar" or _old_tar(head):
            _read_tar(file, taker)
        else:
            raise SourceRefused("The upload is no archive that can be unpacked: send .tar.gz, .tar or .zip.")


def _old_tar(head: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


class _BoundedInfo(tarfile.TarInfo):
    """Refuses an extended header that would be read into memory at any size it claims."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _BoundedInfo:
        info = super().frombuf(buf, encoding, errors)
        extended = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
        if info.type in (*extended, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK) and info.size > _MAX_HEADER:
            raise SourceRefused("The archive has an extended header that is far too long.")
        return info


class _Counted:
    """A stream that ends in a refusal when more comes out of it than the limits allow, headers included."""

    def __init__(self, stream: IO[bytes], taker: _Taker) -> None:
        self._stream = stream
        self._taker = taker
        self._left = taker.limits.bytes + 2048 * (taker.limits.files + 10)

    def read(self, size: int) -> bytes:
        self._taker.breathe()
        block = self._stream.read(size)
        self._left -= len(block)
        if self._left < 0:
            raise self._taker.too_large()
        return block


def _read_tar(stream: IO[bytes], taker: _Taker) -> None:
    counted = cast("IO[bytes]", _Counted(stream, taker))
    with tarfile.open(fileobj=counted, mode="r|", tarinfo=_BoundedInfo) as tar:
        for info in tar:
            name = info.name
            if info.issym() or info.islnk():
                raise SourceRefused(f"{_shown(name)} is a link: archives may hold files and folders only.")
            if info.isdir():
                taker.folder(name)
            elif info.isreg() and not info.issparse():
                body = tar.extractfile(info)
                if body is None or info.size < 0:
                    raise SourceRefused(f"{_shown(name)} cannot be read.")
                taker.file(name, info.size, body, executable=bool(info.mode & 0o111))
            else:
                raise SourceRefused(f"{_shown(name)} is a device, pipe or other special file.")
            tar.members.clear()  # type: ignore[attr-defined]  # else every entry is kept in memory


def _read_zip(file: IO[bytes], taker: _Taker) -> None:
    _check_directory(file)
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if len(entries) > taker.limits.files:
            raise taker.too_many()
        for info in entries:
            name = info.orig_filename
            mode = info.external_attr >> 16 if info.create_system == 3 else 0
            kind = stat.S_IFMT(mode)
            if kind == stat.S_IFLNK:
                raise SourceRefused(f"{_shown(name)} is a link: archives may hold files and folders only.")
            if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
                raise SourceRefused(f"{_shown(name)} is a device, pipe or other special file.")
            if info.flag_bits & 0x1:
                raise SourceRefused(f"{_shown(name)} is encrypted.")
            if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise SourceRefused(f"{_shown(name)} is compressed in an unusual way: use plain zip.")
            if info.is_dir():
                taker.folder(name)
            else:
                with archive.open(info) as body:
                    taker.file(name, info.file_size, body, executable=bool(mode & 0o111))


def _check_directory(file: IO[bytes]) -> None:
    """Bound the directory of contents before it is read into memory as a whole."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - 65536 - 22))
    tail = file.read()
    file.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise SourceRefused("The archive is damaged: the zip has no end.")
    if b"PK\x06\x07" in tail or int.from_bytes(tail[at + 12 : at + 16], "little") > _MAX_DIRECTORY:
        raise SourceRefused("The zip is of the very large kind (zip64): send .tar.gz instead.")


class _Taker:
    """Writes entries below `root`, counting what really comes out. There is never a link below `root`."""

    def __init__(self, root: Path, limits: Limits, stop: threading.Event) -> None:
        self.names = Names()
        self.limits = limits
        self.files = 0
        self.total = 0
        self._root = root
        self._stop = stop

    def breathe(self) -> None:
        if self._stop.is_set():
            raise _Stopped

    def too_large(self) -> SourceRefused:
        return SourceRefused(f"The archive unpacks to more than {self.limits.bytes // (1024 * 1024)} MB.")

    def too_many(self) -> SourceRefused:
        return SourceRefused(f"The archive has more than {self.limits.files} entries.")

    def folder(self, name: str) -> None:
        path = self.names.folder(name)
        self._count()
        if path is not None:
            (self._root / path).mkdir(parents=True, exist_ok=True)

    def file(self, name: str, stated: int, body: IO[bytes], *, executable: bool) -> None:
        path = self.names.file(name)
        self._count()
        if stated > self.limits.bytes:
            raise self.too_large()
        if path is None:
            return
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(target, flags, 0o755 if executable else 0o644), "wb") as file:
            while block := body.read(_CHUNK):
                self.breathe()
                self.total += len(block)
                if self.total > self.limits.bytes:
                    raise self.too_large()
                file.write(block)
        self.files += 1

    def _count(self) -> None:
        self.breathe()
        if self.names.count > self.limits.files:
            raise self.too_many()


def _single_folder(root: Path) -> str | None:
    """The one folder around everything, if there are files directly in it: what hosting sites and desktops make of a
    project. A folder that holds only folders, or is called public, is part of the project itself."""
    entries = list(root.iterdir())
    if len(entries) != 1 or not entries[0].is_dir() or entries[0].name.startswith("."):
        return None
    if entries[0].name in _NO_FOLDER_TO_STRIP or not any(path.is_file() for path in entries[0].iterdir()):
        return None
    return entries[0].name


def _shown(name: str) -> str:
    return repr(name if len(name) <= 100 else name[:99] + "…")
