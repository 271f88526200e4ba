"""UDP through the relay: a visitor, a real portal with one core, an agent by QUIC, and an echo on the other core.

There and back is twice through the relay and twice through the agent. First one datagram after the other, which shows
what the way costs in time; then with some under way at once, which shows what a core can carry.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.figures import Figure, percentile
from bench.proxy import pinned
from homeport.testing.relay_portal import RelayPortal

ROUNDS = 3000
SECONDS = 6.0
UNDER_WAY = 24
SIZES = (64, 1200)
WAIT_SECONDS = 40.0


def measure() -> list[Figure]:
    """No goals: aioquic is Python, and what a game or a call needs is far below. Half a minute."""
    with (
        tempfile.TemporaryDirectory(prefix="homeport-udp-") as folder,
        RelayPortal(Path(folder)) as portal,
        _echo() as port,
    ):
        server = psutil.Process(portal.pid)
        if pinned(1):
            server.cpu_affinity([1])
        before = _memory(server)
        with _agent(portal, Path(folder), port) as (agent, public):
            visitor = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            visitor.connect(("127.0.0.1", public))
            _first(visitor)
            figures = [Figure("the portal's memory for QUIC and the first tunnel", _memory(server) - before, "MB")]
            figures += _alone(visitor)
            for size in SIZES:
                figures += _many(visitor, size, server, agent)
            visitor.close()
    return figures


@contextmanager
def _echo() -> Iterator[int]:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))

    def answer() -> None:
        while True:
            try:
                data, address = sock.recvfrom(2048)
                sock.sendto(data, address)
            except OSError:
                return

    threading.Thread(target=answer, daemon=True).start()
    yield int(sock.getsockname()[1])
    sock.close()


@contextmanager
def _agent(portal: RelayPortal, folder: Path, target: int) -> Iterator[tuple[psutil.Process, int]]:
    """`homeport expose --udp`, and its public UDP port."""
    words = [str(target), "--udp", "--json", "--name", "bench", "--relay", f"https://{portal.relay().authority}"]
    argv = [*pinned(0), sys.executable, "-m", "homeport", "expose", *words, "--ca", str(portal.ca_path)]
    environment = {**os.environ, "XDG_CONFIG_HOME": str(folder)}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            address = ""
            while not address:
                line = process.stdout.readline()
                if not line:
                    raise SystemExit("bench: the agent got no UDP port")
                address = json.loads(line).get("udp_addr", "")
            yield psutil.Process(process.pid), int(address.rpartition(":")[2])
        finally:
            process.terminate()
            process.wait(WAIT_SECONDS)


def _first(visitor: socket.socket) -> None:
    """Until datagrams come back; then what is late is thrown away."""
    visitor.settimeout(0.5)
    for _ in range(int(WAIT_SECONDS * 2)):
        visitor.send(b"hello")
        try:
            visitor.recv(2048)
            break
        except TimeoutError:
            continue
    else:
        raise SystemExit("bench: no datagram came back")
    time.sleep(0.2)


def _alone(visitor: socket.socket) -> list[Figure]:
    visitor.settimeout(2)
    took = []
    for number in range(ROUNDS):
        began = time.perf_counter()
        visitor.send(number.to_bytes(64, "big"))
        try:
            visitor.recv(2048)
        except TimeoutError:
            continue
        took.append((time.perf_counter() - began) * 1000)
    return [
        Figure("there and back, p50", percentile(took, 0.5), "ms"),
        Figure("there and back, p99", percentile(took, 0.99), "ms"),
        Figure("lost of datagrams one by one", 100 * (1 - len(took) / ROUNDS), "%"),
    ]


def _many(visitor: socket.socket, size: int, server: psutil.Process, agent: psutil.Process) -> list[Figure]:
    """UNDER_WAY at once."""
    visitor.settimeout(0.5)
    before = [_spent(process) for process in (server, agent)]
    began = time.monotonic()
    waited: set[int] = set()  # numbers of those that are under way
    sent = back = given_up = 0
    while time.monotonic() - began < SECONDS or waited:
        while len(waited) < UNDER_WAY and time.monotonic() - began < SECONDS:
            visitor.send(sent.to_bytes(size, "big"))
            waited.add(sent)
            sent += 1
        try:
            waited.discard(int.from_bytes(visitor.recv(2048), "big"))
            back += 1
        except TimeoutError:
            given_up += len(waited)
            waited.clear()
    seconds = time.monotonic() - began
    relay_us, agent_us = (
        (_spent(process) - was) * 1e6 / (2 * back) for process, was in zip((server, agent), before, strict=True)
    )
    named = f"{size} bytes, {UNDER_WAY} under way"
    return [
        Figure(f"{named}: there and back", back / seconds, "1/s"),
        Figure(f"{named}: Mbit/s, both ways", 2 * back * size * 8 / seconds / 1e6, "Mbit/s"),
        Figure(f"{named}: the portal's core for a datagram", relay_us, "us"),
        Figure(f"{named}: the agent's core for a datagram", agent_us, "us"),
        Figure(f"{named}: not back within half a second", 100 * given_up / sent, "%"),
    ]


def _spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _memory(process: psutil.Process) -> float:
    return float(process.memory_full_info().uss) / 1e6
