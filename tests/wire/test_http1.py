"""HTTP/1.1 as the proxy reads it: what is accepted, what is refused, and that no cut of the bytes changes it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeport.wire.http1 import (
    MAX_CHUNK_LINE_BYTES,
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    End,
    Malformed,
    RequestHead,
    RequestReader,
    ResponseHead,
    ResponseReader,
)

Event = RequestHead | ResponseHead | bytes | End | Malformed


def pieces(data: bytes, cuts: tuple[int, ...]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges) if start < end]


def add(events: list[Event], event: Event) -> None:
    """Bodies come in pieces whose borders mean nothing."""
    if isinstance(event, bytes) and events and isinstance(events[-1], bytes):
        events[-1] += event
    else:
        events.append(event)


def requests(data: bytes, *cuts: int) -> list[Event]:
    reader, events = RequestReader(), list[Event]()
    for piece in pieces(data, cuts):
        reader.receive(piece)
        while (event := reader.next_event()) is not None:
            add(events, event)
            if isinstance(event, End):
                reader.restart()
    return events


def responses(data: bytes, *cuts: int, method: bytes = b"GET", eof: bool = False) -> list[Event]:
    reader, events = ResponseReader(), list[Event]()
    reader.expect(method)
    for piece in pieces(data, cuts):
        reader.receive(piece)
        while (event := reader.next_event()) is not None:
            add(events, event)
    last = reader.receive_eof() if eof else None
    return [*events, last] if last is not None else events


def head_of(data: bytes) -> RequestHead:
    head = requests(data)[0]
    assert isinstance(head, RequestHead), head
    return head


def answer_of(data: bytes, method: bytes = b"GET") -> ResponseHead:
    head = responses(data, method=method)[0]
    assert isinstance(head, ResponseHead), head
    return head


def get(*lines: bytes, first: bytes = b"GET / HTTP/1.1", host: bytes = b"Host: a") -> bytes:
    return b"\r\n".join([first, host, *lines, b"", b""]) if host else b"\r\n".join([first, *lines, b"", b""])


def test_a_request_without_a_body_ends_at_once() -> None:
    head, end = requests(b"GET /a?b=c HTTP/1.1\r\nHost: x.localhost:8443\r\nAccept:  text/html \r\n\r\n")
    assert isinstance(head, RequestHead)
    assert (head.method, head.target, head.host) == (b"GET", b"/a?b=c", b"x.localhost:8443")
    assert head.value(b"accept") == b"text/html"
    assert head.keep_alive
    assert end == End()


def test_a_body_with_a_length_comes_whole() -> None:
    assert requests(get(b"Content-Length: 5") + b"hello")[1:] == [b"hello", End()]


def test_a_length_of_zero_is_no_body() -> None:
    assert requests(get(b"Content-Length: 0"))[1:] == [End()]


def test_a_chunked_body_is_decoded_with_its_trailers() -> None:
    data = (
        get(b"Transfer-Encoding: Chunked")
        + b"5;ext=1\r\nhello\r\nA\r\n, world!!!\r\n0\r\nX-Sum: 1\r\nHost: evil\r\n\r\n"
    )
    _, body, end = requests(data)
    assert body == b"hello, world!!!"
    assert isinstance(end, End)
    assert [field.name for field in end.trailers] == [b"x-sum"]


def test_pipelined_requests_come_in_order_each_after_restart() -> None:
    reader = RequestReader()
    reader.receive(get() + get(first=b"GET /2 HTTP/1.1"))
    assert isinstance(reader.next_event(), RequestHead)
    assert reader.next_event() == End()
    assert reader.next_event() is None
    assert reader.pending
    reader.restart()
    second = reader.next_event()
    assert isinstance(second, RequestHead)
    assert second.target == b"/2"


def test_one_empty_line_before_a_request_is_tolerated() -> None:
    assert head_of(b"\r\n" + get()).target == b"/"


def test_an_absolute_target_decides_about_the_host() -> None:
    head = head_of(get(first=b"GET http://other.localhost/p?q HTTP/1.1"))
    assert (head.host, head.target) == (b"other.localhost", b"/p?q")
    assert head_of(get(first=b"GET http://other.localhost?q HTTP/1.1")).target == b"/?q"


def test_options_may_ask_about_the_whole_server() -> None:
    assert head_of(get(first=b"OPTIONS * HTTP/1.1")).target == b"*"


def test_http_1_0_closes_unless_it_asks_not_to_and_needs_no_host() -> None:
    assert not head_of(get(first=b"GET / HTTP/1.0", host=b"")).keep_alive
    assert head_of(get(b"Connection: Keep-Alive", first=b"GET / HTTP/1.0")).keep_alive


def test_connection_close_closes() -> None:
    assert not head_of(get(b"Connection: x, Close")).keep_alive


def test_the_same_length_twice_is_one_length() -> None:
    assert head_of(get(b"Content-Length: 0", b"Content-Length: 0")).length == 0


def test_an_upgrade_needs_its_connection_option_and_no_body() -> None:
    assert head_of(get(b"Connection: Upgrade", b"Upgrade: websocket")).upgrade == b"websocket"
    assert head_of(get(b"Upgrade: websocket")).upgrade is None
    assert head_of(get(b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: 1") + b"x").upgrade is None


def test_h2c_is_never_an_upgrade() -> None:
    assert head_of(get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: x")).upgrade is None


def test_expecting_to_continue_counts_with_a_body_only() -> None:
    assert head_of(get(b"Expect: 100-Continue", b"Content-Length: 1")).expects_continue
    assert not head_of(get(b"Expect: 100-continue")).expects_continue


SMUGGLING = {
    "length and chunked": get(b"Content-Length: 4", b"Transfer-Encoding: chunked"),
    "chunked and length": get(b"Transfer-Encoding: chunked", b"Content-Length: 4"),
    "two lengths": get(b"Content-Length: 4", b"Content-Length: 5"),
    "list of lengths": get(b"Content-Length: 4, 4"),
    "signed length": get(b"Content-Length: +4"),
    "negative length": get(b"Content-Length: -1"),
    "hex length": get(b"Content-Length: 0x4"),
    "length with a space in it": get(b"Content-Length: 1 0"),
    "empty length": get(b"Content-Length: "),
    "huge length": get(b"Content-Length: 9999999999999999999"),
    "chunked twice": get(b"Transfer-Encoding: chunked, chunked"),
    "chunked in two fields": get(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "identity": get(b"Transfer-Encoding: identity"),
    "gzip": get(b"Transfer-Encoding: gzip, chunked"),
    "xchunked": get(b"Transfer-Encoding: xchunked"),
    "chunked with a vertical tab": get(b"Transfer-Encoding: \x0bchunked"),
    "chunked in HTTP/1.0": get(b"Transfer-Encoding: chunked", first=b"POST / HTTP/1.0"),
    "space before the colon": get(b"Transfer-Encoding : chunked"),
    "tab before the colon": get(b"Content-Length\t: 3"),
    "folded line": get(b"X: a", b" b"),
    "folded first line": get(host=b" Host: a"),
    "bare CR in a value": get(b"X: a\rTransfer-Encoding: chunked"),
    "bare LF in a value": get(b"X: a\nTransfer-Encoding: chunked"),
    "bare LF ends the head": b"GET / HTTP/1.1\nHost: a\n\n",
    "LF after CRLF ends the head": b"GET / HTTP/1.1\r\nHost: a\r\n\n",
    "CR before CRLF": b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
    "NUL in a value": get(b"X: a\x00b"),
    "NUL in a name": get(b"X\x00: a"),
    "DEL in a value": get(b"X: \x7f"),
    "empty name": get(b": a"),
    "no colon": get(b"X"),
    "name with a space": get(b"X Y: a"),
    "no host": get(host=b""),
    "two hosts": get(b"Host: b"),
    "empty host": get(host=b"Host:"),
    "host with a path": get(host=b"Host: a/b"),
    "host with a user": get(host=b"Host: u@a"),
    "host with a comma": get(host=b"Host: a, b"),
    "host with a bad port": get(host=b"Host: a:99x"),
    "target without a slash": get(first=b"GET x HTTP/1.1"),
    "target with a space": get(first=b"GET /a b HTTP/1.1"),
    "target with a tab": get(first=b"GET /a\tb HTTP/1.1"),
    "target with a user": get(first=b"GET http://u@h/ HTTP/1.1"),
    "connect": get(first=b"CONNECT a:443 HTTP/1.1"),
    "connect in disguise": get(first=b"CONNECT http://a/ HTTP/1.1"),
    "two spaces": get(first=b"GET  / HTTP/1.1"),
    "space first": get(first=b" GET / HTTP/1.1"),
    "lower case version": get(first=b"GET / http/1.1"),
    "version 2": get(first=b"PRI * HTTP/2.0"),
    "version 0.9": b"GET /\r\n\r\n",
    "bad method": get(first=b"G(T / HTTP/1.1"),
    "unknown expectation": get(b"Expect: a-pony"),
    "two empty lines first": b"\r\n\r\n" + get(),
}


@pytest.mark.parametrize("data", SMUGGLING.values(), ids=SMUGGLING.keys())
def test_a_request_head_that_could_be_read_in_two_ways_is_refused(data: bytes) -> None:
    (event,) = requests(data)
    assert isinstance(event, Malformed)


BAD_CHUNKS = {
    "not a number": b"x\r\n",
    "prefix": b"0x5\r\nhello\r\n",
    "sign": b"+5\r\nhello\r\n",
    "space before": b" 5\r\nhello\r\n",
    "space after": b"5 \r\nhello\r\n",
    "bare LF": b"5\nhello\r\n",
    "empty": b"\r\nhello\r\n",
    "overflow": b"F" * 17 + b"\r\n",
    "longer than its size": b"5\r\nhelloX\r\n",
    "shorter than its size": b"6\r\nhello\r\n0\r\n\r\n",
    "bare CR in an extension": b"5;a\rb\r\nhello\r\n",
    "endless extension": b"5;" + b"a" * MAX_CHUNK_LINE_BYTES + b"\r\nhello\r\n",
    "trailer breaks the rules": b"0\r\nX : 1\r\n\r\n",
    "bare LF after the last chunk": b"0\r\n\n\n",
}


@pytest.mark.parametrize("body", BAD_CHUNKS.values(), ids=BAD_CHUNKS.keys())
def test_a_chunk_that_could_be_read_in_two_ways_is_refused(body: bytes) -> None:
    assert isinstance(requests(get(b"Transfer-Encoding: chunked") + body)[-1], Malformed)


def test_limits_are_named_with_431() -> None:
    too_long = requests(get(b"X: " + b"a" * MAX_HEAD_BYTES))[-1]
    too_many = requests(get(*[b"X: 1"] * (MAX_FIELDS + 1)))[-1]
    endless = requests(b"GET /" + b"a" * MAX_HEAD_BYTES)[-1]
    assert [event.status for event in (too_long, too_many, endless) if isinstance(event, Malformed)] == [431] * 3


def test_nothing_follows_a_broken_message() -> None:
    assert len(requests(get(b"X : 1") + get())) == 1


def test_a_response_ends_by_length_by_chunks_or_by_closing() -> None:
    assert responses(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")[1:] == [b"hi", End()]
    assert responses(b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")[1:] == [b"hi", End()]
    assert responses(b"HTTP/1.0 200 OK\r\n\r\nhi", eof=True)[1:] == [b"hi", End()]


def test_a_response_cut_short_is_malformed() -> None:
    assert isinstance(responses(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", eof=True)[-1], Malformed)
    assert isinstance(responses(b"HTTP/1.1 200 OK\r\nCont", eof=True)[-1], Malformed)


@pytest.mark.parametrize("status", [b"204", b"304"])
def test_some_statuses_have_no_body_whatever_their_fields_say(status: bytes) -> None:
    assert responses(b"HTTP/1.1 " + status + b" X\r\nContent-Length: 3\r\n\r\n")[1:] == [End()]


def test_an_answer_to_head_has_no_body() -> None:
    assert responses(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", method=b"HEAD")[1:] == [End()]


def test_informational_responses_come_before_the_final_one() -> None:
    data = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    first, second, end = responses(data)
    assert isinstance(first, ResponseHead)
    assert isinstance(second, ResponseHead)
    assert (first.status, second.status, end) == (103, 200, End())


def test_after_a_switch_of_protocols_the_rest_is_raw() -> None:
    reader = ResponseReader()
    reader.receive(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00")
    assert isinstance(reader.next_event(), ResponseHead)
    assert reader.next_event() is None
    assert reader.rest() == b"\x81\x00"


def test_an_app_that_closes_after_its_answer_is_not_kept() -> None:
    assert not answer_of(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").keep_alive
    assert not answer_of(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").keep_alive
    assert answer_of(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").keep_alive


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a\nX: b\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
    ],
)
def test_a_response_that_breaks_the_rules_is_refused(data: bytes) -> None:
    (event,) = responses(data)
    assert isinstance(event, Malformed)
    assert event.status == 502


def test_idle_means_between_messages_with_nothing_waiting() -> None:
    reader = ResponseReader()
    assert reader.idle
    reader.expect(b"GET")
    reader.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nextra")
    assert isinstance(reader.next_event(), ResponseHead)
    assert reader.next_event() == End()
    assert not reader.idle


REQUEST_SAMPLES = [
    get(b"Accept: */*") + get(b"Content-Length: 11", first=b"POST /a HTTP/1.1") + b"hello world" + get(),
    b"\r\n"
    + get(b"Transfer-Encoding: chunked")
    + b"5;x\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nX: y\r\n\r\n"
    + get(),
    get(b"Connection: Upgrade", b"Upgrade: websocket"),
    get(b"X: " + b"a" * 3000),
    *SMUGGLING.values(),
    *(get(b"Transfer-Encoding: chunked") + body for body in BAD_CHUNKS.values()),
]
RESPONSE_SAMPLES = [
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\nT: x\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\neverything until the end",
    b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
    b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
]
CUTS = st.lists(st.integers(0, 400), max_size=20)


@settings(max_examples=400)
@given(st.sampled_from(REQUEST_SAMPLES), CUTS)
def test_however_a_request_is_cut_the_events_are_the_same(sample: bytes, cuts: list[int]) -> None:
    assert requests(sample, *cuts) == requests(sample)


@given(st.sampled_from(REQUEST_SAMPLES))
def test_byte_by_byte_is_no_exception(sample: bytes) -> None:
    assert requests(sample, *range(len(sample))) == requests(sample)


@settings(max_examples=200)
@given(st.sampled_from(RESPONSE_SAMPLES), CUTS)
def test_however_a_response_is_cut_the_events_are_the_same(sample: bytes, cuts: list[int]) -> None:
    assert responses(sample, *cuts, eof=True) == responses(sample, eof=True)


@given(st.binary(max_size=300), st.sampled_from(REQUEST_SAMPLES), st.integers(0, 300))
def test_nothing_that_a_peer_sends_raises(noise: bytes, sample: bytes, at: int) -> None:
    requests(noise)
    responses(noise, eof=True)
    requests(sample[:at] + noise + sample[at:])
    requests(get(b"Transfer-Encoding: chunked") + noise)
