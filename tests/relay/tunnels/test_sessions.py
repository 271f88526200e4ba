"""Sessions that wait for visitors, and visitors that wait for sessions."""

from __future__ import annotations

import asyncio

from homeport.testing.waiting import eventually
from homeport.testing.wires import Wires


async def test_the_session_that_waits_longest_is_claimed_first(wires: Wires) -> None:  # relay C.5
    first, second = await wires.agent(), await wires.agent()
    await wires.visitor(hello=b"one")
    await wires.visitor(hello=b"two")
    assert await first.read(4) == b"\x02one"
    assert await second.read(4) == b"\x02two"


async def test_keepalives_come_while_it_waits(wires: Wires) -> None:  # relay C.4
    wires.limited(keepalive=0.05)
    agent = await wires.agent()
    assert await agent.read(3) == b"\x00\x00\x00"
    await wires.visitor()
    rest = b""
    while not rest.endswith(b"hello"):
        rest += await agent.read(1)
    assert rest.lstrip(b"\x00") == b"\x02hello"


async def test_the_ninth_session_is_closed(wires: Wires) -> None:  # relay C.5
    waiting = [await wires.agent() for _ in range(8)]
    ninth = await wires.agent()
    assert await ninth.read_all() == b""
    assert wires.sessions.ready == 8
    assert not any(agent.reader.at_eof() for agent in waiting)


async def test_a_visitor_waits_for_a_session(wires: Wires) -> None:
    visitor = await wires.visitor()
    await asyncio.sleep(0.1)
    agent = await wires.agent()
    assert await agent.read(6) == b"\x02hello"
    agent.writer.write(b"here")
    assert await visitor.read(4) == b"here"
    assert wires.sessions.waiting == 0


async def test_no_wake_up_is_lost_among_many(wires: Wires) -> None:  # relay L.6
    visitors = [await wires.visitor(address=f"192.0.2.{n % 7}", hello=b"%02d" % n) for n in range(24)]
    agents = [await wires.agent() for _ in range(24)]
    said = sorted([await agent.read(3) for agent in agents])
    assert said == [b"\x02%02d" % n for n in range(24)]
    assert all(not visitor.reader.at_eof() for visitor in visitors)
    assert (wires.sessions.ready, wires.sessions.waiting) == (0, 0)


async def test_patience_ends(wires: Wires) -> None:  # relay L.5
    wires.limited(patience=0.1)
    visitor = await wires.visitor()
    assert await visitor.read_all() == b""
    assert wires.sessions.waiting == 0


async def test_one_address_cannot_fill_the_queue(wires: Wires) -> None:  # relay L.5
    wires.limited(waiting_per_address=3)
    visitors = [await wires.visitor(address="192.0.2.9") for _ in range(5)]
    other = await wires.visitor(address="198.51.100.1", hello=b"other")
    assert wires.sessions.waiting == 4
    assert [await visitor.read_all() for visitor in visitors[3:]] == [b"", b""]
    await wires.agent()
    second = await wires.agent()
    assert await second.read(6) == b"\x02other"  # each address in its turn
    assert not other.reader.at_eof()


async def test_a_session_that_ends_is_noticed_at_once(wires: Wires) -> None:  # relay L.7
    agent = await wires.agent()
    other = await wires.agent()
    agent.close()
    await eventually(lambda: wires.sessions.ready == 1)
    await wires.visitor()
    assert await other.read(6) == b"\x02hello"


async def test_a_session_that_ended_this_moment_is_not_claimed(wires: Wires) -> None:  # relay L.7
    agent, other = await wires.agent(), await wires.agent()
    visitor, sock = await wires.pair(secure=False)
    visitor.writer.write(b"hello")
    agent.close()
    await asyncio.sleep(0)
    wires.sessions.claim(wires.bridge(sock))
    assert await other.read(1) == b"\x02"


async def test_an_agent_that_speaks_while_it_waits_is_closed(wires: Wires) -> None:
    agent = await wires.agent()
    agent.writer.write(b"?")
    assert await agent.read_all() == b""
    assert wires.sessions.ready == 0


async def test_a_stalled_handshake_cannot_block_a_tunnel(wires: Wires) -> None:  # relay L.4
    wires.limited(stalled=0.2, patience=5.0)
    for _ in range(2):
        await wires.agent()
    stalled = [await wires.visitor(address="192.0.2.66", hello=b"\x16") for _ in range(2)]
    honest = await wires.visitor(address="198.51.100.7", hello=b"me")
    assert await stalled[0].read_all() == b""
    agent = await wires.agent()  # its session ended, so it opens another one
    assert await agent.read(3) == b"\x02me"
    assert not honest.reader.at_eof()


async def test_a_handshake_that_went_through_is_never_cut(wires: Wires) -> None:
    wires.limited(stalled=0.1, handshake=2.0)
    agent = await wires.agent()
    visitor = await wires.visitor()
    await agent.read(6)
    agent.writer.write(b"server hello")
    await visitor.read(12)
    visitor.writer.write(b"finished")
    await agent.read(8)
    await wires.visitor(address="198.51.100.7")
    await asyncio.sleep(2.2)  # beyond both limits
    agent.writer.write(b"still here")
    assert await visitor.read(10) == b"still here"


async def test_closing_ends_who_waits_and_leaves_who_is_served(wires: Wires) -> None:  # relay C.5
    agent = await wires.agent()
    visitor = await wires.visitor()
    await agent.read(6)
    idle = await wires.agent()
    wires.sessions.close()
    assert await idle.read_all() == b""
    late = await wires.visitor()
    assert await late.read_all() == b""
    agent.writer.write(b"going on")
    assert await visitor.read(8) == b"going on"
