"""An app that writes head and body apart, as Python's own http.server does, is not slower for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from homeport.services.exposure import Target
from homeport.testing.front import Stage
from homeport.testing.waiting import Stopwatch


class TwoWrites(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def app_port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), TwoWrites) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


async def test_nobody_waits_for_a_delayed_acknowledgement(stage: Stage, app_port: int) -> None:
    stage.routes.point("app", Target(app_port, "rel_1"), service_id="svc_1")
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    times = []
    for _ in range(15):
        watch = Stopwatch()
        writer.write(b"GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(5) == b"hello"
        times.append(watch.seconds())
    writer.close()
    assert sorted(times)[len(times) // 2] < 0.025  # the delay would be 40 ms
