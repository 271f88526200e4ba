"""Variables: from those handed in, and from nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from homeport.services.compose import ComposeRefused, inspect, read, variables_of
from homeport.services.compose.interpolate import Unfilled, substitute

KNOWN = {"A": "one", "EMPTY": "", "DOLLAR": "${A}"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${A}", "one"),
        ("$A-$A", "one-one"),
        ("x${A}y", "xoney"),
        ("$$A $${A} $$$$", "$A ${A} $$"),
        ("${EMPTY}", ""),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${NO:-d}", "d"),
        ("${NO-d}", "d"),
        ("${NO:-}", ""),
        ("${NO:-${A}}", "one"),
        ("${NO:-a:-b}", "a:-b"),
        ("${NO:-$$}", "$"),
        ("${A:+x}", "x"),
        ("${A+x}", "x"),
        ("${EMPTY:+x}", ""),
        ("${EMPTY+x}", "x"),
        ("${NO:+x}", ""),
        ("${A:?needed}", "one"),
        ("${EMPTY?needed}", ""),
        ("${DOLLAR}", "${A}"),  # what a value says is not filled in again
    ],
)
def test_the_forms_of_compose(text: str, filled: str) -> None:
    assert substitute(text, KNOWN) == filled


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("${NO}", "needs the variable NO"),
        ("$NO", "needs the variable NO"),
        ("${NO:?set it}", "needs the variable NO: set it"),
        ("${EMPTY:?set it}", "set it"),
        ("${NO?}", "needs the variable NO"),
        ("${NO:-${ALSO}}", "needs the variable ALSO"),
        ("$", "write `$$`"),
        ("costs 5$!", "write `$$`"),
        ("${A", "without its `}`"),
        ("${}", "without the name"),
        ("${1}", "without the name"),
        ("${A!x}", "form that is not known"),
        ("${NO:-" * 40 + "}" * 40, "nested"),
    ],
)
def test_what_cannot_be_filled_in(text: str, why: str) -> None:
    with pytest.raises(Unfilled, match=why.replace("$", r"\$").replace("{", r"\{").replace("}", r"\}")):
        substitute(text, KNOWN)


def refused(text: str, variables: Mapping[str, str]) -> str:
    with pytest.raises(ComposeRefused) as refusal:
        read(text, variables)
    return repr(refusal.value.details)


def test_the_portals_own_environment_is_never_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:  # apps G.7, G.2
    monkeypatch.setenv("PANEL_SECRET", "correct-horse")
    text = "services: {web: {image: nginx, environment: {A: '${PANEL_SECRET}'}}}"
    assert "needs the variable PANEL_SECRET" in refused(text, {})
    assert "correct-horse" not in refused(text, {})
    listed = "services: {web: {image: nginx, environment: [PANEL_SECRET]}}"
    assert "needs the variable PANEL_SECRET" in refused(listed, {})
    mapped = "services: {web: {image: nginx, environment: {PANEL_SECRET: }}}"
    assert read(mapped, {}).web.environment == {"PANEL_SECRET": ""}


def test_a_violation_never_shows_the_value_of_a_variable() -> None:
    secret = {"S": "correct-horse!"}
    keys = ("image", "mem_limit", "cpus", "stop_grace_period", "restart", "user", "stop_signal", "pids_limit",
            "working_dir", "init", "expose", "volumes", "tmpfs", "labels", "environment", "cap_add", "tty",
            "security_opt")  # fmt: skip
    for key in keys:
        for value in ("${S}", "['${S}']", "['${S}:/x']", "['${S}=x']"):
            text = f"services: {{web: {{image: nginx, {key}: {value!r}}}}}".replace("\"['", "['").replace("']\"", "']")
            text = text.replace("image: nginx, image", "image")
            assert "correct-horse" not in repr(inspect(text, secret).violations), text


def test_keys_are_not_filled_in() -> None:
    assert "name" in refused("services: {'${A}': {image: nginx}}", {"A": "web"})


def test_a_number_may_come_from_a_variable() -> None:
    stack = read(
        "services: {web: {image: 'nginx:${TAG:-1}', mem_limit: $MEM, read_only: $RO}}", {"MEM": "64m", "RO": "true"}
    )
    assert (stack.web.image, stack.web.memory_mb, stack.web.read_only) == ("nginx:1", 64, True)


def test_values_cannot_grow_without_end() -> None:
    text = "services: {web: {image: nginx, environment: {A: '" + "$A" * 1000 + "'}}}"
    assert "larger than" in refused(text, {"A": "x" * 30_000})


def test_the_names_that_a_document_asks_for() -> None:
    text = """
    x-unused: ${UNUSED}
    services:
      web:
        image: nginx:${TAG:-${FALLBACK}}
        environment: ["A=$B", TAKEN]
        command: echo $$NOT ${B:?needed}
    """
    assert variables_of(text) == ("TAG", "FALLBACK", "B", "TAKEN")
