"""One process at a time on a directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from homeport.kit.lockfile import AlreadyLocked, Lockfile

HOLD = """
import sys, os, pathlib
from homeport.kit.lockfile import Lockfile
with Lockfile(pathlib.Path(sys.argv[1])) as lock:
    lock.describe({"url": "https://localhost:1"})
    print("held", flush=True)
    if sys.argv[2:] == ["fork"] and os.fork() == 0:
        sys.stdout.close(); sys.stdin.read(); os._exit(0)
    elif sys.argv[2:] == ["fork"]:
        os._exit(0)
    sys.stdin.read()
"""


def holder(path: Path, *args: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_learns_who_holds_the_lock(tmp_path: Path) -> None:
    with holder(tmp_path / "lock") as first:
        with pytest.raises(AlreadyLocked) as taken, Lockfile(tmp_path / "lock"):
            pass
        first.kill()
    assert taken.value.holder == {"pid": first.pid, "url": "https://localhost:1"}


def test_the_lock_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    with holder(tmp_path / "lock") as first:
        first.kill()
        first.wait()
    with Lockfile(tmp_path / "lock"):
        assert str(os.getpid()) in (tmp_path / "lock").read_text()
    assert (tmp_path / "lock").read_text() == ""


def test_a_child_that_outlives_the_process_does_not_hold_the_lock(tmp_path: Path) -> None:
    with holder(tmp_path / "lock", "fork") as first:
        first.wait()
        with Lockfile(tmp_path / "lock"):
            pass
        assert first.stdin is not None
        first.stdin.close()
