"""Unpacking uploads, and every attack by archive that we know: each refused with its reason, nothing left behind."""

from __future__ import annotations

import asyncio
import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from homeport.services.problems import SourceRefused
from homeport.services.sources.archive import unpack

Make = Callable[[tarfile.TarFile], None]


@pytest.fixture
def into(tmp_path: Path) -> Path:
    (tmp_path / "releases").mkdir()
    return tmp_path / "releases" / "one"


def add(tar: tarfile.TarFile, name: str, content: bytes = b"x", *, mode: int = 0o644) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    tar.addfile(info, io.BytesIO(content))


def add_special(tar: tarfile.TarFile, name: str, kind: bytes, target: str = "") -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    tar.addfile(info)


def adding(*names: str, content: bytes = b"x") -> Make:
    def make(tar: tarfile.TarFile) -> None:
        for name in names:
            add(tar, name, content)

    return make


def tar_of(tmp_path: Path, make: Make, mode: str = "w:gz") -> Path:
    path = tmp_path / "upload"
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        make(tar)
    return path


def zip_of(tmp_path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    path = tmp_path / "upload"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


async def refused(archive: Path, into: Path, *, limit_mb: int = 5, max_files: int = 100) -> str:
    with pytest.raises(SourceRefused) as caught:
        await unpack(archive, into, limit_mb=limit_mb, max_files=max_files)
    assert list(into.parent.iterdir()) == []
    return caught.value.message


@pytest.mark.parametrize("mode", ["w", "w:gz"])
async def test_a_tar_is_unpacked(tmp_path: Path, into: Path, mode: str) -> None:
    def make(tar: tarfile.TarFile) -> None:
        add_special(tar, "./", tarfile.DIRTYPE)
        add(tar, "./main.py", b"print(1)")
        add(tar, "./bin/run", b"#!/bin/sh", mode=0o6775)
        add_special(tar, "empty", tarfile.DIRTYPE)

    revision = await unpack(tar_of(tmp_path, make, mode), into)
    assert (into / "main.py").read_bytes() == b"print(1)"
    assert stat.S_IMODE((into / "bin" / "run").stat().st_mode) == 0o755
    assert stat.S_IMODE((into / "main.py").stat().st_mode) == 0o644
    assert (into / "empty").is_dir()
    assert len(revision.id) == 64
    assert revision.summary == "Upload of 2 files, 0.0 MB"
    assert [path.name for path in into.parent.iterdir()] == ["one"]


async def test_a_zip_is_unpacked_without_what_desktops_add(tmp_path: Path, into: Path) -> None:
    script = zipfile.ZipInfo("run.sh")
    script.external_attr = (stat.S_IFREG | 0o755) << 16
    archive = zip_of(
        tmp_path, ("main.py", b"1"), ("pages/", b""), ("__MACOSX/._main.py", b"x"), (".DS_Store", b"x"), (script, b"2")
    )
    await unpack(archive, into)
    assert sorted(path.name for path in into.iterdir()) == ["main.py", "pages", "run.sh"]
    assert stat.S_IMODE((into / "run.sh").stat().st_mode) == 0o755


async def test_one_folder_around_everything_is_taken_away(tmp_path: Path, into: Path) -> None:
    revision = await unpack(zip_of(tmp_path, ("repo-main/main.py", b"1"), ("repo-main/lib/x", b"2")), into)
    assert sorted(path.name for path in into.iterdir()) == ["lib", "main.py"]
    assert "taken out of the folder repo-main" in revision.summary


@pytest.mark.parametrize(
    "names", [("public/index.html",), ("src/app/main.py",), (".config/x",), ("a/main.py", "b/x"), ("a/main.py", "x")]
)
async def test_a_folder_that_is_part_of_the_project_stays(tmp_path: Path, into: Path, names: tuple[str, ...]) -> None:
    await unpack(zip_of(tmp_path, *((name, b"1") for name in names)), into)
    assert all((into / name).is_file() for name in names)


async def test_a_second_upload_replaces_the_first(tmp_path: Path, into: Path) -> None:
    await unpack(zip_of(tmp_path, ("old", b"1")), into)
    await unpack(zip_of(tmp_path, ("new", b"1")), into)
    assert [path.name for path in into.iterdir()] == ["new"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/passwd", "absolute path"),
        ("../outside", "'..'"),
        ("a/../../outside", "'..'"),
        ("a/..", "'..'"),
        ("a\\..\\b", "backslash"),
        ("a\nb", "control character"),
        ("a/" * 70 + "x", "nested more than 64"),
        ("n" * 300, "too long"),
        (".homeport/venv/bin/python", ".homeport at its top"),
        ("wrapped/.homeport", ".homeport at its top"),
    ],
)
@pytest.mark.parametrize("kind", ["tar", "zip"])
async def test_a_dangerous_name_is_refused(tmp_path: Path, into: Path, kind: str, name: str, reason: str) -> None:
    beside = name.replace(".homeport", "other") if name.startswith("wrapped") else "good"
    if kind == "zip":
        archive = zip_of(tmp_path, (beside, b"1"), (name, b"1"))
    else:
        archive = tar_of(tmp_path, adding(beside, name))
    assert reason in await refused(archive, into)
    assert not (into.parent / "outside").exists()


async def test_a_nul_in_a_zip_name_is_refused(tmp_path: Path, into: Path) -> None:
    archive = zip_of(tmp_path, ("safeXevil", b"1"))
    archive.write_bytes(archive.read_bytes().replace(b"safeXevil", b"safe\0evil"))
    assert "NUL" in await refused(archive, into)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (tarfile.SYMTYPE, "is a link"),
        (tarfile.LNKTYPE, "is a link"),
        (tarfile.CHRTYPE, "special file"),
        (tarfile.BLKTYPE, "special file"),
        (tarfile.FIFOTYPE, "special file"),
    ],
)
async def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, into: Path, kind: bytes, reason: str) -> None:
    archive = tar_of(tmp_path, lambda tar: add_special(tar, "Procfile", kind, "/etc/passwd"))
    assert reason in await refused(archive, into)


async def test_writing_through_a_link_of_the_same_archive_is_refused(tmp_path: Path, into: Path) -> None:
    def make(tar: tarfile.TarFile) -> None:
        add_special(tar, "out", tarfile.SYMTYPE, str(tmp_path))
        add(tar, "out/written")

    assert "is a link" in await refused(tar_of(tmp_path, make), into)
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize(("kind", "reason"), [(stat.S_IFLNK, "is a link"), (stat.S_IFIFO, "special file")])
async def test_links_and_devices_in_a_zip_are_refused(tmp_path: Path, into: Path, kind: int, reason: str) -> None:
    entry = zipfile.ZipInfo("Dockerfile")
    entry.create_system, entry.external_attr = 3, (kind | 0o777) << 16
    assert reason in await refused(zip_of(tmp_path, (entry, b"/etc/passwd")), into)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("a", "a"), "twice"),
        (("a", "./a"), "twice"),
        (("a/b", "a//b"), "twice"),
        (("caf\u00e9", "cafe\u0301"), "twice"),
        (("a", "a/b"), "both a file and a folder"),
        (("a/b", "a"), "both a file and a folder"),
    ],
)
async def test_entries_that_meet_are_refused(tmp_path: Path, into: Path, names: tuple[str, str], reason: str) -> None:
    archive = tar_of(tmp_path, adding(*names))
    assert reason in await refused(archive, into)


# Bombs


async def test_a_tar_bomb_is_cut_while_it_unpacks(tmp_path: Path, into: Path) -> None:
    archive = tar_of(tmp_path, lambda tar: add(tar, "zeros", bytes(20_000_000)))
    assert archive.stat().st_size < 100_000
    assert "more than 5 MB" in await refused(archive, into)


async def test_many_small_files_count_together(tmp_path: Path, into: Path) -> None:
    archive = tar_of(tmp_path, adding(*(f"f{n}" for n in range(8)), content=bytes(1_000_000)))
    assert "more than 5 MB" in await refused(archive, into)


async def test_a_zip_bomb_that_states_its_size_is_refused(tmp_path: Path, into: Path) -> None:
    assert "more than 5 MB" in await refused(zip_of(tmp_path, ("zeros", bytes(20_000_000))), into)


async def test_a_zip_that_lies_about_its_size_is_refused(tmp_path: Path, into: Path) -> None:
    size = 20_000_000
    archive = zip_of(tmp_path, ("zeros", bytes(size)))
    archive.write_bytes(archive.read_bytes().replace(size.to_bytes(4, "little"), (10).to_bytes(4, "little")))
    await refused(archive, into)


async def test_too_many_entries_are_refused(tmp_path: Path, into: Path) -> None:
    names = [f"f{number}" for number in range(101)]
    archive = tar_of(tmp_path, adding(*names))
    assert "more than 100 entries" in await refused(archive, into)
    assert "more than 100 entries" in await refused(zip_of(tmp_path, *((name, b"") for name in names)), into)


async def test_a_bomb_in_an_extended_header_is_refused(tmp_path: Path, into: Path) -> None:
    def make(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo("././@LongLink")
        info.type, info.size = tarfile.GNUTYPE_LONGNAME, 4_000_000
        tar.addfile(info, io.BytesIO(b"a" * info.size))
        add(tar, "x")

    assert "extended header" in await refused(tar_of(tmp_path, make), into)


async def test_a_zip_with_an_endless_directory_is_refused(tmp_path: Path, into: Path) -> None:
    archive = zip_of(tmp_path, ("a", b"1"))
    data = bytearray(archive.read_bytes())
    at = data.rfind(b"PK\x05\x06")
    data[at + 12 : at + 16] = (1 << 31).to_bytes(4, "little")
    archive.write_bytes(data)
    assert "zip64" in await refused(archive, into)


# Damage


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1f\x8bgarbage", b"PK\x03\x04garbage", b"\0" * 2048])
async def test_what_is_no_archive_is_refused(tmp_path: Path, into: Path, content: bytes) -> None:
    (tmp_path / "upload").write_bytes(content)
    assert "archive" in await refused(tmp_path / "upload", into) or "zip" in await refused(tmp_path / "upload", into)


async def test_an_archive_that_ends_too_early_is_refused(tmp_path: Path, into: Path) -> None:
    archive = tar_of(tmp_path, lambda tar: add(tar, "noise", bytes(range(256)) * 4000))
    archive.write_bytes(archive.read_bytes()[:-200])
    assert "archive" in await refused(archive, into)


async def test_an_empty_archive_is_refused(tmp_path: Path, into: Path) -> None:
    assert "empty" in await refused(tar_of(tmp_path, lambda tar: None), into)
    assert "empty" in await refused(zip_of(tmp_path), into)


async def test_an_encrypted_zip_is_refused(tmp_path: Path, into: Path) -> None:
    archive = zip_of(tmp_path, ("a", b"1"))
    data = bytearray(archive.read_bytes())
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    assert "encrypted" in await refused(archive, into)


async def test_a_cancelled_unpacking_leaves_nothing(tmp_path: Path, into: Path) -> None:
    with gzip.open(tmp_path / "upload", "wb", compresslevel=1) as file, tarfile.open(fileobj=file, mode="w") as tar:
        add(tar, "zeros", bytes(200_000_000))
    task = asyncio.create_task(unpack(tmp_path / "upload", into, limit_mb=500), name="unpack")
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(into.parent.iterdir()) == []
