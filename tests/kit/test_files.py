"""Writing whole files, and reading trees that nobody trusts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from homeport.kit.files import Tree, UnsafePath, atomic_write, measure


def test_a_written_file_has_its_content_and_mode_and_no_neighbours(tmp_path: Path) -> None:
    atomic_write(tmp_path / "key", "one", mode=0o600)
    atomic_write(tmp_path / "key", b"two", mode=0o600)
    assert (tmp_path / "key").read_text() == "two"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_failed_write_leaves_the_old_content(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        atomic_write(tmp_path / "folder", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_file_is_read_and_a_missing_one_is_none(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"\xef\xbb\xbfx\xff")
    tree = Tree(tmp_path)
    assert tree.read("a/b") == "x\ufffd"
    assert tree.read("a/c") is None
    assert tree.read("a/b/c") is None
    assert tree.read("a") is None
    assert (tree.has("a/b"), tree.has("a"), tree.has_folder("a"), tree.has_folder("a/b")) == (True, False, True, False)
    assert (tree.names(), tree.names("a"), tree.names("none")) == (["a"], ["b"], [])


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a\0b"])
def test_a_path_out_of_the_tree_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(UnsafePath, match="leaves the folder"):
        Tree(tmp_path).read(path)


def test_links_are_never_followed(tmp_path: Path) -> None:
    (tmp_path / "Procfile").symlink_to("/etc/passwd")
    (tmp_path / "etc").symlink_to("/etc")
    tree = Tree(tmp_path)
    for path in ("Procfile", "etc/passwd"):
        with pytest.raises(UnsafePath, match="symbolic link"):
            tree.read(path)
        with pytest.raises(UnsafePath, match="symbolic link"):
            tree.has(path)
    with pytest.raises(UnsafePath, match="symbolic link"):
        tree.names("etc")


def test_a_pipe_does_not_block_the_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "Procfile")
    with pytest.raises(UnsafePath, match="not a regular file"):
        Tree(tmp_path).read("Procfile")


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_bytes(b" " * 2049)
    with pytest.raises(UnsafePath, match="larger than 2 KB"):
        Tree(tmp_path).read("package.json", limit=2048)


def test_a_tree_is_measured_without_following_links(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "big").write_bytes(b"x" * 100_000)
    (tmp_path / "out").symlink_to("/usr")
    size = measure(tmp_path)
    assert size.entries == 3
    assert 100_000 <= size.bytes < 200_000


def test_measuring_stops_at_a_limit(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "file").write_text("x")
    assert measure(tmp_path, stop_entries=5).entries < 40
