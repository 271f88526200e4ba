"""`homeport backup` and `homeport restore` as a person uses them: passphrases, refusals, and what is shown once."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from homeport.testing.portal import PortalProcess

WORDS = "correct horse battery"


@pytest.fixture
def words(tmp_path: Path) -> str:
    (tmp_path / "words").write_text(WORDS + "\n")
    return str(tmp_path / "words")


@pytest.fixture
def set_up(tmp_path: Path) -> PortalProcess:
    """A portal that is set up and does not run."""
    portal = PortalProcess(tmp_path)
    portal.environment["HOMEPORT_DATA_DIR"] = str(portal.data_dir)
    assert portal.homeport("init").returncode == 0
    return portal


def typed(portal: PortalProcess, *answers: str, verb: tuple[str, ...]) -> tuple[int, str]:
    """Run a verb on a terminal, and type an answer at each question: exit code, and all that was shown."""
    main, terminal = pty.openpty()
    argv = [sys.executable, "-m", "homeport", *verb]
    process = subprocess.Popen(
        argv, stdin=terminal, stdout=terminal, stderr=terminal, env=portal.environment, start_new_session=True
    )
    os.close(terminal)
    shown, left = "", list(answers)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([main], [], [], 0.2)[0]:
            try:
                shown += os.read(main, 4096).decode()
            except OSError:
                break
            if left and shown.rstrip(" ").endswith(":"):
                os.write(main, (left.pop(0) + "\n").encode())
                shown += "\n"
    os.close(main)
    return process.wait(10), shown


def test_a_passphrase_is_asked_for_twice_and_never_shown(set_up: PortalProcess, tmp_path: Path) -> None:
    file = str(tmp_path / "it.hpb")
    code, shown = typed(set_up, WORDS, WORDS, verb=("backup", file))
    assert code == 0, shown
    assert WORDS not in shown
    code, shown = typed(set_up, WORDS, verb=("restore", file, "--check"))
    assert code == 0, shown
    assert "is whole" in shown


def test_two_different_answers_or_a_short_one_make_no_backup(set_up: PortalProcess, tmp_path: Path) -> None:
    file = tmp_path / "it.hpb"
    assert typed(set_up, WORDS, "something else", verb=("backup", str(file)))[0] == 2
    assert typed(set_up, "short", verb=("backup", str(file)))[0] == 2
    assert not file.exists()


def test_an_empty_answer_makes_a_passphrase_which_opens(set_up: PortalProcess, tmp_path: Path) -> None:
    file = str(tmp_path / "it.hpb")
    code, shown = typed(set_up, "", verb=("backup", file))
    assert code == 0, shown
    found = re.search(r"shown this once: (\S+)", shown)
    assert found is not None
    assert typed(set_up, found[1], verb=("restore", file, "--check"))[0] == 0


def test_a_generated_passphrase_is_shown_once(set_up: PortalProcess, tmp_path: Path) -> None:
    answer = set_up.ask("backup", str(tmp_path / "it.hpb"), "--generate")
    (tmp_path / "made").write_text(answer["passphrase"])
    assert len(answer["passphrase"].replace("-", "")) == 25
    words = ("--passphrase-file", str(tmp_path / "made"))
    assert set_up.ask("restore", str(tmp_path / "it.hpb"), "--check", *words)["good"]
    assert stat.S_IMODE((tmp_path / "it.hpb").stat().st_mode) == 0o600


def test_where_nobody_can_be_asked_a_file_is_asked_for(set_up: PortalProcess, tmp_path: Path) -> None:
    done = set_up.homeport("backup", str(tmp_path / "it.hpb"))
    assert (done.returncode, "--passphrase-file" in done.stderr) == (2, True)


def test_no_option_takes_a_passphrase(set_up: PortalProcess) -> None:
    for verb in ("backup", "restore"):
        assert "--passphrase " not in set_up.homeport(verb, "--help").stdout


def test_a_backup_replaces_nothing(set_up: PortalProcess, tmp_path: Path, words: str) -> None:
    argv = ("backup", str(tmp_path / "it.hpb"), "--passphrase-file", words)
    assert set_up.homeport(*argv).returncode == 0
    assert set_up.homeport(*argv).returncode == 5


def test_a_backup_is_noted_in_the_audit_log(set_up: PortalProcess, tmp_path: Path, words: str) -> None:
    set_up.ask("backup", str(tmp_path / "it.hpb"), "--passphrase-file", words)
    with set_up:
        with set_up.api() as api:
            entries = api.get("/api/admin/audit-log", params={"action": "write_backup"}).json()["entries"]
        assert [(entry["target_id"], entry["actor_username"]) for entry in entries] == [
            ("it.hpb", "the shell of this machine")
        ]


def test_where_there_is_no_portal_nothing_is_backed_up(tmp_path: Path, words: str) -> None:
    portal = PortalProcess(tmp_path / "other")
    done = portal.homeport(
        "backup", str(tmp_path / "it.hpb"), "--passphrase-file", words, "--data-dir", str(tmp_path / "none")
    )
    assert done.returncode == 4
    assert not (tmp_path / "it.hpb").exists()


def test_a_restore_that_was_killed_at_its_end_is_finished_by_up(
    set_up: PortalProcess, tmp_path: Path, words: str
) -> None:
    """Its homeport.toml counts from the first moment, although `up` has read its settings before it was in place."""
    (set_up.data_dir / "homeport.toml").write_text('domain = "kept.example.org"\n')
    set_up.ask("backup", str(tmp_path / "it.hpb"), "--passphrase-file", words)
    other = PortalProcess(tmp_path / "second")
    other.data_dir.parent.mkdir()
    other.environment["HOMEPORT_DATA_DIR"] = str(other.data_dir)
    other.ask("restore", str(tmp_path / "it.hpb"), "--passphrase-file", words)
    waiting = other.data_dir / ".restored" / "new"
    waiting.mkdir(parents=True)
    for child in list(other.data_dir.iterdir()):
        if child.name not in {".restored", "homeport.lock"}:
            child.rename(waiting / child.name)
    other.environment.pop("HOMEPORT_DOMAIN", None)
    with other:
        assert "kept.example.org" in other.base_url
        assert not (other.data_dir / ".restored").exists()
        assert json.loads((other.data_dir / "local.json").read_text())["key"]
