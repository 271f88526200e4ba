"""The control stream of UDP tunnels (relay C.8)."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.wire import udp_control as control
from homeport.wire.udp_control import Answer, Hello, MessageReader, Refused


def read(data: bytes, *, end: bool = False) -> object:
    return MessageReader().receive(data, end=end)


def hello(data: bytes) -> Hello | Refused:
    message = MessageReader().receive(data)
    assert isinstance(message, dict)
    return control.read_hello(message)


def test_a_token_on_a_line_is_a_hello() -> None:
    assert hello(control.encode_hello("abc")) == Hello("abc")


def test_keys_may_have_any_case_and_others_are_ignored() -> None:
    assert hello(b'{"Access_Token": " abc ", "more": [1]}\n') == Hello("abc")


def test_what_follows_the_first_value_is_ignored() -> None:
    assert hello(b'  {"access_token": "abc"} and so on\n{"access_token": "other"}') == Hello("abc")


@pytest.mark.parametrize("text", ["{}", '{"access_token": 7}', '{"access_token": "  "}'])
def test_a_hello_without_a_token_is_an_invalid_request(text: str) -> None:
    assert hello(text.encode() + b"\n") == Refused(control.INVALID_REQUEST)


@pytest.mark.parametrize("data", [b"\n", b"[1]\n", b"nonsense\n", b"\xff\n", b"[" * 60_000 + b"\n"])
def test_what_is_no_object_is_an_invalid_message(data: bytes) -> None:
    assert read(data) == Refused(control.INVALID_CONTROL_MESSAGE)


def test_the_end_of_the_stream_ends_the_message() -> None:
    assert read(b'{"ok": true}') is None
    assert read(b'{"ok": true}', end=True) == {"ok": True}
    assert read(b'{"ok"', end=True) == Refused(control.INVALID_CONTROL_MESSAGE)


@pytest.mark.parametrize("end", [b"", b'"}\n'])
def test_a_message_without_an_end_is_refused_at_its_limit(end: bytes) -> None:
    data = b'{"access_token": "' + b"a" * control.MAX_MESSAGE_BYTES + end
    assert read(data) == Refused(control.INVALID_CONTROL_MESSAGE)


@given(st.lists(st.integers(0, 60), max_size=8))
def test_however_it_is_cut_the_same_comes_out(cuts: list[int]) -> None:
    data = control.encode_hello("a token of some length") + b"rest"
    reader = MessageReader()
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    heard = [reader.receive(data[a:b]) for a, b in itertools.pairwise(places)]
    assert [message for message in heard if message is not None] == [{"access_token": "a token of some length"}]


def test_answers_say_yes_or_why_not() -> None:
    assert json.loads(control.encode_answer()) == {"ok": True}
    assert json.loads(control.encode_answer("lease_not_found")) == {"ok": False, "error": "lease_not_found"}
    assert control.read_answer({"ok": True}) == Answer()
    assert control.read_answer({"ok": False, "error": "unauthorized"}) == Answer("unauthorized")
    assert control.read_answer({}) == Answer("invalid_control_message")
