"""What idle tunnels and stalled readers cost the portal in memory."""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from bench.figures import Figure
from bench.relay_load import GO
from bench.relay_peers import DOMAIN, Ours
from homeport.testing.portal import PortalProcess
from homeport.testing.relay_client import Relay, RelayClient, ReverseSession

WARM = 700  # tunnels before the first look: after some hundred of requests the portal's memory stands still
TUNNELS = 700  # between the two looks, each with two sessions, as clients keep them
SESSIONS = 2
STALLED = 50  # visitors that ask for everything and read nothing
STALL_SECONDS = 6.0
IDLE_KB = 28.0
STALLED_KB = 1024.0


def measure_memory(folder: Path, settings: Mapping[str, object]) -> list[Figure]:
    """Slopes of the resident memory of a portal that has done nothing else: what was freed before would hide them."""
    folder.mkdir()
    with PortalProcess(folder, settings) as portal, contextlib.ExitStack() as held:
        relay = psutil.Process(portal.pid)
        _idle(held, portal, 0, WARM)
        before = _settled(relay)
        _idle(held, portal, WARM, TUNNELS)
        each = (_settled(relay) - before) / 1024 / TUNNELS
        stalled = _stalled(Ours(folder, portal), relay)
    return [
        Figure(f"homeport: an idle tunnel with {SESSIONS} sessions", each, "KB"),
        Figure("homeport: an idle session", each / SESSIONS, "KB", IDLE_KB),
        Figure("homeport: a stalled reader", stalled, "KB", STALLED_KB),
    ]


def _idle(held: contextlib.ExitStack, portal: PortalProcess, first: int, count: int) -> None:
    for number in range(first, first + count):
        source = f"127.3.{number // 200}.{number % 200 + 1}"
        client = RelayClient(Relay(DOMAIN, portal.port, portal.ca_path, source=source), f"idle{number}")
        client.register(ttl=3600)
        for _ in range(SESSIONS):
            session: ReverseSession = client.connect()
            held.callback(session.cut)
    print(f"bench: {first + count} idle tunnels", file=sys.stderr, flush=True)


def _stalled(ours: Ours, relay: psutil.Process) -> float:
    """KB for each."""
    with ours.way("source") as way, contextlib.ExitStack() as held:
        warm = _stall(held, way.port, 0, 5)
        before = _settled(relay)
        _stall(held, way.port, warm, STALLED)
        time.sleep(STALL_SECONDS)
        return (_settled(relay) - before) / 1024 / STALLED


def _stall(held: contextlib.ExitStack, port: int, first: int, count: int) -> int:
    for number in range(first, first + count):
        source = f"127.4.0.{number + 1}"
        sock = held.enter_context(socket.create_connection(("127.0.0.1", port), 20, (source, 0)))
        if sock.recv(1) != GO:
            raise SystemExit("bench: a reader that was to stall was not served")
    return first + count


def _settled(process: psutil.Process) -> int:
    """Resident bytes, once they stand still."""
    last = 0
    for _ in range(20):
        now = process.memory_info().rss
        if abs(now - last) < 64 * 1024:
            break
        last = now
        time.sleep(0.5)
    return int(process.memory_info().rss)
