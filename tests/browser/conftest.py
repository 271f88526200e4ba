"""A real portal for each module and a real Chromium in front of it; what was seen is kept as screenshots."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from homeport.testing.git_server import GitServer
from homeport.testing.portal import PortalProcess

CHROMIUM = Path(__file__).with_name("deaf_chromium.py")
QUIET = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SCREENSHOTS = Path(__file__).parent / "screenshots"
BUILT = Path(__file__).parents[2] / "ui" / "dist" / "index.html"

expect.set_options(timeout=15_000)

APP = """
import http.server, os, sys, threading, time

def beat():
    count = 0
    while True:
        count += 1
        print(f"\\x1b[32mGET\\x1b[0m /api/items/{count} 200", flush=True)
        if count % 9 == 0:
            print("WARNING the cache is cold", file=sys.stderr, flush=True)
        if count % 14 == 0:
            print("ERROR upstream answered 503, trying again in 2 s", file=sys.stderr, flush=True)
        time.sleep(0.1)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = ("VERSION " + os.environ.get("MOOD", "")).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

threading.Thread(target=beat, daemon=True).start()
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="session")
def app() -> Callable[[str], str]:
    """`app(version)` is an app in one file that says its version and writes ten lines a second."""
    return lambda version: APP.replace("VERSION", version)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium for one module: while Playwright runs, no other test of this process can have an event loop."""
    if not shutil.which("chromium"):
        pytest.skip("Chromium is not installed (Debian package chromium): as root, `make test` installs it")
    assert BUILT.is_file(), "the pages are not built: run `make ui`"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    settings = {"outbound_allow": "127.0.0.0/8", "git_allow_http": True, "stop_grace": 1, "drain_timeout": 2}
    with PortalProcess(tmp_path_factory.mktemp("portal"), settings) as process:
        yield process


@pytest.fixture(scope="module")
def git_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with GitServer(tmp_path_factory.mktemp("git")) as server:
        yield server


Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def visit(browser: Browser, portal: PortalProcess) -> Iterator[Visit]:
    """`visit(path, signed_in=True, **options of the browser context)` opens a page that fails the test on an error."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def opened(path: str = "/", *, signed_in: bool = True, **options: Any) -> Page:
        given = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", **options}
        context = browser.new_context(ignore_https_errors=True, base_url=portal.base_url, **given)
        contexts.append(context)
        if signed_in:
            login = {"username": "admin", "password": portal.password}
            assert context.request.post("/api/auth/login", data=login).ok
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.extend([message.text] if "Content Security" in message.text else []))
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == [], "the page broke, or asked for what its policy forbids"


@pytest.fixture(scope="session")
def keep() -> Callable[[Page, str], None]:
    """Keeps what the page shows as `screenshots/<name>.png`."""
    SCREENSHOTS.mkdir(exist_ok=True)

    def kept(page: Page, name: str) -> None:
        page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled")

    return kept


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str, dict[str, str]], Path]:
    """`folder(name, files)` makes a folder to upload."""

    def made(name: str, files: dict[str, str]) -> Path:
        for path, text in files.items():
            file = tmp_path / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path / name

    return made
