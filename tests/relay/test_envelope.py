"""The forgiving JSON of seed 004."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.relay.envelope import Body, failure, first_value, success
from homeport.relay.problems import InvalidJson, IpBanned, RateLimited


def test_a_success_says_so_and_ends_with_a_line() -> None:
    answer = success({"status": "ok"})
    assert bytes(answer.body) == b'{"ok":true,"data":{"status":"ok"}}\n'
    assert answer.headers["content-type"] == "application/json"


def test_a_failure_has_a_code_and_a_message() -> None:
    answer = failure(IpBanned("No."))
    assert answer.status_code == 403
    assert bytes(answer.body) == b'{"ok":false,"error":{"code":"ip_banned","message":"No."}}\n'


def test_a_failure_that_knows_how_long_says_it() -> None:
    assert failure(RateLimited("No.", details={"retry_after": 7})).headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a":1}', {"a": 1}),
        (b' \r\n{"a":1} trailing', {"a": 1}),
        (b'{"a":1}{"b":2}', {"a": 1}),
        (b"null", None),
        (b'{"a":"\xff"}', {"a": "�"}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b"7 8", 7),
    ],
)
def test_the_first_value_counts(data: bytes, value: Any) -> None:
    assert first_value(data) == value  # relay A.0


@pytest.mark.parametrize("data", [b"", b" ", b"{", b"{]", b"{'a':1}", b"NaN", b'{"a":Infinity}', b"[" * 100_000])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        first_value(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        first_value(data)


def test_half_a_surrogate_pair_becomes_a_character_that_can_be_kept() -> None:
    body = Body(first_value(b'{"name":"a\\ud800b"} '))
    assert body.text("name") == "a�b"


@pytest.mark.parametrize("value", [1, True, [], {}])
def test_a_text_is_a_text(value: Any) -> None:
    with pytest.raises(InvalidJson):
        Body(name=value).text("name")
