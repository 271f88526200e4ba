"""Secrets do not reach what is written, in whatever form programs print them."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.kit.masking import MASK, Masker

SECRET = 'pa55 w/örd+"x"'


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        base64.b64encode(SECRET.encode()).decode().rstrip("="),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote(SECRET, safe="").replace("%C3", "%c3").replace("%B6", "%b6").replace("%2F", "%2f").replace("%2B", "%2b"),
        json.dumps(SECRET)[1:-1],
    ],
)
def test_every_form_is_masked(form: str) -> None:
    assert form not in Masker([SECRET]).mask(f"before {form} after")
    assert form.encode() not in Masker([SECRET]).mask_bytes(f"before {form} after".encode())


@pytest.mark.parametrize("before", ["", "a", "ab", "abc:"])
@pytest.mark.parametrize("after", ["", "x", "xy"])
def test_base64_of_something_longer_is_masked(before: str, after: str) -> None:
    encoded = base64.b64encode(f"{before}correct horse{after}".encode()).decode()
    masked = Masker(["correct horse"]).mask(encoded)
    assert MASK in masked
    kept = masked.replace(MASK, "")
    assert len(kept) <= len(encoded) - 15


def test_the_rest_of_the_text_stays() -> None:
    assert Masker(["hunter2"]).mask("user=me password=hunter2;") == f"user=me password={MASK};"


def test_the_longer_secret_wins() -> None:
    assert Masker(["abcd", "abcdefgh"]).mask("abcdefgh") == MASK


def test_each_line_of_a_secret_of_several_lines_is_masked() -> None:
    masker = Masker(["-----BEGIN KEY-----\nMIIBVgIBADANBg\n-----END KEY-----\n"])
    assert "MIIBVgIBADANBg" not in masker.mask("  MIIBVgIBADANBg")


@pytest.mark.parametrize("value", ["", " ", "abc", "\n"])
def test_values_too_short_to_be_secrets_are_left_alone(value: str) -> None:
    assert Masker([value]).mask("abc def") == "abc def"


def test_bytes_that_are_not_utf8_pass_through() -> None:
    assert Masker(["hunter2"]).mask_bytes(b"\xff hunter2 \xfe") == b"\xff " + MASK.encode() + b" \xfe"


@given(st.text(min_size=4, alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="•")), st.text())
def test_no_secret_survives(secret: str, around: str) -> None:
    if len(secret.strip()) >= 4:
        assert secret not in Masker([secret]).mask(f"{around}{secret}{around}")
