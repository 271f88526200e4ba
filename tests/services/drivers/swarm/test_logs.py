"""The engine's log stream as lines, and lines as a file."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.kit.masking import MASK, Masker
from homeport.services.docker.problems import EngineUnavailable
from homeport.services.drivers.swarm.journal import Journal, Line, nanoseconds
from homeport.services.drivers.swarm.logs import LARGEST_FRAME, Frames
from homeport.wire.log_line import LONGEST_MESSAGE, parse_line

STAMP = b"2026-03-29T14:30:00.123456789Z"
AT = nanoseconds(STAMP)


def frame(text: bytes, stream: int = 1, stamp: bytes = STAMP) -> bytes:
    data = stamp + b" " + text
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


WHOLE = frame(b"one\n") + frame(b"oops\n", 2) + frame(b"half ") + frame(b"a line\n")


@given(st.lists(st.integers(0, len(WHOLE)), max_size=6))
def test_however_the_bytes_are_cut_the_same_lines_come_out(cuts: list[int]) -> None:
    frames = Frames()
    edges = [0, *sorted(cuts), len(WHOLE)]
    found = [line for start, end in pairwise(edges) for line in frames.feed(WHOLE[start:end])]
    assert [(line.stream, line.message) for line in found] == [
        ("stdout", b"one"), ("stderr", b"oops"), ("stdout", b"half a line"),
    ]  # fmt: skip
    assert {line.at for line in found} == {AT}


def test_a_terminal_s_log_comes_without_frames() -> None:
    found = Frames(has_tty=True).feed(STAMP + b" hello\r\n" + STAMP + b" wor")
    assert found == [Line(AT, "stdout", b"hello")]


def test_a_frame_that_is_too_large_is_refused() -> None:
    with pytest.raises(EngineUnavailable):
        Frames().feed(bytes([1, 0, 0, 0]) + (LARGEST_FRAME + 1).to_bytes(4, "big"))


def test_secrets_are_masked_before_they_are_stored(tmp_path: Path) -> None:
    Journal(tmp_path / "a.log", 1000, Masker(["hunter22"])).write([Line(AT, "stdout", b"it is hunter22")])
    assert (tmp_path / "a.log").read_text() == f"{STAMP.decode()} stdout F it is {MASK}\n"


def test_what_was_written_before_a_restart_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    lines = [Line(AT + step, "stdout", b"line %d" % step) for step in range(3)]
    Journal(path, 10_000, Masker([])).write(lines[:2])
    again = Journal(path, 10_000, Masker([]))
    assert again.last == AT + 1
    again.write(lines)
    assert [line.rpartition(" ")[2] for line in path.read_text().splitlines()] == ["0", "1", "2"]


def test_it_is_rotated_by_size_and_two_generations_are_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.log", 100, Masker([]))
    for step in range(8):
        journal.write([Line(AT + step, "stdout", b"x" * 50)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "a.log.1", "a.log.2"]
    assert Journal(tmp_path / "a.log", 100, Masker([])).last == AT + 7


def test_a_line_that_is_too_long_is_cut_between_characters(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    Journal(path, 10**6, Masker([])).write([Line(AT, "stdout", "ä".encode() * LONGEST_MESSAGE)])
    parsed = [parse_line(line) for line in path.read_bytes().splitlines()]
    assert [one.partial for one in parsed if one] == [True, False]
    assert "".join(one.message for one in parsed if one) == "ä" * LONGEST_MESSAGE


@pytest.mark.parametrize("stamp", [b"", b"error:", b"2026-03-29T14:30:00Z", b"yesterday.5Z"])
def test_what_is_no_instant_is_no_line(stamp: bytes) -> None:
    assert nanoseconds(stamp) == 0
