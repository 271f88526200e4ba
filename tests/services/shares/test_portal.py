"""A whole portal: a service is shared at its own relay, reached over TLS that ends at the agent, and ended."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from homeport.testing.portal import PortalProcess


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"{self.path} for {self.headers.get('X-Homeport-User', 'anybody')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def page() -> Iterator[int]:
    """The port of a small web server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, page: int) -> Iterator[PortalProcess]:
    folder: Path = tmp_path_factory.mktemp("portal")
    with PortalProcess(folder, {"outbound_allow": "127.0.0.0/8", "relay_approval": "manual"}) as portal:
        with portal.api() as api:
            body = {"kind": "endpoint", "name": "page", "plugin": "http", "host": "127.0.0.1", "port": page}
            assert api.post("/api/services", json=body).status_code == 201
        yield portal


def test_a_verb_shares_and_another_ends(portal: PortalProcess) -> None:
    shared = portal.homeport("share", "page", "--name", "demo", "--for", "2h")
    assert (shared.returncode, shared.stderr) == (0, "")
    assert shared.stdout == f"https://demo.localhost:{portal.port}\n"
    assert portal.fetch("demo", "/a?b").text == "/a?b for anybody"
    (row,) = portal.ask("tunnels")["data"]
    assert (row["status"], row["visitors"]) == ("online", 1)
    assert "in 1h" in portal.homeport("tunnels").stdout
    assert portal.homeport("tunnels", "end", "demo").returncode == 0
    assert portal.fetch("demo").status_code == 404
    assert portal.ask("tunnels")["data"] == []


def test_it_is_online_again_after_a_restart_of_the_portal(portal: PortalProcess) -> None:
    row = portal.ask("share", "page", "--name", "lasting")
    assert (row["status"], row["hide"]) == ("online", True)
    portal.stop()
    portal.start()
    deadline = time.monotonic() + 30
    while (row := portal.ask("tunnels")["data"][0])["status"] != "online":
        assert time.monotonic() < deadline, row
        time.sleep(0.3)
    assert portal.fetch("lasting").text == "/ for anybody"
    assert portal.homeport("tunnels", "end", "lasting").returncode == 0


def test_a_relay_that_may_not_be_dialled_is_an_error_that_says_so(portal: PortalProcess) -> None:
    row = portal.ask("share", "page", "--name", "far", "--relay", "https://169.254.169.254")
    assert row["status"] == "error"
    assert "link-local" in row["error"] or "169.254.169.254" in row["error"]
    assert portal.homeport("tunnels", "end", row["id"]).returncode == 0


def test_wrong_durations_are_told(portal: PortalProcess) -> None:
    done = portal.homeport("share", "page", "--for", "soon")
    assert done.returncode == 2
    assert "30m, 2h or 7d" in done.stderr


def test_tunnels_pass_many_visitors_at_once(portal: PortalProcess) -> None:
    assert portal.ask("share", "page", "--name", "busy", "--list")["hide"] is False

    async def all_of_them() -> list[httpx.Response]:
        return list(await asyncio.gather(*(asyncio.to_thread(portal.fetch, "busy", f"/{n}") for n in range(20))))

    answers = asyncio.run(all_of_them())
    assert [one.text for one in answers] == [f"/{n} for anybody" for n in range(20)]


def test_what_does_not_speak_http_gets_a_port_of_the_relay(portal: PortalProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_greet, args=(server,), daemon=True)
        thread.start()
        with portal.api() as api:
            body = {"kind": "endpoint", "name": "shell", "plugin": "ssh", "host": "127.0.0.1"}
            assert api.post("/api/services", json={**body, "port": server.getsockname()[1]}).status_code == 201
        row = portal.ask("share", "shell", "--name", "shell-1")
        assert (row["status"], row["url"]) == ("online", None)
        host, _, port = row["tcp_address"].rpartition(":")
        assert host == "localhost"
        with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as visitor:
            assert visitor.recv(100) == b"SSH-2.0-test\r\n"
        thread.join(10)
    assert portal.homeport("tunnels", "end", "shell-1").returncode == 0


def _greet(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"SSH-2.0-test\r\n")
