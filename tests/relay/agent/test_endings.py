"""How connections through a tunnel end, whoever ends them, and what is left of them: nothing. Relay C.6."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import threading

import pytest

from homeport.relay.agent import CallableTarget, TcpTarget, Visitor, Wish
from homeport.testing.fake_relay import FakeRelay
from homeport.testing.waiting import eventually, within

from .conftest import Serve, Start, echo, until


async def test_a_relay_that_dies_ends_the_targets_connection(relay: FakeRelay, serve: Serve, start: Start) -> None:
    over = asyncio.Event()

    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"welcome")
        await reader.read()
        over.set()
        writer.close()

    agent = await start(await serve(waits), relay)
    visitor = await relay.visit("demo.localhost")
    assert await visitor.receive() == b"welcome"

    await relay.stop()

    await asyncio.wait_for(over.wait(), 10)
    await eventually(lambda: agent.status().open == 0)


async def test_a_relay_that_resets_behind_the_last_bytes_ends_the_targets_connection(
    relay: FakeRelay, serve: Serve, start: Start
) -> None:
    heard = bytearray()

    async def listens(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            heard.extend(data)
        writer.close()

    agent = await start(await serve(listens), relay, wish=Wish(tcp=True))
    session = await relay.session()
    await session.claim(0x01, b"first ")
    await eventually(lambda: heard == b"first ")

    sock, engine = session.connection.sock, session.connection.engine
    engine.write(b"last")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.send(engine.output())
    sock.close()

    await eventually(lambda: agent.status().open == 0)
    assert heard == b"first last"


async def test_a_target_that_is_killed_ends_the_visitors_connection(
    relay: FakeRelay, serve: Serve, start: Start
) -> None:
    async def killed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    agent = await start(await serve(killed), relay)
    visitor = await relay.visit("demo.localhost")

    await visitor.send(b"hello")

    assert await visitor.receive_all() == b""
    await visitor.end()
    await eventually(lambda: agent.status().open == 0)


async def test_an_answer_arrives_although_the_target_does_not_read_all_that_is_sent(
    relay: FakeRelay, serve: Serve, start: Start
) -> None:
    async def refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1000)
        writer.write(b"too large")
        writer.close()

    agent = await start(await serve(refuses), relay)
    visitor = await relay.visit("demo.localhost")

    async def upload() -> None:
        for _ in range(200):
            await visitor.send(bytes(50_000))

    sending = asyncio.create_task(upload())
    try:
        assert await visitor.receive_all() == b"too large"
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    await eventually(lambda: agent.status().open == 0)


async def test_an_answer_arrives_that_was_not_read_yet_when_the_target_was_found_gone(
    relay: FakeRelay, start: Start
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    asked, answer = threading.Event(), threading.Event()

    def refuses() -> None:
        sock, _ = listener.accept()
        sock.recv(1000)
        asked.set()
        answer.wait(10)
        sock.sendall(b"too large")
        sock.close()  # a reset, for the thousand bytes that it did not read

    thread = threading.Thread(target=refuses)
    thread.start()
    agent = await start(TcpTarget("127.0.0.1", listener.getsockname()[1]), relay, wish=Wish(tcp=True))
    session = await relay.session()
    await session.claim(0x01, bytes(2000))
    await asyncio.to_thread(asked.wait, 10)
    await eventually(lambda: agent.status().received == 2000)

    # The visitor goes on first, then the target answers and is gone: the agent's loop meets all of it at once.
    session.connection.engine.write(bytes(1000))
    session.connection.sock.send(session.connection.engine.output())
    answer.set()
    thread.join()

    assert await session.receive() == b"too large"
    assert await session.receive() == b""
    await eventually(lambda: agent.status().open == 0)
    listener.close()


async def test_the_end_of_a_target_that_refuses_a_large_upload_is_told_at_once(relay: FakeRelay, start: Start) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    answer = threading.Event()

    def refuses() -> None:
        sock, _ = listener.accept()
        sock.recv(1000)
        answer.wait(10)
        sock.sendall(b"too large")
        sock.close()  # a reset, for all that it did not read

    thread = threading.Thread(target=refuses)
    thread.start()
    agent = await start(TcpTarget("127.0.0.1", listener.getsockname()[1]), relay, wish=Wish(tcp=True))
    session = await relay.session()
    await session.claim(0x01, b"begin")
    engine, sock = session.connection.engine, session.connection.sock
    sock.setblocking(False)
    waiting = b""
    still = 0
    while still < 20:  # until the agent takes no more: what it has waits for the target
        if not waiting:
            engine.write(bytes(16 * 1024))
            waiting = engine.output()
        try:
            waiting = waiting[sock.send(waiting) :]
            still = 0
        except BlockingIOError:
            still += 1
            await asyncio.sleep(0.01)
    answer.set()
    thread.join()

    async def told() -> bytes:
        said = b""
        while data := await session.receive():
            said += data
        return said

    assert await within(1, told()) == b"too large"
    await eventually(lambda: agent.status().open == 0)
    listener.close()


async def test_a_target_that_reads_slowly_slows_the_visitor_down(relay: FakeRelay, serve: Serve, start: Start) -> None:
    go_on = asyncio.Event()
    got = 0

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        await go_on.wait()
        while data := await reader.read(64 * 1024):
            got += len(data)
        writer.write(b"%d" % got)
        writer.close()

    agent = await start(await serve(slow), relay, wish=Wish(tcp=True))
    session = await relay.session()
    await session.claim(0x01)
    sent = 0

    async def pour() -> None:
        nonlocal sent
        for _ in range(512):
            await session.send(bytes(64 * 1024))
            sent += 64 * 1024
        await session.end()

    pouring = asyncio.create_task(pour())
    await asyncio.sleep(1.5)
    assert agent.status().received < 16 * 1024 * 1024  # what the kernel holds for a service on loopback, and no more

    go_on.set()
    await pouring
    answer = b""
    while piece := await session.receive():
        answer += piece
    assert answer == b"%d" % (512 * 64 * 1024)


async def test_a_socketpair_is_a_target(relay: FakeRelay, start: Start) -> None:
    visitors: list[Visitor] = []
    kept: list[socket.socket] = []

    async def answer(visitor: Visitor) -> socket.socket:
        visitors.append(visitor)
        ours, theirs = socket.socketpair()
        for each in (ours, theirs):
            each.setblocking(False)
        kept.append(theirs)
        theirs.send(f"you are number {visitor.number}".encode())
        return ours

    await start(CallableTarget(answer), relay)
    visitor = await relay.visit("demo.localhost")

    assert await visitor.receive() == b"you are number 1"
    assert (visitors[0].kind, visitors[0].hostname) == ("tls", "demo.localhost")
    kept[0].close()
    assert await visitor.receive_all() == b""


async def test_a_visitor_that_breaks_tls_harms_only_itself(relay: FakeRelay, serve: Serve, start: Start) -> None:
    agent = await start(await serve(echo), relay)
    session = await relay.session()
    await session.claim(0x02, b"\x16\x03\x01\x00\x05nonsense that is no hello")
    other = await relay.visit("demo.localhost")

    await other.send(b"hello")

    assert await other.receive() == b"hello"
    await eventually(lambda: agent.status().open == 1)


async def test_a_marker_of_the_future_ends_the_session_alone(relay: FakeRelay, serve: Serve, start: Start) -> None:
    """relay C.4: any other byte is an error."""
    agent = await start(await serve(echo), relay)
    await (await relay.session()).claim(0x07)

    visitor = await relay.visit("demo.localhost")
    await visitor.send(b"hello")

    assert await visitor.receive() == b"hello"
    assert agent.status().connections == 1


async def test_nothing_is_left_of_hundreds_of_visitors(relay: FakeRelay, serve: Serve, start: Start) -> None:
    agent = await start(await serve(echo), relay)
    await until(agent, "online")

    async def come_and_go(number: int) -> None:
        visitor = await relay.visit("demo.localhost")
        await visitor.send(b"%d" % number)
        await visitor.receive()
        await visitor.end()
        await visitor.receive_all()

    await asyncio.gather(*(come_and_go(number) for number in range(20)))
    await eventually(lambda: agent.status().open == 0)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    tasks = len(asyncio.all_tasks())
    for _ in range(8):
        await asyncio.gather(*(come_and_go(number) for number in range(20)))

    await eventually(lambda: agent.status().open == 0)
    assert agent.status().connections == 180
    # The fake relay's own ends are closed with it; the agent's are gone already.
    assert len([task for task in asyncio.all_tasks() if task.get_name().startswith("visitor:")]) == 0
    assert len(asyncio.all_tasks()) <= tasks + 16
    assert len(os.listdir("/proc/self/fd")) <= before + 8 * 20 + 32  # noqa: PTH208


@pytest.mark.parametrize("piece", [1, 7, 5000])
async def test_however_the_visitors_bytes_are_cut_the_same_arrives(
    relay: FakeRelay, serve: Serve, start: Start, piece: int
) -> None:
    await start(await serve(echo), relay, wish=Wish(tcp=True))
    session = await relay.session()
    await session.claim(0x01, b"ab")
    data = bytes(range(256)) * 2

    for at in range(0, len(data), piece):
        await session.send(data[at : at + piece])
    await session.end()

    got = b""
    while more := await session.receive():
        got += more
    assert got == b"ab" + data + b"goodbye"
