"""What the proxy answers itself: who is at fault is said, the machine's inside is not."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from homeport.services.exposure import Target
from homeport.services.proxy import Limits
from homeport.testing.front import Stage, answering, replying, staged
from homeport.testing.waiting import eventually


def code(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), json.loads(body)["code"]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_an_unknown_name_is_404(stage: Stage) -> None:
    assert code(await stage.ask(host="nope.localhost")) == (404, "no_such_app")


async def test_a_name_two_labels_down_is_nobody(stage: Stage) -> None:
    await stage.app(answering(b"hello"))
    assert code(await stage.ask(host="a.app.localhost")) == (404, "no_such_app")


@pytest.mark.parametrize("status", ["stopped", "deploying", "failed"])
async def test_a_paused_app_is_503_and_says_why_and_when_to_come_back(stage: Stage, status: str) -> None:
    stage.routes.pause("app", status)  # type: ignore[arg-type]  # one of the three words
    answer = await stage.ask()
    assert code(answer) == (503, f"app_{status}")
    assert b"\r\nRetry-After: " in answer


async def test_the_page_of_a_deploying_app_asks_again_by_itself(stage: Stage) -> None:
    stage.routes.pause("app", "deploying")
    assert b'http-equiv="refresh"' in await stage.ask("Accept: text/html")


async def test_an_app_that_does_not_listen_is_502_without_its_address(stage: Stage) -> None:
    port = closed_port()
    stage.routes.point("app", Target(port, "rel_1"), service_id="svc_1")
    answer = await stage.ask()
    assert code(answer) == (502, "app_unreachable")
    assert str(port).encode() not in answer
    assert b"rel_1" not in answer


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", "app_broke_off"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "app_broke_off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "app_answer_invalid"),
        (b"nonsense\r\n\r\n", "app_answer_invalid"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "app_answer_invalid"),
    ],
)
async def test_an_app_that_breaks_off_or_babbles_is_502(stage: Stage, answer: bytes, expected: str) -> None:
    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    await stage.app(app)
    assert code(await stage.ask()) == (502, expected)


async def test_an_answer_that_breaks_off_is_cut_so_that_the_client_notices(stage: Stage) -> None:
    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")

    await stage.app(app)
    try:
        answer = await stage.ask()
    except ConnectionError:
        return
    assert not answer.endswith(b"0\r\n\r\n")


async def test_a_failed_request_leaves_the_connection_usable(stage: Stage) -> None:
    await stage.app(answering(b"hello"))
    answer = await stage.talk(
        b"GET / HTTP/1.1\r\nHost: nope.localhost\r\n\r\n"
        b"GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 404")
    assert answer.endswith(b"hello")


async def test_an_app_that_accepts_no_connection_is_504() -> None:
    async with staged(Limits(connect=0.2)) as stage:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            port = full.getsockname()[1]
            fillers = [socket.socket() for _ in range(3)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            stage.routes.point("app", Target(port, "rel_1"), service_id="svc_1")
            assert code(await stage.ask()) == (504, "app_timeout")
            for filler in fillers:
                filler.close()


async def test_an_app_that_never_answers_is_504() -> None:
    async with staged(Limits(response=0.2)) as stage:
        await stage.app(silent)
        assert code(await stage.ask()) == (504, "app_timeout")
        assert stage.routes.in_flight("rel_1") == 0


async def test_a_client_that_is_slow_with_its_head_is_408() -> None:
    async with staged(Limits(head=0.2)) as stage:
        assert (await stage.talk(b"GET / HTTP/1.1\r\nHo")).startswith(b"HTTP/1.1 408 ")
        assert await stage.talk(b"") == b""


async def test_a_client_that_is_slow_with_its_body_is_408() -> None:
    async with staged(Limits(body=0.2)) as stage:
        await stage.app(silent)
        request = b"POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 10\r\n\r\nabc"
        assert (await stage.talk(request)).startswith(b"HTTP/1.1 408 ")


async def test_an_idle_connection_is_closed_in_time() -> None:
    async with staged(Limits(keep_alive=0.2)) as stage:
        await stage.app(answering(b"hello"))
        assert (await stage.talk(b"GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n")).endswith(b"hello")


async def test_an_answer_that_stops_half_way_is_cut_in_time() -> None:
    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        await reader.read()

    async with staged(Limits(stream=0.2)) as stage:
        await stage.app(app)
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n")
        await reader.readuntil(b"hello")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), 15)
        writer.close()


@pytest.mark.parametrize("framing", ["Content-Length: 11", "Transfer-Encoding: chunked"])
async def test_a_body_over_the_limit_is_413(framing: str) -> None:
    async with staged(Limits(body_bytes=10)) as stage:
        await stage.app(silent)
        body = b"b\r\nhello world\r\n0\r\n\r\n" if "chunked" in framing else b"hello world"
        head = f"POST / HTTP/1.1\r\nHost: app.localhost\r\n{framing}\r\n\r\n".encode()
        assert code(await stage.talk(head + body)) == (413, "too_large")


async def test_too_many_requests_at_once_to_one_app_are_503() -> None:
    async with staged(Limits(per_instance=1)) as stage:
        await stage.app(silent)
        _, writer = await asyncio.open_connection("127.0.0.1", stage.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n")
        await eventually(lambda: stage.routes.in_flight("rel_1") == 1)
        assert code(await stage.ask()) == (503, "app_busy")
        writer.close()


async def test_with_too_many_connections_an_idle_one_makes_room_and_a_busy_one_does_not() -> None:
    async with staged(Limits(connections=1)) as stage:
        await stage.app(answering(b"hello"))
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n")
        await reader.readuntil(b"hello")
        assert (await stage.ask()).endswith(b"hello")
        assert await reader.read() == b""
        writer.close()
        await stage.app(silent)
        _, busy = await asyncio.open_connection("127.0.0.1", stage.port)
        busy.write(b"GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n")
        await eventually(lambda: stage.routes.in_flight("rel_1") == 1)
        assert code(await stage.ask()) == (503, "portal_busy")
        busy.close()


ATTACKS = [
    (b"GET / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding: x\r\n\r\n", 501),
    (b"GET / HTTP/1.1\nHost: app.localhost\n\n", 400),
    (b"GET / HTTP/1.1\r\nHost: app.localhost\r\nX : y\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: app.localhost\r\nExpect: magic\r\n\r\n", 417),
    (b"GET / HTTP/1.1\r\nHost: app.localhost\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431),
    (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: app.localhost\r\n\r\n", 431),
    (b"CONNECT app.localhost:443 HTTP/1.1\r\nHost: app.localhost\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", 400),
]


@pytest.mark.parametrize(("attack", "status"), ATTACKS)
async def test_an_attack_is_refused_and_what_follows_it_is_never_a_request(
    stage: Stage, attack: bytes, status: int
) -> None:
    await stage.app(replying(b""))
    answer = await stage.talk(attack + b"GET /smuggled HTTP/1.1\r\nHost: app.localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close\r\n" in answer


async def test_a_host_other_than_the_one_of_the_connection_is_421(stage: Stage) -> None:
    await stage.app(answering(b"hello"))
    server = await asyncio.get_running_loop().create_server(
        lambda: stage.proxy.protocol("app.localhost"), "127.0.0.1", 0
    )
    stage.port = server.sockets[0].getsockname()[1]
    assert (await stage.ask(host="APP.localhost:8443")).endswith(b"hello")
    assert code(await stage.ask(host="other.localhost")) == (421, "misdirected")
    assert (await stage.talk(b"GET / HTTP/1.0\r\n\r\n")).endswith(b"hello")
    server.close()


async def test_a_host_outside_our_domain_is_421(stage: Stage) -> None:
    assert code(await stage.ask(host="example.com")) == (421, "misdirected")


async def test_an_answer_that_nobody_asked_for_is_never_given_to_the_next_visitor(stage: Stage) -> None:
    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await reader.read()

    await stage.app(app)
    await stage.ask()
    await asyncio.sleep(0.1)
    assert (await stage.ask()).endswith(b"first")


async def test_closing_ends_idle_connections_lets_requests_finish_and_cuts_the_late() -> None:
    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.2 if b"/soon" in head else 5 if b"/late" in head else 0)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with staged() as stage:
        await stage.app(app)
        idle, idle_writer = await asyncio.open_connection("127.0.0.1", stage.port)
        idle_writer.write(b"GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n")
        await idle.readuntil(b"ok")
        soon = asyncio.create_task(stage.talk(b"GET /soon HTTP/1.1\r\nHost: app.localhost\r\n\r\n"))
        late = asyncio.create_task(stage.talk(b"GET /late HTTP/1.1\r\nHost: app.localhost\r\n\r\n"))
        await eventually(lambda: stage.routes.in_flight("rel_1") == 2)
        await stage.proxy.close(timeout=0.5)
        assert await idle.read() == b""
        assert (await soon).endswith(b"Connection: close\r\n\r\nok")
        assert await late == b""
        idle_writer.close()


async def test_clients_that_vanish_at_any_moment_leave_nothing_behind(stage: Stage) -> None:
    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000)
            await writer.drain()

    await stage.app(app)
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    async def visit(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n" * (1 + number % 3))
        if number % 4:
            await reader.read(number * 500)
        if number % 2:
            writer.write_eof()
            await asyncio.sleep(0.001 * (number % 5))
            writer.close()
        else:
            writer.transport.abort()

    await asyncio.gather(*(visit(number) for number in range(120)))
    async with asyncio.timeout(15):
        while stage.proxy.connections or stage.routes.in_flight("rel_1"):  # noqa: ASYNC110  # counts, not events
            await asyncio.sleep(0.01)
    assert stage.routes.traffic("app").in_flight == 0
    assert complaints == []
