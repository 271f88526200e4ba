"""What is read along on a connection."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.relay.agent.inspect.exchanges import BODY_BYTES, Exchange, ExchangeLog
from homeport.relay.agent.inspect.tap import HttpTap
from homeport.testing.clock import ManualClock

GET = b"GET /a?x=1 HTTP/1.1\r\nHost: demo\r\n\r\n"
POST = b"POST /b HTTP/1.1\r\nHost: demo\r\nContent-Length: 5\r\n\r\nhello"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
CHUNKED = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


class Read:
    """A tap with its log and clock."""

    def __init__(self) -> None:
        self.log = ExchangeLog()
        self.clock = ManualClock()
        self.tap = HttpTap(self.log, self.clock)

    def ask(self, data: bytes) -> None:
        self.tap.received(memoryview(data))

    def answer(self, data: bytes) -> None:
        self.tap.sent(memoryview(data))

    @property
    def newest(self) -> Exchange:
        return self.log.list()[0]


def test_a_request_and_its_answer_with_their_times_and_sizes() -> None:
    read = Read()
    read.ask(POST)
    read.clock.advance(0.25)
    read.answer(OK[:20])
    read.answer(OK[20:-1])
    read.clock.advance(0.5)
    read.answer(OK[-1:])
    found = read.newest
    assert (found.head.method, found.head.target, found.state) == (b"POST", b"/b", "complete")
    assert (bytes(found.request.kept), bytes(found.response.kept)) == (b"hello", b"hi")
    assert found.answer is not None
    assert (found.answer.status, found.first_byte, found.took) == (200, 0.25, 0.75)
    assert found.request_complete


def test_one_connection_carries_many() -> None:
    read = Read()
    for request, answer in ((GET, OK), (POST, CHUNKED), (GET, OK)):
        read.ask(request)
        read.answer(answer)
    assert [found.number for found in read.log.list()] == [3, 2, 1]
    assert [found.response.size for found in read.log.list()] == [2, 5, 2]


def test_requests_that_do_not_wait_are_answered_in_their_order() -> None:
    read = Read()
    read.ask(POST + GET + b"HEAD /c HTTP/1.1\r\nHost: demo\r\n\r\n")
    read.answer(CHUNKED + OK + b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
    states = [(found.head.target, found.state, found.response.size) for found in read.log.list()]
    assert states == [(b"/c", "complete", 0), (b"/a?x=1", "complete", 2), (b"/b", "complete", 5)]


def test_an_answer_that_ends_with_the_connection_is_complete() -> None:
    read = Read()
    read.ask(GET)
    read.answer(b"HTTP/1.1 200 OK\r\n\r\nall of it")
    assert read.newest.state == "open"
    read.tap.closed()
    assert (read.newest.state, bytes(read.newest.response.kept)) == ("complete", b"all of it")


def test_an_answer_that_was_cut_off_is_broken() -> None:
    read = Read()
    read.ask(GET)
    read.answer(OK[:-1])
    read.tap.closed()
    assert (read.newest.state, read.newest.reason) == ("broken", "The connection ended before the answer did.")


def test_informational_answers_are_not_the_answer() -> None:
    read = Read()
    read.ask(b"POST / HTTP/1.1\r\nHost: demo\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
    read.answer(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert read.newest.answer is None
    read.ask(b"x")
    read.answer(OK)
    assert read.newest.state == "complete"


def test_after_an_upgrade_it_no_longer_looks() -> None:
    read = Read()
    read.ask(b"GET /ws HTTP/1.1\r\nHost: demo\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    read.answer(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x02hi")
    read.ask(b"\x81\x82abcdef")
    assert (read.newest.state, read.tap.over, len(read.log)) == ("upgraded", True, 1)


@pytest.mark.parametrize(
    "data", [b"SSH-2.0-OpenSSH_9\r\n\r\n", b"\x16\x03\x01\x02\x00\n\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
)
def test_what_is_not_http_is_given_up(data: bytes) -> None:
    read = Read()
    read.ask(data)
    read.ask(GET)
    assert (read.tap.over, len(read.log)) == (True, 0)


def test_a_target_that_speaks_first_is_given_up() -> None:
    read = Read()
    read.answer(b"220 mail\r\n")
    assert read.tap.over


def test_an_answer_that_is_not_http_ends_the_looking() -> None:
    read = Read()
    read.ask(GET)
    read.answer(b"nonsense\r\n\r\n")
    assert (read.newest.state, read.tap.over) == ("broken", True)


def test_of_a_large_body_the_beginning_is_kept() -> None:
    read = Read()
    size = 3 * BODY_BYTES
    read.ask(b"PUT / HTTP/1.1\r\nHost: demo\r\nContent-Length: %d\r\n\r\n" % size)
    for _ in range(3):
        read.ask(b"x" * BODY_BYTES)
    read.answer(OK)
    assert (read.newest.request.size, len(read.newest.request.kept), read.newest.request.whole) == (
        size, BODY_BYTES, False,
    )  # fmt: skip


def test_only_the_newest_are_kept() -> None:
    log = ExchangeLog(kept=3)
    tap = HttpTap(log, ManualClock())
    for _ in range(5):
        tap.received(memoryview(GET))
        tap.sent(memoryview(OK))
    assert [found.number for found in log.list()] == [5, 4, 3]
    assert log.find(1) is None


def test_what_is_kept_is_bounded_in_bytes() -> None:
    log = ExchangeLog(kept_bytes=100_000)
    tap = HttpTap(log, ManualClock())
    for _ in range(10):
        tap.received(memoryview(GET))
        tap.sent(memoryview(b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n" + b"x" * 40_000))
    assert len(log) == 2
    assert sum(found.bytes_kept for found in log.list()) <= 100_000


def test_too_many_unanswered_requests_are_not_followed() -> None:
    read = Read()
    read.ask(GET * 40)
    assert read.tap.over
    assert len(read.log) == 32


@given(st.lists(st.integers(0, len(POST + GET)), max_size=6), st.lists(st.integers(0, len(CHUNKED + OK)), max_size=6))
def test_however_it_is_cut_the_same_is_read(asked: list[int], answered: list[int]) -> None:
    read = Read()
    for data, cuts, hear in ((POST + GET, asked, read.ask), (CHUNKED + OK, answered, read.answer)):
        places = [0, *sorted(cuts), len(data)]
        for start, end in pairwise(places):
            hear(data[start:end])
    states = [(each.head.method, each.state, bytes(each.response.kept)) for each in read.log.list()]
    assert states == [(b"GET", "complete", b"hi"), (b"POST", "complete", b"abcde")]


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=200)), max_size=20))
def test_any_bytes_do_no_harm(pieces: list[tuple[bool, bytes]]) -> None:
    read = Read()
    for is_request, data in pieces:
        (read.ask if is_request else read.answer)(data)
    read.tap.closed()
    assert all(found.state != "open" for found in read.log.list())


def test_what_the_log_has_forgotten_is_not_kept_by_those_who_still_read() -> None:
    log = ExchangeLog(kept=2)
    taps = [HttpTap(log, ManualClock()) for _ in range(10)]
    for tap in taps:
        tap.received(memoryview(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n"))
    for tap in taps:
        tap.received(memoryview(b"x" * 40_000))
    kept = [len(tap.newest.request.kept) for tap in taps if tap.newest is not None]
    assert kept == [0] * 8 + [40_000] * 2
