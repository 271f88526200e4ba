"""Whom the relay takes as a visitor, and how many."""

from __future__ import annotations

from typing import Any, cast

import pytest

from homeport.relay.token_bucket import TokenBucket
from homeport.relay.tunnels import visitors as module
from homeport.relay.tunnels.bridge import RAW
from homeport.relay.tunnels.visitors import Visitors
from homeport.testing.waiting import eventually
from homeport.testing.wires import Peer, Wires


class OpenPolicy:
    """Refuses nobody and limits nobody."""

    def routable(self, _key: str) -> bool:
        return True

    def refused(self, _address: str) -> bool:
        return False

    def bucket(self, _key: str) -> TokenBucket:
        return TokenBucket(None, 0.0)


async def arrive(wires: Wires, visitors: Visitors, address: str) -> Peer:
    peer, sock = await wires.pair(secure=False)
    visitors.admit(wires.lease, sock, address, RAW)
    return peer


async def test_one_address_leaves_room_for_others(wires: Wires, monkeypatch: pytest.MonkeyPatch) -> None:  # relay L.5
    monkeypatch.setattr(module, "MAX_OF_ONE_ADDRESS", 2)
    visitors = Visitors(lambda _: wires.lease, cast(Any, OpenPolicy()))
    agents = [await wires.agent() for _ in range(4)]
    first = await arrive(wires, visitors, "2001:db8::1")
    await arrive(wires, visitors, "2001:db8::2")
    assert await (await arrive(wires, visitors, "2001:db8::3")).read_all() == b""
    await arrive(wires, visitors, "192.0.2.1")
    assert [await agent.read(1) for agent in agents[:3]] == [RAW] * 3
    first.close()
    await eventually(lambda: visitors.active == 2)
    await arrive(wires, visitors, "2001:db8::3")
    assert await agents[3].read(1) == RAW
    visitors.cut()
    assert visitors.active == 0


async def test_the_port_of_a_lease_that_is_over_serves_nobody(wires: Wires) -> None:  # relay E: ignored at once
    current = [wires.lease]
    visitors = Visitors(lambda _: current[0] if current else None, cast(Any, OpenPolicy()))
    agent = await wires.agent()
    peer, sock = await wires.pair(secure=False)
    visitors.arrive(wires.lease, sock, "192.0.2.1")
    assert await agent.read(1) == RAW
    current.clear()
    peer, sock = await wires.pair(secure=False)
    visitors.arrive(wires.lease, sock, "192.0.2.1")
    assert await peer.read_all() == b""
