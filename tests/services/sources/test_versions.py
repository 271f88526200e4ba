"""Which installed interpreter fits what an app asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeport.services.problems import BuildFailed
from homeport.services.sources.versions import Interpreter, Version, Wish, choose, satisfies


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [
        ((20, 5, 1), "20", True),
        ((20, 5, 1), "20.x", True),
        ((20, 5, 1), "v20.5.1", True),
        ((20, 5, 1), "20.5.0", False),
        ((20, 5, 1), "18", False),
        ((20, 5, 1), "*", True),
        ((20, 5, 1), "lts/*", True),
        ((20, 5, 1), ">=18", True),
        ((20, 5, 1), ">=18 <20", False),
        ((20, 5, 1), ">=18.0.0 <21.0.0", True),
        ((20, 5, 1), ">20", False),
        ((21, 0, 0), ">20", True),
        ((20, 5, 1), "<=20", True),
        ((20, 5, 1), "^20.2", True),
        ((21, 0, 0), "^20.2", False),
        ((0, 2, 9), "^0.2.3", True),
        ((0, 3, 0), "^0.2.3", False),
        ((20, 5, 1), "~20.5.0", True),
        ((20, 6, 0), "~20.5.0", False),
        ((20, 5, 1), "18 || 20", True),
        ((19, 0, 0), "18 || 20", False),
        ((17, 9, 9), "16 - 18", True),
        ((18, 9, 9), "16 - 18", True),
        ((19, 0, 0), "16 - 18", False),
        ((3, 11, 7), "3.11", True),
        ((3, 11, 7), "3.11.*", True),
        ((3, 11, 7), "==3.11.*", True),
        ((3, 11, 7), ">=3.10,<3.12", True),
        ((3, 12, 1), ">=3.10,<3.12", False),
        ((3, 12, 1), "~=3.10", True),
        ((3, 11, 2), "~=3.10.1", False),
        ((3, 12, 1), "!=3.12.*,>=3", False),
        ((3, 11, 7), "nonsense", False),
    ],
)
def test_a_version_fits_or_not(version: Version, wanted: str, fits: bool) -> None:
    assert satisfies(version, wanted) is fits


INSTALLED = [Interpreter(Path(f"/{a}.{b}.{c}"), (a, b, c)) for a, b, c in ((3, 11, 7), (3, 13, 0), (3, 9, 18))]
NODES = [Interpreter(Path(f"/{a}.{b}.{c}"), (a, b, c)) for a, b, c in ((20, 20, 2), (22, 3, 0))]


@pytest.mark.parametrize(
    ("wanted", "got", "noted"),
    [
        (None, "3.11.7", False),
        ("3.13", "3.13.0", False),
        ("3.11.4", "3.11.7", True),
        (">=3.9", "3.11.7", False),
        (">=3.12", "3.13.0", False),
        ("3.12", "3.13.0", True),
        ("3.8.1", "3.9.18", True),
        ("banana", "3.11.7", True),
    ],
)
def test_the_nearest_python_is_taken_and_said(wanted: str | None, got: str, noted: bool) -> None:
    choice = choose("Python", Wish(wanted, ".python-version") if wanted else None, INSTALLED)
    assert (choice.interpreter.text, choice.note is not None) == (got, noted)


@pytest.mark.parametrize(
    ("wanted", "got", "noted"), [("20", "20.20.2", False), ("22.x", "22.3.0", False), ("16", "20.20.2", True)]
)
def test_an_older_node_gets_the_nearest_newer_one(wanted: str, got: str, noted: bool) -> None:
    choice = choose("Node", Wish(wanted, "engines.node"), NODES)
    assert (choice.interpreter.text, choice.note is not None) == (got, noted)


def test_the_note_says_who_asked_for_what() -> None:
    note = choose("Python", Wish("3.12", "runtime.txt"), INSTALLED).note
    assert note == "runtime.txt asks for 3.12, which is not installed; the nearest, 3.13.0, is used"


@pytest.mark.parametrize(("language", "wanted"), [("Python", "2.7"), ("Python", "4"), ("Node", "24")])
def test_what_cannot_be_served_fails_with_what_there_is(language: str, wanted: str) -> None:
    with pytest.raises(BuildFailed, match="this machine has") as caught:
        choose(language, Wish(wanted, "the file"), INSTALLED if language == "Python" else NODES)
    assert f"the file asks for {language} {wanted}" in caught.value.message


def test_a_machine_without_the_language_says_so() -> None:
    with pytest.raises(BuildFailed, match="needs Node, and this machine has none"):
        choose("Node", None, [])
