"""What `homeport deploy FOLDER` sends."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

from homeport.cli.archive import pack, packed_paths


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def sent(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in packed_paths(root) if not path.is_dir()}


def test_a_folder_is_sent_without_what_gitignore_names(tmp_path: Path) -> None:
    tree(tmp_path, {".gitignore": "*.log\n/build/\n", "app.py": "", "a.log": "", "build/x": "", "src/build/x": ""})
    assert sent(tmp_path) == {".gitignore", "app.py", "src/build/x"}


def test_a_nested_gitignore_rules_its_own_folder_and_wins_over_the_outer_one(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {".gitignore": "*.txt\n", "a.txt": "", "docs/.gitignore": "!b.txt\n", "docs/a.txt": "", "docs/b.txt": ""},
    )
    assert sent(tmp_path) == {".gitignore", "docs/.gitignore", "docs/b.txt"}


def test_homeportignore_leaves_out_more_and_can_keep_what_gitignore_names(tmp_path: Path) -> None:
    tree(
        tmp_path, {".gitignore": "dist/\n", ".homeportignore": "!dist/\ntests/\n", "dist/x": "", "tests/y": "", "z": ""}
    )
    assert sent(tmp_path) == {".gitignore", ".homeportignore", "dist/x", "z"}


def test_git_itself_is_never_sent_whether_folder_or_file(tmp_path: Path) -> None:
    tree(tmp_path, {".gitignore": "!.git\n", ".git/config": "", "vendored/.git": "gitdir: …", "vendored/x": ""})
    assert sent(tmp_path) == {".gitignore", "vendored/x"}


def test_the_rules_of_the_repository_around_the_folder_hold_in_it(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    tree(tmp_path, {".gitignore": "secret.env\n", "examples/.gitignore": "*.tmp\n", "examples/app/secret.env": ""})
    tree(tmp_path, {"examples/app/x.tmp": "", "examples/app/main.py": ""})
    assert sent(tmp_path / "examples/app") == {"main.py"}


def test_a_folder_that_its_repository_ignores_is_sent_when_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    tree(tmp_path, {".gitignore": "dist/\n", "dist/index.html": "", "dist/a.js": ""})
    assert sent(tmp_path / "dist") == {"index.html", "a.js"}


def test_what_is_sent_is_what_git_would_add(tmp_path: Path) -> None:
    """The oracle is git itself, on the rules that implementations get wrong most often."""
    tree(
        tmp_path,
        {
            ".gitignore": "foo/\n!foo/keep\n/top\n**/deep\na/**/z\n*.o\n!good.o\n\\#hash\ntrail \nbar/*\n!bar/in\n",
            "foo/keep": "",
            "top": "",
            "in/top": "",
            "x/y/deep": "",
            "a/b/c/z": "",
            "bad.o": "",
            "good.o": "",
            "#hash": "",
            "trail": "",
            "bar/in": "",
            "bar/out": "",
            "in/.gitignore": "bad.o\n!top\ngood.o\n",
            "in/good.o": "",
            "in/foo": "",
        },
    )
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, env=env, check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--others", "--exclude-standard"],
        cwd=tmp_path,
        env=env,
        check=True,
        capture_output=True,
    )
    assert sent(tmp_path) == {name for name in listed.stdout.decode().split("\0") if name}


def test_links_are_sent_as_links_and_pipes_not_at_all(tmp_path: Path) -> None:
    tree(tmp_path, {"real": "text"})
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "loop").symlink_to(".")
    os.mkfifo(tmp_path / "pipe")
    target = io.BytesIO()
    pack(tmp_path, target)
    target.seek(0)
    with tarfile.open(fileobj=target) as archive:
        entries = {entry.name: entry for entry in archive}
    assert set(entries) == {"real", "link", "loop"}
    assert entries["link"].issym()
    assert entries["link"].linkname == "real"


def test_an_archive_says_nothing_about_who_made_it_and_keeps_what_can_be_run(tmp_path: Path) -> None:
    tree(tmp_path, {"run.sh": "#!/bin/sh\n"})
    (tmp_path / "run.sh").chmod(0o4755)
    target = io.BytesIO()
    assert pack(tmp_path, target) == 1
    target.seek(0)
    with tarfile.open(fileobj=target) as archive:
        entry = archive.getmember("run.sh")
    assert (entry.uid, entry.gid, entry.uname, entry.gname) == (0, 0, "", "")
    assert entry.mode == 0o755


def test_two_names_of_one_file_are_sent_as_two_files(tmp_path: Path) -> None:
    tree(tmp_path, {"a": "same"})
    os.link(tmp_path / "a", tmp_path / "b")
    target = io.BytesIO()
    assert pack(tmp_path, target) == 2
    target.seek(0)
    with tarfile.open(fileobj=target) as archive:
        assert [entry.isreg() for entry in archive] == [True, True]
