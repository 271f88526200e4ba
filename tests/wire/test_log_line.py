"""Lines of a log file, written and read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.wire.log_line import format_line, parse_line


def test_a_line_is_read_as_the_interface_writes_it() -> None:
    line = parse_line(b"2026-03-29T14:30:00.123456789Z stderr F the message: it has  spaces")
    assert line is not None
    assert line.timestamp == datetime(2026, 3, 29, 14, 30, 0, 123456, tzinfo=UTC)
    assert (line.stream, line.partial, line.message) == ("stderr", False, "the message: it has  spaces")


def test_a_part_of_a_line_is_marked() -> None:
    line = parse_line(b"2026-03-29T14:30:00.123456789Z stdout P half")
    assert line is not None
    assert line.partial


def test_an_empty_message_is_a_line() -> None:
    line = parse_line(b"2026-03-29T14:30:00.123456789Z stdout F ")
    assert line is not None
    assert line.message == ""


@pytest.mark.parametrize(
    "torn",
    [
        b"",
        b"hello",
        b"2026-03-29T14:30:00.123456789Z stdout F",
        b"2026-03-29T14:30:00.123456789Z stdout X message",
        b"yesterdayZ stdout F message",
        b"2026-03-29T14:30:00 stdout F message",
        b"2026-03-29T14:30:00.1Z st\xffut F message",
    ],
)
def test_what_is_no_log_line_is_none(torn: bytes) -> None:
    assert parse_line(torn) is None


def test_a_line_end_in_a_message_does_not_make_two_lines() -> None:
    assert format_line(0, "system", "a\nb") == b"1970-01-01T00:00:00.000000000Z system F a b\n"


@given(st.integers(0, 2**62), st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\n")))
def test_what_was_written_is_read(nanoseconds: int, message: str) -> None:
    line = parse_line(format_line(nanoseconds, "stdout", message, partial=True).removesuffix(b"\n"))
    assert line is not None
    assert line.message == message
    assert line.partial
    assert int(line.timestamp.timestamp()) == nanoseconds // 1_000_000_000


@given(st.binary())
def test_no_bytes_make_it_raise(data: bytes) -> None:
    parse_line(data)
