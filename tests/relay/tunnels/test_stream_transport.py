"""What a transport on a stream does with what is written: small pieces together, in order, and never too many."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest

from homeport.relay.tunnels.stream_transport import StreamTransport
from homeport.testing.waiting import eventually
from homeport.testing.wires import Peer, Wires
from tests.relay.tunnels.test_front import App

RECORD = 16 * 1024


class Setting:
    """An application on a stream."""

    def __init__(self, wires: Wires) -> None:
        self._wires = wires
        self.app = App()
        self.transport: StreamTransport

    async def begin(self) -> Peer:
        peer, stream = await self._wires.stream()
        self.transport = StreamTransport(stream, self.app)
        self.transport.start()
        return peer

    async def begin_blocking(self) -> ssl.SSLSocket:
        """The peer's end is a socket, each of whose reads ends with a record."""
        agent, stream = await self._wires.blocking_agent()
        self.transport = StreamTransport(stream, self.app)
        self.transport.start()
        return agent


@pytest.fixture
async def setting(wires: Wires) -> AsyncIterator[Setting]:
    made = Setting(wires)
    yield made
    made.transport.abort()
    await eventually(lambda: made.app.ended)


async def test_small_writes_of_a_turn_arrive_as_one_record(setting: Setting) -> None:
    with await setting.begin_blocking() as agent:
        setting.transport.write(b"head ")
        setting.transport.write(b"body")
        setting.transport.write(b"")
        assert setting.transport.get_write_buffer_size() == 9
        assert await asyncio.to_thread(agent.recv, RECORD) == b"head body"
        assert setting.transport.get_write_buffer_size() == 0
        setting.transport.write(b"the next turn's")
        assert await asyncio.to_thread(agent.recv, RECORD) == b"the next turn's"


async def test_what_fills_a_record_does_not_wait_for_the_turns_end(setting: Setting) -> None:
    with await setting.begin_blocking() as agent:
        setting.transport.write(bytes(RECORD))
        assert setting.transport.get_write_buffer_size() == 0
        setting.transport.write(b"small")
        assert setting.transport.get_write_buffer_size() == 5
        setting.transport.write(bytes(RECORD - 5))
        assert setting.transport.get_write_buffer_size() == 0
        assert agent.recv(RECORD) == bytes(RECORD)  # it is here: nobody has left the turn
        assert agent.recv(RECORD) == b"small"
        assert agent.recv(RECORD) == bytes(RECORD - 5)


async def test_pieces_of_all_sizes_arrive_in_order(setting: Setting) -> None:
    peer = await setting.begin()
    expected = bytearray()
    changing = bytearray(b"before")
    for size in (1, 100, RECORD - 1, 1, RECORD, 3, 3 * RECORD, 70_000, 5, 0, 7) * 5:
        piece = bytes([len(expected) % 251]) * size
        for data in (piece, changing, memoryview(piece)):
            setting.transport.write(data)
            expected += data
        if size == 3:
            await asyncio.sleep(0)
        changing[:] = b"after " if changing == b"before" else b"before"  # a write has taken what it was given
    assert await peer.read(len(expected)) == expected


async def test_a_close_comes_after_what_this_turn_wrote(setting: Setting) -> None:
    peer = await setting.begin()
    setting.transport.write(b"the last ")
    setting.transport.write(b"words")
    setting.transport.close()
    assert setting.transport.get_write_buffer_size() == 0
    setting.transport.write(b"nobody reads this")
    assert await peer.read_all() == b"the last words"
    await eventually(lambda: setting.app.ended)


async def test_an_abort_forgets_what_this_turn_wrote(setting: Setting) -> None:
    peer = await setting.begin()
    setting.transport.write(b"nobody reads this")
    setting.transport.abort()
    assert setting.transport.get_write_buffer_size() == 0
    assert await peer.read_all() == b""


@pytest.mark.parametrize("high", [0, 1000, 5000, 64 * 1024])
async def test_who_writes_hears_at_once_that_it_is_too_much(setting: Setting, high: int) -> None:
    peer = await setting.begin()
    setting.transport.set_write_buffer_limits(high)
    written = 0
    while not setting.app.writes_paused:  # in one turn
        setting.transport.write(b"0123456789" * 90)
        written += 900
        assert (setting.transport.get_write_buffer_size() > high) == bool(setting.app.writes_paused)
    assert await peer.read(written) == b"0123456789" * (written // 10)
    await eventually(lambda: setting.app.writes_paused == 0)
    assert setting.transport.get_write_buffer_size() == 0


async def test_who_was_stopped_goes_on_whoever_has_sent_the_rest(setting: Setting) -> None:
    with await setting.begin_blocking() as agent:
        agent.setblocking(False)
        while not setting.app.writes_paused:
            setting.transport.write(bytes(RECORD))
        while setting.transport.get_write_buffer_size():  # one turn: the loop has not called the transport
            read_what_is_here(agent)
            setting.transport.write(bytes(RECORD))
        setting.transport.pause_reading()
        setting.transport.resume_reading()
        await eventually(lambda: setting.app.writes_paused == 0)


async def test_a_close_of_who_was_stopped_ends_once(setting: Setting) -> None:
    with await setting.begin_blocking() as agent:
        agent.setblocking(False)
        while not setting.app.writes_paused:
            setting.transport.write(bytes(RECORD))
        while setting.transport.get_write_buffer_size():
            read_what_is_here(agent)
            setting.transport.write(bytes(RECORD))
        setting.transport.close()
        await eventually(lambda: setting.app.writes_paused == 0)
        read_what_is_here(agent)
    await eventually(lambda: setting.app.ended)


def read_what_is_here(agent: ssl.SSLSocket) -> None:
    try:
        while agent.recv(RECORD):
            pass
    except ssl.SSLWantReadError:
        pass
