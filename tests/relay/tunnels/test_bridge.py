"""Bytes between visitors and agents: whole, in order, each end passed on, bounded, limited."""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
import time

import pytest

from homeport.relay.tunnels.bridge import PASSTHROUGH, RAW
from homeport.testing.waiting import eventually
from homeport.testing.wires import Wires


async def test_the_agent_is_told_the_kind_then_gets_the_visitors_bytes(wires: Wires) -> None:  # relay C.4
    agent = await wires.agent()
    visitor = await wires.visitor()
    assert await agent.read(6) == PASSTHROUGH + b"hello"
    agent.writer.write(b"welcome")
    assert await visitor.read(7) == b"welcome"
    visitor.writer.write(b"thanks")
    assert await agent.read(6) == b"thanks"
    assert (wires.lease.traffic.received, wires.lease.traffic.sent, wires.lease.traffic.connections) == (11, 7, 1)
    assert wires.total == wires.lease.traffic


async def test_a_server_may_speak_first_on_a_raw_port(wires: Wires) -> None:  # relay C.7
    agent = await wires.agent()
    visitor = await wires.visitor(marker=RAW, hello=b"")
    assert await agent.read(1) == RAW
    agent.writer.write(b"220 ready\r\n")
    assert await visitor.read(11) == b"220 ready\r\n"


@pytest.mark.parametrize("toward_the_agent", [True, False])
async def test_megabytes_arrive_whole(wires: Wires, toward_the_agent: bool) -> None:
    agent = await wires.agent()
    visitor = await wires.visitor(hello=b"")
    await agent.read(1)
    source, sink = (visitor, agent) if toward_the_agent else (agent, visitor)
    data = os.urandom(1 << 20)
    digest = hashlib.sha256()

    async def send() -> None:
        for _ in range(16):
            source.writer.write(data)
            await source.writer.drain()

    sending = asyncio.ensure_future(send())
    left = 16 << 20
    while left:
        piece = await asyncio.wait_for(sink.reader.read(65536), 10)
        digest.update(piece)
        left -= len(piece)
    await sending
    assert digest.digest() == hashlib.sha256(data * 16).digest()


async def test_when_the_visitor_ends_the_agent_hears_it_and_may_still_answer(wires: Wires) -> None:  # relay C.6, L.8
    agent = await wires.agent()
    visitor = await wires.visitor()
    await agent.read(6)
    visitor.writer.write(b"question")
    visitor.writer.write_eof()
    assert await agent.read(8) == b"question"
    assert await agent.read_all() == b""  # asyncio's own TLS then closes its side as well
    await eventually(lambda: len(wires.ended) == 1)


async def test_a_half_closed_tunnel_carries_the_other_half(wires: Wires) -> None:  # relay C.6, L.8
    data = os.urandom(2_000_000)

    def answer(sock: ssl.SSLSocket) -> bytes:
        asked = b""
        while piece := sock.recv(65536):
            asked += piece
        sock.sendall(data)  # after the close_notify of the relay
        sock.unwrap()
        return asked

    sock, stream = await wires.blocking_agent()
    wires.sessions.add(stream)
    visitor = await wires.visitor(hello=b"question")
    visitor.writer.write_eof()
    answering = asyncio.create_task(asyncio.to_thread(answer, sock))
    assert await visitor.read_all() == data
    assert await answering == b"\x02question"
    sock.close()
    await eventually(lambda: len(wires.ended) == 1)


async def test_a_half_close_while_the_other_side_is_sending_loses_nothing(wires: Wires) -> None:  # relay L.8
    data = os.urandom(1_000_000)

    def send(sock: ssl.SSLSocket) -> None:
        assert sock.recv(6) == b"\x02hello"  # one record
        for _ in range(16):
            sock.sendall(data)
        sock.unwrap()

    sock, stream = await wires.blocking_agent()
    wires.sessions.add(stream)
    visitor = await wires.visitor()
    sending = asyncio.create_task(asyncio.to_thread(send, sock))
    received = await visitor.read(3_000_000)
    visitor.writer.write_eof()
    received += await visitor.read_all()
    await sending
    assert hashlib.sha256(received).digest() == hashlib.sha256(data * 16).digest()
    sock.close()


async def test_when_the_agent_ends_the_visitor_gets_all_that_it_sent(wires: Wires) -> None:
    agent = await wires.agent()
    visitor = await wires.visitor()
    await agent.read(6)
    agent.writer.write(b"x" * 3_000_000)
    agent.writer.close()
    assert len(await visitor.read_all()) == 3_000_000
    visitor.close()
    await eventually(lambda: len(wires.ended) == 1)
    assert wires.lease.bridges == set()


async def test_when_the_visitor_vanishes_the_agent_is_let_go(wires: Wires) -> None:
    agent = await wires.agent()
    visitor = await wires.visitor()
    await agent.read(6)
    visitor.close()
    assert await agent.read_all() == b""


async def test_a_visitor_who_vanishes_behind_its_last_words_is_heard_and_let_go(wires: Wires) -> None:
    agent = await wires.agent()
    visitor = await wires.visitor()
    await agent.read(6)
    last = os.urandom(30_000)
    visitor.reset(last)
    assert await agent.read(len(last)) == last
    assert await agent.read_all() == b""
    await eventually(lambda: len(wires.ended) == 1)


async def test_a_visitor_who_does_not_read_stops_the_agent(wires: Wires) -> None:
    agent = await wires.agent()
    await wires.visitor()
    await agent.read(6)
    agent.writer.transport.set_write_buffer_limits(high=65536)

    async def send() -> None:
        for _ in range(1024):
            agent.writer.write(bytes(65536))
            await agent.writer.drain()

    sending = asyncio.create_task(send())
    held = -1
    while held != wires.lease.traffic.sent:
        held = wires.lease.traffic.sent
        for _ in range(2):  # had this process itself stood still in the first, bytes would move before the second
            await asyncio.sleep(0.5)
    assert not sending.done(), "nothing ever stopped it"
    assert wires.lease.traffic.sent < 64 << 20
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


async def test_a_limit_holds_in_both_directions_and_changes_at_once(wires: Wires) -> None:  # relay L.12
    agent = await wires.agent()
    visitor = await wires.visitor()
    await agent.read(6)
    loop = asyncio.get_running_loop()
    wires.bucket.set_rate(200_000, loop.time())
    began = time.monotonic()
    visitor.writer.write(bytes(100_000))
    await agent.read(100_000)
    agent.writer.write(bytes(100_000))
    await visitor.read(100_000)
    assert time.monotonic() - began > 0.7
    wires.bucket.set_rate(None, loop.time())
    agent.writer.write(bytes(4_000_000))
    await visitor.read(4_000_000)


async def test_a_cut_ends_both_sides(wires: Wires) -> None:
    agent = await wires.agent()
    visitor = await wires.visitor()
    await agent.read(6)
    [bridge] = wires.lease.bridges
    bridge.cut()
    bridge.cut()
    assert await agent.read_all() == b""
    assert await visitor.read_all() == b""
    assert wires.ended == [bridge]


async def test_new_connections_are_no_way_around_the_bandwidth(wires: Wires) -> None:  # relay E, L.13
    loop = asyncio.get_running_loop()
    for _ in range(8):
        await wires.agent()
    began = loop.time()
    wires.bucket.set_rate(1000, began)
    await asyncio.gather(*(wires.visitor(address=f"192.0.2.{number}", hello=bytes(5000)) for number in range(8)))
    await asyncio.sleep(0.5)
    assert wires.total.connections == 8
    # A tenth of a second's worth for each, and what the time since then gives.
    assert wires.total.received <= 8 * 100 + 1000 * (loop.time() - began)
