"""A service's variables: what is accepted, what is hidden, and what survives an edit."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeport.kit.masking import MASK
from homeport.kit.problems import ValidationFailed
from homeport.kit.sealing import Sealer
from homeport.services.variables import (
    Variable,
    changed,
    environment,
    masked,
    seal,
    secret_values,
    unseal,
)

KNOWN = {"GREETING": Variable("hello"), "DB_PASSWORD": Variable("s3cret", secret=True, generated=True)}


def test_sealed_variables_come_back_and_are_not_readable_meanwhile(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path)
    sealed = seal(sealer, "svc_1", KNOWN)
    assert "s3cret" not in sealed
    assert unseal(sealer, "svc_1", sealed) == KNOWN


def test_replies_show_values_and_hide_secrets() -> None:
    assert masked(KNOWN) == {"GREETING": "hello", "DB_PASSWORD": MASK}
    assert secret_values(KNOWN) == ("s3cret",)


def test_a_name_that_usually_holds_a_secret_is_kept_as_one() -> None:
    result = changed({}, {"API_KEY": "k", "STRIPE_TOKEN": "t", "DATABASE_URL": "u", "MONKEY": "m", "TITLE": "x"})
    assert {name for name, one in result.items() if one.secret} == {"API_KEY", "STRIPE_TOKEN", "DATABASE_URL"}


def test_sending_the_mask_back_changes_nothing() -> None:
    assert changed(KNOWN, {"GREETING": "hello", "DB_PASSWORD": MASK}) == KNOWN


def test_a_changed_secret_stays_secret_and_is_no_longer_generated() -> None:
    assert changed(KNOWN, {"DB_PASSWORD": "mine"})["DB_PASSWORD"] == Variable("mine", secret=True, generated=False)


def test_null_removes_a_variable() -> None:
    assert changed(KNOWN, {"GREETING": None}) == {"DB_PASSWORD": KNOWN["DB_PASSWORD"]}


def test_every_bad_name_and_value_is_told_at_once() -> None:
    with pytest.raises(ValidationFailed) as told:
        changed({}, {"1ST": "x", "PORT": "80", "A-B": "x", "LONG": "x" * 40_000, "NUL": "\0", "GOOD": "x"})
    assert set(told.value.details["fields"]) == {  # type: ignore[index]
        "variables.1ST", "variables.PORT", "variables.A-B", "variables.LONG", "variables.NUL",
    }  # fmt: skip


def test_too_many_variables_are_refused() -> None:
    with pytest.raises(ValidationFailed, match="at most 200"):
        changed({}, {f"V{number}": "x" for number in range(201)})


def test_the_ports_variable_is_the_portals_own() -> None:
    assert environment({"PORT": Variable("1"), "A": Variable("b")}) == {"A": "b"}
