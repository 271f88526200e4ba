"""The page of `homeport expose --inspect`: what a person sees of the requests through their tunnel."""

from __future__ import annotations

import asyncio
import gzip
import http.server
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from homeport.relay.agent.inspect import Inspector
from homeport.relay.agent.observer import Visitor
from homeport.relay.agent.targets import TcpTarget

SECRET = "s3cret-s3cret"


class Shop(http.server.BaseHTTPRequestHandler):
    """What the tunnel leads to."""

    orders = 40

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        Shop.orders += 1
        body = json.dumps({"order": Shop.orders, "state": "accepted"}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Tunnel:
    """An inspector on a loop of its own, and bytes through it as the agent would let them pass."""

    def __init__(self, port: int) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.inspector = Inspector(TcpTarget("127.0.0.1", port), port=0)
        self._do(self.inspector.open())

    def passes(self, request: bytes, answer: bytes) -> None:
        async def through() -> None:
            tap = self.inspector.opened(Visitor(1, "tls", "shop.example.org", "https://example.org"))
            assert tap is not None
            tap.received(memoryview(request))
            await asyncio.sleep(0.01)
            tap.sent(memoryview(answer))
            tap.closed()

        self._do(through())

    def ends(self) -> None:
        self._do(self.inspector.close())

    def close(self) -> None:
        self.ends()
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _do(self, work: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


def request(method: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: shop.example.org",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64)",
        *headers,
    ]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def answer(status: str, kind: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


ORDER = request(
    "POST", f"/api/orders?token={SECRET}", f"Authorization: Bearer {SECRET}", "Content-Type: application/json",
    body=b'{"item": "coffee", "count": 2}',
)  # fmt: skip


@pytest.fixture
def tunnel() -> Iterator[Tunnel]:
    shop = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=shop.serve_forever, daemon=True).start()
    tunnel = Tunnel(shop.server_port)
    yield tunnel
    tunnel.close()
    shop.shutdown()
    shop.server_close()


@pytest.fixture
def open_page(browser: Browser, tunnel: Tunnel) -> Iterator[Callable[..., Page]]:
    contexts = []

    def opened(**given: Any) -> Page:
        context = browser.new_context(**given)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda fault: pytest.fail(f"the page broke: {fault}"))
        page.on("console", lambda said: pytest.fail(said.text) if "Content Security Policy" in said.text else None)
        page.goto(tunnel.inspector.url)
        expect(page.get_by_role("status")).to_have_text("live")
        return page

    yield opened
    for context in contexts:
        context.close()


def several(tunnel: Tunnel) -> None:
    page = gzip.compress(b"<!doctype html><title>Shop</title><h1>Coffee</h1>" * 3)
    tunnel.passes(request("GET", "/"), answer("200 OK", "text/html", page, "Content-Encoding: gzip"))
    tunnel.passes(
        request("GET", "/pictures/coffee.png"), answer("200 OK", "image/png", b"\x89PNG\r\n\x1a\n" + bytes(range(200)))
    )
    tunnel.passes(request("GET", "/old"), answer("301 Moved Permanently", "text/plain", b"", "Location: /new"))
    tunnel.passes(request("GET", "/missing"), answer("404 Not Found", "text/plain", b"nothing here"))
    tunnel.passes(request("DELETE", "/api/orders/7"), answer("500 Internal Server Error", "text/plain", b"oh no"))
    tunnel.passes(
        ORDER,
        answer("201 Created", "application/json", b'{"order": 40, "state": "accepted"}', f"Set-Cookie: sid={SECRET}"),
    )


def all_are_shown(page: Page) -> None:
    expect(page.locator("#rows tr")).to_have_count(6)


def row(page: Page, path: str) -> Any:
    return page.locator("#rows tr").filter(has_text=path)


def test_an_empty_page_says_what_will_come_and_fills_by_itself(
    tunnel: Tunnel, open_page: Callable[..., Page], keep: Callable[[Page, str], None]
) -> None:
    page = open_page()
    expect(page.get_by_text("No requests yet")).to_be_visible()
    keep(page, "inspect-empty")
    several(tunnel)
    all_are_shown(page)
    expect(page.get_by_text("No requests yet")).to_be_hidden()
    expect(row(page, "/missing")).to_contain_text("404")


def test_a_request_shows_its_parts_and_its_secrets_only_when_asked(
    tunnel: Tunnel, open_page: Callable[..., Page], keep: Callable[[Page, str], None]
) -> None:
    page = open_page(viewport={"width": 1280, "height": 860})
    several(tunnel)
    all_are_shown(page)
    row(page, "/api/orders?").click()
    expect(page.locator("#details h2")).to_contain_text("POST /api/orders")
    expect(page.locator("#details pre").first).to_contain_text('"item": "coffee"')
    assert SECRET not in page.content()
    keep(page, "inspect-request")
    page.get_by_role("button", name="Show Authorization").click()
    expect(page.locator("#details .fields").first).to_contain_text(f"Bearer {SECRET}")
    expect(page.locator("#details h2")).to_contain_text(f"token={SECRET}")
    page.get_by_role("button", name="Hide secrets").click()
    expect(page.locator("#details h2")).not_to_contain_text(SECRET)


def test_what_is_told_while_the_list_is_fetched_stays(tunnel: Tunnel, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()

    def late(route: Route) -> None:
        """The list as it was, after more has passed."""
        answer = route.fetch()
        several(tunnel)
        expect(page.locator("#rows tr")).to_have_count(6)
        route.fulfill(response=answer)

    page.route("**/requests", late)
    with page.expect_response("**/requests"):
        page.goto(tunnel.inspector.url)
    expect(page.locator("#target")).to_contain_text("→")  # the list has been taken in
    expect(page.locator("#rows tr")).to_have_count(6)
    context.close()


def test_a_click_counts_although_requests_come_while_the_button_is_down(
    tunnel: Tunnel, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    tunnel.passes(request("GET", "/first"), answer("200 OK", "text/plain", b"1"))
    row(page, "/first").hover()
    page.mouse.down()
    page.evaluate("draw()")
    page.mouse.up()
    expect(page.locator("#details h2")).to_contain_text("GET /first")


def test_replay_sends_it_again_and_shows_the_new_answer(tunnel: Tunnel, open_page: Callable[..., Page]) -> None:
    page = open_page()
    tunnel.passes(ORDER, answer("201 Created", "application/json", b'{"order": 1}'))
    row(page, "/api/orders").click()
    before = Shop.orders
    page.get_by_role("button", name="Replay").click()
    expect(page.locator("#rows tr")).to_have_count(2)
    expect(page.locator("#details")).to_contain_text("again of request 1")
    expect(page.locator("#details")).to_contain_text(f'"order": {before + 1}')


def test_the_list_can_be_filtered_walked_by_keys_and_cleared(tunnel: Tunnel, open_page: Callable[..., Page]) -> None:
    page = open_page()
    several(tunnel)
    all_are_shown(page)
    page.get_by_role("searchbox", name="Filter").fill("get 404")
    expect(page.locator("#rows tr")).to_have_count(1)
    page.get_by_role("searchbox", name="Filter").fill("no such thing")
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    page.get_by_role("searchbox", name="Filter").fill("")
    page.locator("h1").click()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#details h2")).to_have_text("DELETE /api/orders/7")
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text("No requests yet")).to_be_visible()


def test_compressed_pages_are_readable_and_pictures_are_bytes(tunnel: Tunnel, open_page: Callable[..., Page]) -> None:
    page = open_page()
    several(tunnel)
    all_are_shown(page)
    page.locator("#rows tr").last.click()
    expect(page.locator("#details")).to_contain_text("<h1>Coffee</h1>")
    row(page, "coffee.png").click()
    expect(page.locator("#details")).to_contain_text("0000  89 50 4e 47")


def test_it_is_dark_where_the_system_is_and_fits_a_phone(
    tunnel: Tunnel, open_page: Callable[..., Page], keep: Callable[[Page, str], None]
) -> None:
    several(tunnel)
    page = open_page(color_scheme="dark", viewport={"width": 1280, "height": 860})
    all_are_shown(page)
    row(page, "/api/orders?").click()
    expect(page.locator("#details h2")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 25, 29)"
    keep(page, "inspect-dark")
    phone = open_page(viewport={"width": 390, "height": 800})
    all_are_shown(phone)
    keep(phone, "inspect-phone")
    assert phone.evaluate("document.documentElement.scrollWidth <= 390")
    row(phone, "/api/orders?").click()
    expect(phone.locator("#details h2")).to_be_visible()
    keep(phone, "inspect-phone-request")
    phone.get_by_role("button", name="← All requests").click()
    expect(phone.locator("#rows tr").first).to_be_visible()


def test_the_page_says_when_the_tunnel_is_gone(tunnel: Tunnel, open_page: Callable[..., Page]) -> None:
    page = open_page()
    tunnel.ends()
    expect(page.get_by_role("status")).to_contain_text("not connected")
