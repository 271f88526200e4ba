"""Requests and answers through the proxy, on real sockets, in every framing."""

from __future__ import annotations

import asyncio

import pytest

from homeport.testing.front import Stage, answering, replying

GET = b"GET /%s HTTP/1.1\r\nHost: app.localhost\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"


async def echo_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with the raw bytes of the request, once they hold `END`."""
    data = b""
    while not data.rstrip().endswith(b"END"):
        data += await reader.read(65536)
    writer.write(OK + b"Content-Length: %d\r\n\r\n" % len(data) + data)


async def test_a_request_reaches_its_app_and_the_answer_its_client(stage: Stage) -> None:
    await stage.app(answering(b"hello"))
    answer = await stage.ask()
    assert answer == OK + b"Content-Length: 5\r\nConnection: close\r\n\r\nhello"


async def test_a_connection_carries_many_requests_and_the_app_sees_one_connection(stage: Stage) -> None:
    app = await stage.app(answering(b"hello"))
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    for _ in range(5):
        writer.write(GET % b"")
        assert (await reader.readuntil(b"hello")).startswith(OK)
    writer.close()
    assert app.connections == 1


async def test_pipelined_requests_are_answered_in_order(stage: Stage) -> None:
    async def slow_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ")[1]
            await asyncio.sleep(0.05 if path == b"/1" else 0)
            writer.write(OK + b"Content-Length: %d\r\n\r\n" % len(path) + path)

    await stage.app(slow_first)
    answer = await stage.talk(GET % b"1" + GET % b"2" + LAST)
    assert [answer.index(path) for path in (b"/1", b"/2", b"/last")] == sorted(
        answer.index(path) for path in (b"/1", b"/2", b"/last")
    )
    assert answer.count(b"200 OK") == 3


async def test_each_request_of_a_connection_finds_its_own_way(stage: Stage) -> None:
    await stage.app(answering(b"one"), name="one", instance="rel_1")
    await stage.app(answering(b"two"), name="two", instance="rel_2")
    answer = await stage.talk(
        b"GET / HTTP/1.1\r\nHost: one.localhost\r\n\r\n"
        b"GET / HTTP/1.1\r\nHost: TWO.localhost.:99\r\nConnection: close\r\n\r\n"
    )
    assert answer.index(b"one") < answer.index(b"two")


@pytest.mark.parametrize("body", [b"", b"x", b"x" * 300_000])
async def test_a_body_with_a_length_arrives(stage: Stage, body: bytes) -> None:
    await stage.app(echo_body)
    body += b"END"
    request = b"POST / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    answer = await stage.talk(request + body)
    assert answer.endswith(b"\r\n\r\n" + body)


async def test_a_chunked_body_arrives_with_its_trailers_and_without_extensions(stage: Stage) -> None:
    await stage.app(echo_body)
    request = b"POST / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await stage.talk(request + b"3;x=y\r\nabc\r\n0\r\nX-Sum: END\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: END\r\n\r\n")


async def test_a_chunked_answer_stays_chunked_with_its_trailers(stage: Stage) -> None:
    await stage.app(replying(OK + b"Transfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"))
    assert (await stage.ask()).endswith(
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"
    )


async def test_an_answer_that_ends_by_closing_keeps_the_client_connected(stage: Stage) -> None:
    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nold")

    await stage.app(old)
    answer = await stage.talk(GET % b"" + LAST)
    assert answer.count(b"3\r\nold\r\n0\r\n\r\n") == 2


async def test_an_http_1_0_client_gets_no_chunks_and_is_closed(stage: Stage) -> None:
    await stage.app(replying(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
    answer = await stage.talk(b"GET / HTTP/1.0\r\nHost: app.localhost\r\nConnection: keep-alive\r\n\r\n")
    assert answer == OK + b"Connection: close\r\n\r\nabc"


async def test_an_http_1_0_client_may_keep_its_connection(stage: Stage) -> None:
    await stage.app(answering(b"hello"))
    first = b"GET / HTTP/1.0\r\nHost: app.localhost\r\nConnection: keep-alive\r\n\r\n"
    answer = await stage.talk(first + b"GET / HTTP/1.0\r\nHost: app.localhost\r\n\r\n")
    assert answer.count(b"hello") == 2
    assert answer.count(b"Connection: keep-alive") == 1


async def test_an_answer_to_head_has_no_body_and_the_next_answer_is_not_mistaken_for_one(stage: Stage) -> None:
    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(OK + b"Content-Length: 5\r\n\r\n" + (b"" if head.startswith(b"HEAD") else b"hello"))

    await stage.app(app)
    answer = await stage.talk(b"HEAD / HTTP/1.1\r\nHost: app.localhost\r\n\r\n" + LAST)
    assert answer.count(b"hello") == 1


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_answers_without_a_body_end_with_their_head(stage: Stage, status: bytes) -> None:
    await stage.app(replying(b"HTTP/1.1 " + status + b"\r\nETag: x\r\n\r\n"))
    answer = await stage.talk(GET % b"" + LAST)
    assert answer.count(status) == 2


async def test_a_client_that_waits_for_100_continue_gets_the_apps(stage: Stage) -> None:
    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Expect: 100-continue\r\n" in head
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        writer.write(OK + b"Content-Length: 3\r\n\r\n" + await reader.readexactly(3))

    await stage.app(app)
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: app.localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"abc")
    assert (await reader.readuntil(b"abc")).startswith(OK)
    writer.close()


async def test_early_hints_are_passed_on(stage: Stage) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    await stage.app(replying(hints + OK + b"Content-Length: 0\r\n\r\n"))
    assert (await stage.ask()).startswith(hints + OK)


async def test_an_answer_before_the_end_of_the_request_arrives_whole(stage: Stage) -> None:
    async def impatient(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")

    await stage.app(impatient)
    request = b"POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 300000\r\n\r\n"
    answer = await stage.talk(request + b"x" * 200_000)
    assert answer.endswith(b"Connection: close\r\n\r\nbig")


async def test_events_are_sent_as_they_come(stage: Stage) -> None:
    go = asyncio.Event()

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        await go.wait()
        writer.write(b"data: 2\n\n")

    await stage.app(app)
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(GET % b"")
    await asyncio.wait_for(reader.readuntil(b"data: 1\n\n"), 15)
    go.set()
    await asyncio.wait_for(reader.readuntil(b"data: 2\n\n"), 15)
    writer.close()


async def test_an_app_hears_when_its_client_is_gone(stage: Stage) -> None:
    gone = asyncio.Event()

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"\r\nbegun")
        try:
            await reader.read()
        finally:
            gone.set()

    await stage.app(app)
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(GET % b"")
    await reader.readuntil(b"begun")
    assert stage.routes.in_flight("rel_1") == 1
    writer.close()
    await asyncio.wait_for(gone.wait(), 15)
    assert stage.routes.in_flight("rel_1") == 0


async def test_requests_bytes_and_errors_are_counted(stage: Stage) -> None:
    await stage.app(replying(b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops"))
    await stage.ask("Content-Length: 0", method="POST")
    await stage.talk(b"POST / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc")
    traffic = stage.routes.traffic("app")
    assert (traffic.requests, traffic.in_flight, traffic.errors_5xx) == (2, 0, 2)
    assert (traffic.bytes_in, traffic.bytes_out) == (3, 8)
