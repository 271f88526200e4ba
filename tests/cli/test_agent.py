"""`homeport agent`: tunnels that stay, against a real portal's relay."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from homeport.testing.portal import PortalProcess
from homeport.testing.ports import free_port

Shell = Callable[..., str]


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"hello {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def service() -> Iterator[int]:
    """TCP says hello by HTTP; UDP on the same port echoes."""
    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Hello)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    echo.bind(("127.0.0.1", server.server_port))
    threading.Thread(target=echoes, args=(echo,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    echo.close()


def echoes(sock: socket.socket) -> None:
    while True:
        try:
            data, address = sock.recvfrom(4096)
        except OSError:
            return
        sock.sendto(b"echo " + data, address)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """`shell("list")` is `homeport agent list --state-dir …`; fails the test unless it exits with `code`."""

    def call(verb: str, *words: str, code: int = 0) -> str:
        argv = [sys.executable, "-m", "homeport", "agent", verb, *words, "--state-dir", str(tmp_path / "state")]
        environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, timeout=60)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    return call


@pytest.fixture
def running(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What `homeport agent run` says of itself."""
    argv = [sys.executable, "-m", "homeport", "agent", "run", "--state-dir", str(tmp_path / "state"), "--port", "0"]
    with subprocess.Popen([*argv, "--json"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told: dict[str, Any] = json.loads(process.stdout.readline())
        yield {**told, "process": process}
        process.terminate()
        assert process.wait(30) == 0


def becomes_online(shell: Shell, name: str = "demo", seconds: float = 40) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while True:
        rows = {row["name"]: row for row in json.loads(shell("list", "--json"))["tunnels"]}
        row: dict[str, Any] = rows[name]
        if row["state"] == "online":
            return row
        assert time.monotonic() < deadline, row
        time.sleep(0.3)


def page(portal: PortalProcess, hostname: str, path: str) -> str:
    """As a browser gets it, for whom names below localhost are this machine."""
    trusted = ssl.create_default_context(cafile=str(portal.ca_path))
    with (
        socket.create_connection(("127.0.0.1", portal.port), timeout=20) as plain,
        trusted.wrap_socket(plain, server_hostname=hostname) as secure,
    ):
        secure.sendall(f"GET {path} HTTP/1.1\r\nHost: {hostname}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while data := secure.recv(4096):
            answer += data
    return answer.partition(b"\r\n\r\n")[2].decode()


def relay_words(portal: PortalProcess) -> tuple[str, ...]:
    return ("--relay", portal.base_url, "--ca", str(portal.ca_path))


def test_a_tunnel_that_is_added_is_online_and_serves_until_it_is_removed(
    portal: PortalProcess, service: int, shell: Shell, running: dict[str, Any]
) -> None:
    assert json.loads(shell("status", "--json"))["status"] == "running"
    said = shell("add", str(service), "--name", "demo", *relay_words(portal))
    assert said == "demo is added.\n"
    row = becomes_online(shell)
    assert page(portal, row["hostname"], "/path") == "hello /path"
    assert "online" in shell("list")
    assert f"process {running['process'].pid}" in shell("status")
    shell("remove", "demo")
    assert json.loads(shell("list", "--json"))["tunnels"] == []
    shell("remove", "demo", code=4)


def test_udp_goes_through_the_portals_own_port(
    portal: PortalProcess, service: int, shell: Shell, running: dict[str, Any]
) -> None:
    # relay C.8: QUIC on the number of the TLS port
    shell("add", str(service), "--name", "game", "--udp", *relay_words(portal))
    row = becomes_online(shell, "game")
    port = int(row["udp_addr"].rpartition(":")[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as visitor:
        visitor.settimeout(0.5)
        deadline = time.monotonic() + 20
        while True:
            visitor.sendto(b"hello", ("127.0.0.1", port))
            try:
                assert visitor.recv(100) == b"echo hello"
                break
            except TimeoutError:
                assert time.monotonic() < deadline, "no answer by UDP"
    shell("remove", "game")


def test_without_an_agent_that_runs_it_is_written_down(portal: PortalProcess, shell: Shell, tmp_path: Path) -> None:
    assert "`homeport agent run` starts it" in shell("add", "3000", "--name", "later", *relay_words(portal))
    assert json.loads(shell("list", "--json"))["tunnels"][0]["state"] == "stopped"
    assert json.loads(shell("status", "--json"))["status"] == "stopped"
    assert (tmp_path / "state" / "tunnels.json").stat().st_mode & 0o777 == 0o600
    shell("remove", "later")
    assert json.loads(shell("list", "--json"))["tunnels"] == []


def test_the_agent_gets_a_persons_key_only_when_they_say_so(
    portal: PortalProcess, shell: Shell, tmp_path: Path
) -> None:
    credentials = Path(portal.environment["XDG_CONFIG_HOME"]) / "homeport" / "credentials.json"
    (tmp_path / "homeport").mkdir()
    shutil.copy(credentials, tmp_path / "homeport")
    shell("add", "3000", "--name", "theirs")
    shell("add", "3000", "--name", "ours", "--mine")
    tunnels = json.loads((tmp_path / "state" / "tunnels.json").read_text())["tunnels"]
    relays = {row["name"]: row["relays"][0] for row in tunnels}
    assert (relays["theirs"]["url"], relays["theirs"]["key"]) == (portal.base_url, "")
    assert relays["ours"]["key"]
    assert "BEGIN CERTIFICATE" in relays["theirs"]["ca"]


def test_one_agent_at_a_time(shell: Shell, running: dict[str, Any]) -> None:
    assert str(running["process"].pid) in shell("run", "--port", "0", code=5)


def test_it_ends_when_it_is_asked_to(shell: Shell, running: dict[str, Any]) -> None:
    assert shell("stop") == "The agent stops.\n"
    assert running["process"].wait(30) == 0
    assert shell("stop") == "The agent does not run.\n"


def test_without_a_relay_it_says_what_to_do(shell: Shell) -> None:
    assert "--relay" in shell("add", "3000", "--name", "demo", code=2)
