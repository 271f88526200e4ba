"""Tunnels through our relay beside haproxy and nginx with TLS on the far side, OpenSSH's -R, and no relay at all.

The relay has one core; visitors, the far end and (where there is one) the agent have the other. Visitors come in plain
to a public port, bytes leave towards the far end in TLS 1.3 with AES-GCM. `python -m bench.relay` shows this one alone.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.figures import Figure
from bench.proxy import pinned
from bench.relay_memory import measure_memory
from bench.relay_peers import DOMAIN, GENERATORS, NGINX_MODULE, RELAY, Direct, Ours, Peer, Proxy, Ssh, Way, WithAgent
from homeport.testing.portal import PortalProcess

BULK_SECONDS = 4.0
PING_SECONDS = 3.0
CONNECT_SECONDS = 4.0
STREAMS = (1, 64)
CPU_SHARE = 1.2  # of haproxy's processor time for a Gbit
CONNECTION_SHARE = 0.5  # of haproxy's new connections
SSH_FACTOR = 2.0  # times OpenSSH's throughput
SETTINGS = {
    "domain": DOMAIN,
    "relay_approval": "auto",
    "relay_signatures_per_minute": 0,
    "relay_port_first": 10000,
    "relay_port_last": 10999,
}


@dataclass(frozen=True)
class Bulk:
    """Gbit a second, and the relay's milliseconds of processor for a Gbit."""

    rate: float
    cost: float


def measure() -> list[Figure]:
    """About three minutes. The goals are those of one run: haproxy's and OpenSSH's numbers are measured beside ours."""
    missing = [
        tool for tool in ("haproxy", "nginx", "ssh", "sshd") if shutil.which(tool, path="/usr/sbin:/usr/bin") is None
    ]
    if missing or not NGINX_MODULE.exists():
        raise SystemExit("bench: the relay needs the Debian packages haproxy, libnginx-mod-stream, openssh-server")
    figures: list[Figure] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="homeport-relay-")))
        (folder / "portal").mkdir()
        portal = stack.enter_context(PortalProcess(folder / "portal", SETTINGS))
        if pinned(RELAY):
            pin(portal.pid, RELAY)
        ours = Ours(folder, portal)
        peers: list[Peer] = [Direct(folder), Proxy("haproxy", folder), Proxy("nginx", folder), Ssh(folder), ours]
        figures += _bulk([*peers, Ssh(folder, "aes128-gcm@openssh.com"), WithAgent(folder, portal)])
        figures += _latency([*peers, WithAgent(folder, portal)])
        figures += _connections([peer for peer in peers if peer.name != "direct"])
        figures += measure_memory(folder / "another", SETTINGS)
    return figures


def pin(pid: int, core: int) -> None:
    """All of a process's threads."""
    for thread in psutil.Process(pid).threads():
        psutil.Process(thread.id).cpu_affinity([core])


def _bulk(peers: Sequence[Peer]) -> list[Figure]:
    figures: list[Figure] = []
    for direction, mode in (("download", "source"), ("upload", "sink")):
        for streams in STREAMS:
            name = f"{direction}, {streams} stream{'s' if streams > 1 else ''}"
            measured: dict[str, Bulk] = {}
            for peer in peers:
                with peer.way(mode) as way:
                    spent, done = _visitor(way, direction, streams, BULK_SECONDS)
                gbit = done["bytes"] * 8 / 1e9
                measured[peer.name] = Bulk(gbit / done["seconds"], spent / gbit * 1000)
                print(f"bench: {name}: {peer.name}: {measured[peer.name]}", file=sys.stderr, flush=True)
            limit = measured["haproxy"].cost * CPU_SHARE
            for one, bulk in measured.items():
                goal = measured["openssh -R"].rate * SSH_FACTOR if one == "homeport" else None
                figures.append(Figure(f"{one}: {name}", bulk.rate, "Gbit/s", at_least=goal))
            for one, bulk in measured.items():
                if one != "direct":
                    at_most = limit if one == "homeport" else None
                    figures.append(Figure(f"{one}: processor, {name}", bulk.cost, "ms/Gbit", at_most))
    return figures


def _latency(peers: Sequence[Peer]) -> list[Figure]:
    measured: dict[str, dict[str, Any]] = {}
    for peer in peers:
        with peer.way("echo") as way:
            _, measured[peer.name] = _visitor(way, "ping", 1, PING_SECONDS)
        print(f"bench: latency: {peer.name}: {measured[peer.name]}", file=sys.stderr, flush=True)
    direct = measured.pop("direct")
    figures = [Figure(f"direct: 256 bytes and back, {p}", direct[f"{p}_us"], "us") for p in ("p50", "p99")]
    for name, times in measured.items():
        added = {p: times[f"{p}_us"] - direct[f"{p}_us"] for p in ("p50", "p99")}
        figures += [Figure(f"{name}: added to that, {p}", more, "us") for p, more in added.items()]
    return figures


def _connections(peers: Sequence[Peer]) -> list[Figure]:
    figures: list[Figure] = []
    haproxy = 0.0
    for peer in peers:
        with peer.way("echo") as way:
            spent, done = _visitor(way, "connections", 4, CONNECT_SECONDS)
        rate = done["connections"] / done["seconds"]
        haproxy = rate if peer.name == "haproxy" else haproxy
        goal = haproxy * CONNECTION_SHARE if peer.name == "homeport" else None
        figures.append(Figure(f"{peer.name}: new connections", rate, "1/s", at_least=goal))
        each = spent / done["connections"] * 1e6
        figures.append(Figure(f"{peer.name}: processor, a new connection", each, "us"))
        print(f"bench: connections: {peer.name}: {rate:.0f}/s, {each:.0f} us", file=sys.stderr, flush=True)
    return figures


def _visitor(way: Way, role: str, streams: int, seconds: float) -> tuple[float, dict[str, Any]]:
    """What the relay spent (seconds of processor) while the visitor measured, and what the visitor says."""
    argv = [sys.executable, "-m", "bench.relay_load", role, "--port", str(way.port)]
    argv += ["--streams", str(streams), "--seconds", str(seconds)]
    with subprocess.Popen([*pinned(GENERATORS), *argv], stdout=subprocess.PIPE) as visitor:
        assert visitor.stdout is not None
        begun = visitor.stdout.readline()
        before = _spent(way.relay)
        line = visitor.stdout.readline()
        after = _spent(way.relay)
    if not begun or not line:
        raise SystemExit("bench: the visitor failed")
    return after - before, dict(json.loads(line))


def _spent(processes: Sequence[psutil.Process]) -> float:
    """Seconds of processor, of these and what they started."""
    total = 0.0
    for process in processes:
        for one in (process, *process.children(recursive=True)):
            times = one.cpu_times()
            total += times.user + times.system
    return total


if __name__ == "__main__":
    from bench.__main__ import main

    sys.exit(main(["relay"]))
