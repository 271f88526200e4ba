"""A page of this machine, made public by `homeport expose`, in a visitor's Chromium."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from homeport.testing.portal import PortalProcess

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>My page</title>
<style>body { font: 1.5rem system-ui; display: grid; place-content: center; height: 100vh; margin: 0 }</style>
<h1>Served from this desk</h1><p id="more">Loading…</p><img src="/picture.svg" alt="A square" width="160">
<script>fetch("/more").then((answer) => answer.text()).then((text) => { more.textContent = text })</script></html>
"""
PICTURE = (
    """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><rect width="10" height="10" fill="teal"/></svg>"""
)


class _Desk(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        kind, body = {
            "/": ("text/html; charset=utf-8", PAGE),
            "/more": ("text/plain", "and nobody between could read it"),
            "/picture.svg": ("image/svg+xml", PICTURE),
        }.get(self.path, ("text/plain", ""))
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def desk() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Desk)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_browser_sees_the_page_and_why_there_is_none(
    portal: PortalProcess,
    desk: http.server.ThreadingHTTPServer,
    visit: Callable[..., Page],
    keep: Callable[[Page, str], None],
    tmp_path: Path,
) -> None:
    words = [sys.executable, "-m", "homeport", "expose", str(desk.server_port), "--name", "desk", "--json"]
    with (tmp_path / "errors").open("wb") as errors:
        verb = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True, env=portal.environment)
    try:
        assert verb.stdout is not None
        status = next(line for line in map(json.loads, verb.stdout) if line.get("state") in ("online", "failed"))
        assert status["state"] == "online", status

        page = visit(status["url"], signed_in=False)
        expect(page.get_by_role("heading", name="Served from this desk")).to_be_visible()
        expect(page.get_by_text("and nobody between could read it")).to_be_visible()
        assert page.evaluate("document.images[0].naturalWidth") > 0
        keep(page, "exposed-page")

        desk.shutdown()
        desk.server_close()
        page.reload()
        expect(page.get_by_role("heading", name="Nothing answers here just now")).to_be_visible()
        keep(page, "exposed-page-without-its-service")
    finally:
        verb.terminate()
        verb.wait(20)
        if verb.stdout is not None:
            verb.stdout.close()
