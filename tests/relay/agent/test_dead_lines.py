"""A line that goes dead without a word: noticed within half a minute, by the agent alone. # relay C.4, L.7"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from homeport.testing.relay_portal import RelayPortal
from homeport.testing.wan import Wan, wan_is_possible

pytestmark = [
    pytest.mark.skipif(not wan_is_possible(), reason="network namespaces need root, iproute2 and /dev/net/tun"),
    pytest.mark.timeout(180),
]
NOTICED_SECONDS = 35.0
SLACK_SECONDS = 15.0  # of a machine that does other things as well
DOMAIN = "relay-dead.test"
SERVICE = """
import socket
listener = socket.create_server(("127.0.0.1", 3000))
while True:
    connection, _ = listener.accept()
    connection.sendall(b"welcome")
    connection.recv(1)
    connection.close()
"""


@contextmanager
def _running(argv: list[str], log: Path, environment: dict[str, str]) -> Iterator[None]:
    with log.open("wb") as file:
        process = subprocess.Popen(argv, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **environment})
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()


def _until(log: Path, name: str, value: object, begin: int, seconds: float) -> float:
    """Seconds until the agent says it, in a line after the first `begin`."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if any(line.get(name) == value for line in _said(log)[begin:]):
            return time.monotonic() - began
        time.sleep(0.1)
    raise AssertionError(f"{name} never was {value}:\n{log.read_text()[-2000:]}")


def _said(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]


def test_waiting_sessions_and_visitors_on_a_dead_line_are_given_up_and_the_agent_comes_back(tmp_path: Path) -> None:
    line = Wan(f"hpdead{os.getpid()}", 200 + os.getpid() % 50)
    line.hosts = {DOMAIN: line.near}
    log = tmp_path / "agent.log"
    with RelayPortal(tmp_path, {"domain": DOMAIN, "bind": "0.0.0.0"}) as portal, line:
        expose = ["-m", "homeport", "expose", "3000", "--name", "far", "--json"]
        where = ["--relay", f"https://{portal.relay().authority}", "--ca", str(portal.ca_path)]
        home = {"XDG_CONFIG_HOME": str(tmp_path / "agent")}
        with (
            _running(line.command(sys.executable, "-c", SERVICE), tmp_path / "service.log", {}),
            _running(line.command(sys.executable, *expose, *where), log, home),
        ):
            _until(log, "state", "online", 0, 60)
            visitor = portal.visitor(f"far.{DOMAIN}")
            assert visitor.recv(100) == b"welcome"
            _until(log, "open", 1, 0, 10)

            before = len(_said(log))
            line.cut = True
            offline = _until(log, "state", "offline", before, NOTICED_SECONDS + SLACK_SECONDS)
            _until(log, "open", 0, before, max(1.0, NOTICED_SECONDS + SLACK_SECONDS - offline))

            before = len(_said(log))
            line.cut = False
            _until(log, "state", "online", before, 60)
            again = portal.visitor(f"far.{DOMAIN}")
            assert again.recv(100) == b"welcome"
