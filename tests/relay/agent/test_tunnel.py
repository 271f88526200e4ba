"""What a visitor meets at the end of a tunnel. Relay C.4 to C.7."""

from __future__ import annotations

import asyncio

from homeport.relay.agent import TcpTarget, Wish
from homeport.testing.fake_relay import FakeRelay
from homeport.testing.waiting import eventually

from .conftest import Serve, Start, echo


async def test_a_visitor_talks_to_the_target_by_tls_that_the_agent_ends(
    relay: FakeRelay, serve: Serve, start: Start
) -> None:
    agent = await start(await serve(echo), relay)
    visitor = await relay.visit("demo.localhost")

    await visitor.send(b"hello")

    assert await visitor.receive() == b"hello"
    assert agent.status().state == "online"
    assert agent.status().url == f"https://demo.localhost:{relay.port}"


async def test_the_visitors_end_reaches_the_target_and_its_answer_still_comes(
    relay: FakeRelay, serve: Serve, start: Start
) -> None:
    await start(await serve(echo), relay)
    visitor = await relay.visit("demo.localhost")
    await visitor.send(b"hello ")

    await visitor.end()

    assert await visitor.receive_all() == b"hello goodbye"


async def test_the_relays_close_notify_is_the_visitors_end(relay: FakeRelay, serve: Serve, start: Start) -> None:
    """relay C.6"""
    await start(await serve(echo), relay, wish=Wish(tcp=True))
    session = await relay.session()
    await session.claim(0x01, b"raw ")

    await session.end()

    got = b""
    while piece := await session.receive():
        got += piece
    assert got == b"raw goodbye"


async def test_raw_bytes_reach_the_target_as_they_are(relay: FakeRelay, serve: Serve, start: Start) -> None:
    """relay C.7"""
    await start(await serve(echo), relay, wish=Wish(tcp=True))
    session = await relay.session()

    await session.claim(0x01)
    await session.send(b"\x00\x01\x02")

    assert await session.receive() == b"\x00\x01\x02"


async def test_a_target_that_ends_first_can_still_be_written_to(relay: FakeRelay, serve: Serve, start: Start) -> None:
    heard = bytearray()
    over = asyncio.Event()

    async def speaks_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"that is all")
        writer.write_eof()
        while data := await reader.read(1024):
            heard.extend(data)
        over.set()
        writer.close()

    await start(await serve(speaks_first), relay)
    visitor = await relay.visit("demo.localhost")

    assert await visitor.receive_all() == b"that is all"
    await visitor.send(b"not for me")
    await visitor.end()

    await asyncio.wait_for(over.wait(), 10)
    assert heard == b"not for me"


async def test_a_web_visitor_is_told_when_the_target_does_not_run(relay: FakeRelay, start: Start) -> None:
    await start(TcpTarget("127.0.0.1", 1), relay)
    visitor = await relay.visit("demo.localhost")

    await visitor.send(b"GET / HTTP/1.1\r\nHost: demo.localhost\r\n\r\n")
    answer = await visitor.receive_all()

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Nothing answers here" in answer


async def test_megabytes_pass_unharmed_in_both_directions(relay: FakeRelay, serve: Serve, start: Start) -> None:
    agent = await start(await serve(echo), relay)
    visitor = await relay.visit("demo.localhost")
    data = bytes(range(256)) * 4096 * 8  # 8 MiB

    async def send() -> None:
        for at in range(0, len(data), 100_000):
            await visitor.send(data[at : at + 100_000])
        await visitor.end()

    got, _ = await asyncio.gather(visitor.receive_all(), send())

    assert got == data + b"goodbye"
    status = agent.status()
    assert (status.received, status.sent) == (len(data), len(data) + 7)


async def test_a_claimed_session_is_replaced_at_once(relay: FakeRelay, serve: Serve, start: Start) -> None:
    await start(await serve(echo), relay)
    visitors = [await relay.visit("demo.localhost") for _ in range(12)]

    for number, visitor in enumerate(visitors):
        await visitor.send(b"%d" % number)

    assert [await visitor.receive() for visitor in visitors] == [b"%d" % number for number in range(12)]
    await eventually(lambda: relay.waiting >= 2)


async def test_what_stalls_is_not_read_any_further(relay: FakeRelay, serve: Serve, start: Start) -> None:
    """A mebibyte at most is kept for a visitor who reads nothing."""
    written = 0

    async def pours(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        while True:
            writer.write(bytes(64 * 1024))
            await writer.drain()
            written += 64 * 1024

    agent = await start(await serve(pours), relay, wish=Wish(tcp=True))
    session = await relay.session()
    await session.claim(0x01)

    before = -1
    while before != written:
        before = written
        await asyncio.sleep(0.5)

    kept = agent.tunnels[0].traffic.sent
    assert kept < 16 * 1024 * 1024  # the kernel's own buffers, on loopback
    assert agent.status().state == "online"
