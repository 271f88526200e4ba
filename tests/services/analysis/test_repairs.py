"""Repairs: what the log of a failed try leads to, and where they end."""

# apps C.4: on failure apply bounded repairs (port, start command, missing system package)

from __future__ import annotations

import pytest

from homeport.services.analysis import Analysis
from homeport.services.analysis.repairs import MAX_ATTEMPTS, repair
from tests.services.analysis.conftest import Look, admitted
from tests.services.analysis.examples import EXAMPLES


def mended(analysis: Analysis, log: str) -> Analysis:
    found = repair(analysis, log, 1)
    assert found.analysis is not None, found.reason
    assert found.reason.endswith(".")
    admitted(found.analysis)
    return found.analysis


@pytest.mark.parametrize(
    "log",
    [
        "Server listening on :4321",
        "\x1b[32mListening on http://localhost:4321/\x1b[0m",
        "INFO: Uvicorn running on http://0.0.0.0:4321 (Press CTRL+C)",
        "app started on port 4321",
        "listening at http://[::]:4321",
    ],
)
def test_the_port_that_the_app_names_is_taken(look: Look, log: str) -> None:
    changed = mended(look(EXAMPLES["express"].files), f"npm start\n{log}\n")
    assert changed.port == admitted(changed).port == 4321
    assert admitted(changed).web.environment["PORT"] == "4321"
    assert "EXPOSE 4321" in (changed.dockerfile or "")


def test_the_port_of_an_own_dockerfile_can_be_repaired_too(look: Look) -> None:
    changed = mended(look(EXAMPLES["dockerfile"].files), "listening on :9000")
    assert admitted(changed).port == 9000
    assert changed.dockerfile is None


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("Error: pg_config executable not found.", "libpq-dev"),
        ("ImportError: libGL.so.1: cannot open shared object file", "libgl1"),
        ("/bin/sh: 1: ffmpeg: not found", "ffmpeg"),
        ("sh: git: command not found", "git"),
        ("fatal error: ffi.h: No such file or directory", "libffi-dev"),
        ("ModuleNotFoundError: No module named 'uvicorn'", '"uvicorn"'),
    ],
)
def test_what_is_missing_is_added(look: Look, log: str, line: str) -> None:
    analysis = look(EXAMPLES["fastapi"].files)
    changed = mended(analysis, f"step 7\n{log}\n")
    assert line not in (analysis.dockerfile or "")
    assert line in (changed.dockerfile or "")


def test_what_was_added_is_not_added_twice(look: Look) -> None:
    log = "ImportError: libGL.so.1: cannot open shared object file"
    once = mended(look(EXAMPLES["fastapi"].files), log)
    assert repair(once, log, 2).analysis is None


def test_a_start_command_that_is_missing_is_looked_for(look: Look) -> None:
    changed = mended(look(EXAMPLES["script"].files), "python: can't open file '/app/main.py': [Errno 2]")
    assert changed.start == "python app.py"
    assert changed.confidence <= 0.4


def test_a_database_that_does_not_answer_is_put_beside_it(look: Look) -> None:
    analysis = look(EXAMPLES["fastapi"].files)
    changed = mended(analysis, "Error: connect ECONNREFUSED 127.0.0.1:6379")
    assert changed.dependencies == ("postgres", "redis")
    assert {one.name for one in admitted(changed).backing} == {"postgres", "redis"}
    assert changed.values["POSTGRES_PASSWORD"] == analysis.values["POSTGRES_PASSWORD"]


def test_repairs_end(look: Look) -> None:
    ended = repair(look(EXAMPLES["express"].files), "listening on :4321", MAX_ATTEMPTS)
    assert ended.analysis is None
    assert "3 times" in ended.reason


def test_the_own_compose_file_of_a_repository_is_not_changed(look: Look) -> None:
    ended = repair(look(EXAMPLES["compose"].files), "listening on :4321", 1)
    assert ended.analysis is None
    assert "compose.yaml" in ended.reason


@pytest.mark.parametrize("log", ["", "it broke", "listening on :3000", "port 99999", "$(id): not found", "\x00" * 100])
def test_a_log_without_a_hint_changes_nothing(look: Look, log: str) -> None:
    assert repair(look(EXAMPLES["express"].files), log, 1).analysis is None


def test_a_giant_log_is_read_at_its_end_only(look: Look) -> None:
    log = "listening on :1111\n" + "a listening " * 1_000_000 + "\nlistening on :2222\n"
    assert mended(look(EXAMPLES["express"].files), log).port == 2222


def test_a_repair_is_a_pure_function(look: Look) -> None:
    analysis = look(EXAMPLES["express"].files)
    assert repair(analysis, "listening on :4321", 1) == repair(analysis, "listening on :4321", 1)
