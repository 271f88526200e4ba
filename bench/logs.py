"""Following a log through the portal: how late a thousand viewers see a line, and what one that never reads costs.

An app prints ten lines a second; a thousand WebSockets over TLS follow it from another process. Then the app floods
its log until the one viewer that does not read has to be told that it missed something.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from bench.figures import Figure
from homeport.testing.portal import PortalProcess

VIEWERS = 1000
SECONDS = 20
NAME = "ticker"
FLOOD = 6000  # lines of 4 KiB: more than the sockets' buffers and the portal's queue for one viewer hold
APP = """
import http.server, os, threading, time

turn, number = threading.Lock(), 0

def say(text):
    global number
    with turn:
        number += 1
        print("line", number, time.time_ns(), text, flush=True)

def tick():
    while True:
        say("x" * 100)
        time.sleep(0.1)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/flood/"):
            for done in range(int(self.path.rpartition("/")[2])):
                say("x" * 4096)
                if done % 10 == 0:
                    time.sleep(0.01)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass

threading.Thread(target=tick, daemon=True).start()
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def measure() -> list[Figure]:
    """Goals: 100 ms for 99 of 100 lines, no line missed, no more than 64 MB for what a stalled viewer leaves behind.
    About 50 seconds."""
    with tempfile.TemporaryDirectory(prefix="homeport-logs-") as folder, PortalProcess(Path(folder)) as portal:
        site = Path(folder) / NAME
        site.mkdir()
        (site / "main.py").write_text(APP)
        portal.ask("deploy", str(site), "--name", NAME)

        def flood() -> None:
            with portal.client(NAME) as visitor:
                visitor.get(f"/flood/{FLOOD}", timeout=60).raise_for_status()

        return follow(portal, flood, list)


def follow(
    portal: PortalProcess, flood: Callable[[], None], meanwhile: Callable[[], list[Figure]], goal_ms: float = 100
) -> list[Figure]:
    """A thousand viewers of the service NAME; `flood` makes it print FLOOD lines, `meanwhile` adds its own figures."""
    process = psutil.Process(portal.pid)
    before = _memory_mb(process)
    clients = _start_clients(portal)
    try:
        _hear(clients)
        joined = most = _memory_mb(process)
        cpu = _cpu_seconds(process)
        psutil.cpu_percent()  # begins to count
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            time.sleep(0.5)
            most = max(most, _memory_mb(process))
        cpu, machine = _cpu_seconds(process) - cpu, psutil.cpu_percent() * (os.cpu_count() or 1)
        seen = _hear(clients)
        calm = _memory_mb(process)
        more = meanwhile()
        flood()
        flooded = _memory_mb(process)
        print(file=clients.stdin, flush=True)
        stalled = _hear(clients)
    finally:
        clients.kill()
        clients.communicate()
    told = stalled["skipped"] > 0 or stalled["close_code"] == 1013
    return [
        Figure("viewers", VIEWERS, ""),
        Figure("lines to each of them", seen["lines"], ""),
        Figure("a line's delay, p50", seen["p50_ms"], "ms"),
        Figure("a line's delay, p99", seen["p99_ms"], "ms", goal_ms),
        Figure("a line's delay, worst", seen["worst_ms"], "ms"),
        Figure("viewers that missed a line", seen["incomplete"] + seen["odd"], "", 0),
        Figure("processor use of the portal", cpu / SECONDS * 100, "% core"),
        Figure("processor use of the viewers", seen["clients_cores"] * 100, "% core"),
        Figure("processor use of the whole machine", machine, "% core"),
        Figure("memory of one viewer", (joined - before) / VIEWERS * 1000, "kB"),
        Figure("memory growth while they follow", most - joined, "MB", 64),
        Figure("memory growth in the flood, one not reading", flooded - calm, "MB", 64),
        Figure("lines of the flood to the others", stalled["readers_lines"], ""),
        Figure("of them those that missed one", stalled["readers_missing"], "", 0),
        Figure("lines the stalled viewer got in the end", stalled["lines"], ""),
        Figure("lines it was told it had missed", stalled["skipped"], ""),
        Figure("code it was closed with, 0 when not", stalled["close_code"], ""),
        Figure("stalled viewers that were not told", int(not told), "", 0),
        *more,
    ]


def _start_clients(portal: PortalProcess) -> subprocess.Popen[str]:
    url = f"wss://localhost:{portal.port}/api/services/{NAME}/logs?follow=true&tail=1"
    return subprocess.Popen(
        [sys.executable, "-m", "bench.viewers", url, str(portal.ca_path), str(VIEWERS), str(SECONDS)],
        env={**os.environ, "KEY": portal.key},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _hear(clients: subprocess.Popen[str]) -> dict[str, Any]:
    assert clients.stdout is not None
    line = clients.stdout.readline()
    if not line:
        raise RuntimeError(f"the viewers ended with {clients.wait()}")
    heard: dict[str, Any] = json.loads(line)
    return heard


def _memory_mb(process: psutil.Process) -> float:
    return float(process.memory_info().rss / 1e6)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
