"""Signatures of handshakes (POST /v1/sign) over keep-alive connections of TLS 1.3, by a real portal with one core.

wrk has another core. Its connections once ask as fast as they are answered, which shows what a core can do, and once
pause for a millisecond after each answer, which leaves the core some air: how long an answer takes is only worth
something then. `openssl speed` tells in the same run what one core signs with such a key and nothing else.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

from bench.figures import Figure
from bench.proxy import latency, pinned
from homeport.testing.portal import PortalProcess
from homeport.testing.relay_client import Relay, RelayClient

SECONDS = 8
BUSY = 8  # connections that do not pause
PAUSING = 12
PAUSE_MS = 1
GOAL_US = 125.0  # of a core for a signature: 8,000 a second
GOAL_P99_MS = 2.0

_SCRIPT = """
local count = 0
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json"
wrk.headers["X-Portal-Access-Token"] = "{token}"
request = function()
  count = count + 1
  local body = string.format(
    '{{"key_id":"relay-cert","algorithm":"ECDSA_SHA256","digest":"{digest}","timestamp_unix":%d,"nonce":"{run:08x}%024x"}}',
    os.time(), count)
  return wrk.format("POST", "/v1/sign", nil, body)
end
"""
_PAUSE = """
delay = function() return {pause} end
"""
_DIGEST = "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo="


def measure() -> list[Figure]:
    """Goals: at most 125 us of the portal's core a signature (8,000 a second), and 2 ms for 99 of 100. A minute."""
    missing = [tool for tool in ("wrk", "openssl") if shutil.which(tool) is None]
    if missing:
        raise SystemExit(f"bench: signing needs the Debian packages {', '.join(missing)}")
    settings = {"relay_approval": "auto", "relay_signatures_per_minute": 0}
    with (
        tempfile.TemporaryDirectory(prefix="homeport-sign-") as folder,
        PortalProcess(Path(folder), settings) as portal,
    ):
        client = RelayClient(Relay("localhost", portal.port, portal.ca_path), "bench")
        client.register(ttl=3600)
        server = psutil.Process(portal.pid)
        if pinned(1):
            server.cpu_affinity([1])
        load = _Load(Path(folder), portal.port, client.token, server)
        load.run(1, 1)  # warm
        rate, p50, p99, spent, client_us = load.run(BUSY, SECONDS)
        calm_rate, calm_p50, calm_p99, calm_spent, _ = load.run(PAUSING, SECONDS, PAUSE_MS)
        _, alone, _, _, _ = load.run(1, 2)
    alone_rate = _openssl()
    return [
        Figure(f"the portal's core for a signature, {BUSY} connections", spent, "us", GOAL_US),
        Figure(f"signatures, {BUSY} connections", rate, "1/s"),
        Figure(f"p50, {BUSY} connections", p50, "ms"),
        Figure(f"p99, {BUSY} connections", p99, "ms"),
        Figure(f"signatures, {PAUSING} connections that pause", calm_rate, "1/s"),
        Figure(f"the portal's core, {PAUSING} that pause", calm_spent, "us"),
        Figure(f"p50, {PAUSING} that pause", calm_p50, "ms"),
        Figure(f"p99, {PAUSING} that pause", calm_p99, "ms", GOAL_P99_MS),
        Figure("p50, one connection", alone, "ms"),
        Figure("the client's core for a signature", client_us, "us"),
        Figure("openssl speed: one core, nothing else", alone_rate, "1/s"),
        Figure("openssl speed: that core for a signature", 1e6 / alone_rate, "us"),
    ]


class _Load:
    """Runs wrk against one portal; no two runs share a nonce."""

    def __init__(self, folder: Path, port: int, token: str, server: psutil.Process) -> None:
        self._folder = folder
        self._port = port
        self._token = token
        self._server = server
        self._runs = 0

    def run(self, connections: int, seconds: int, pause: int = 0) -> tuple[float, float, float, float, float]:
        """Signatures a second, p50 and p99 in ms, the server's and the client's processor time for each in us."""
        self._runs += 1
        script = self._folder / f"sign-{self._runs}.lua"
        text = _SCRIPT.format(token=self._token, digest=_DIGEST, run=self._runs)
        script.write_text(text + (_PAUSE.format(pause=pause) if pause else ""))
        script.chmod(0o600)
        argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script)]
        before = self._server.cpu_times()
        with subprocess.Popen(
            [*pinned(0), *argv, f"https://localhost:{self._port}"], stdout=subprocess.PIPE, text=True
        ) as wrk:
            load = psutil.Process(wrk.pid)
            spent_here = 0.0
            while wrk.poll() is None:
                try:
                    times = load.cpu_times()
                    spent_here = times.user + times.system
                    wrk.wait(0.2)
                except (psutil.Error, subprocess.TimeoutExpired):
                    continue
            out = wrk.stdout.read() if wrk.stdout is not None else ""
        after = self._server.cpu_times()
        done = re.search(r"(\d+) requests in", out)
        rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
        if wrk.returncode or "Non-2xx" in out or "Socket errors" in out or done is None or rate is None:
            raise SystemExit(f"bench: signatures failed:\n{out}")
        spent = after.user + after.system - before.user - before.system
        count = int(done[1])
        return float(rate[1]), latency(out, 50), latency(out, 99), spent / count * 1e6, spent_here / count * 1e6


def _openssl() -> float:
    """Signatures a second on P-256, by the system's OpenSSL on one core."""
    argv = [*pinned(1), "openssl", "speed", "-seconds", "3", "-mr", "ecdsap256"]
    out = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout
    found = re.search(r"^\+F4:\d+:256:([\d.]+):", out, re.MULTILINE)
    if found is None:
        raise SystemExit(f"bench: openssl said nothing of use:\n{out}")
    return 1 / float(found[1]) if float(found[1]) < 1 else float(found[1])


if __name__ == "__main__":
    from bench.__main__ import main

    sys.exit(main(["sign"]))
