"""A person opens the pages at the port for client certificates with a certificate in the browser, and no password."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from homeport.testing.portal import PortalProcess
from homeport.testing.ports import free_port

LIVE = """
new Promise(done => {
    const socket = new WebSocket(location.origin.replace("https", "wss") + "/api/live");
    window.live_ended = new Promise(ended => { socket.onclose = event => { ended(event.code); done(event.code); }; });
    socket.onmessage = message => done(JSON.parse(message.data).type);
})
"""


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[PortalProcess]:
    with PortalProcess(tmp_path_factory.mktemp("portal"), {"certificate_port": port}) as process:
        yield process


@pytest.fixture
def own(portal: PortalProcess) -> dict[str, Any]:
    """The administrator's certificate, as the portal packs it for browsers."""
    with portal.api() as api:
        return dict(api.post("/api/me/certificates", json={"label": "browser"}).json())


@pytest.fixture
def context(browser: Browser, port: int, own: dict[str, Any], tmp_path: Path) -> Iterator[BrowserContext]:
    p12 = tmp_path / "own.p12"
    p12.write_bytes(base64.b64decode(own["p12"]))
    url = f"https://localhost:{port}"
    shown: Any = {"origin": url, "pfxPath": str(p12), "passphrase": own["p12Password"]}
    # Playwright ends TLS in between, to show the certificate: the portal's own one is judged by the tests with curl.
    context = browser.new_context(base_url=url, client_certificates=[shown], ignore_https_errors=True)
    yield context
    context.close()


def test_the_pages_open_signed_in_and_go_on_living(
    context: BrowserContext, portal: PortalProcess, own: dict[str, Any]
) -> None:
    page = context.new_page()
    refused: list[str] = []
    page.on("response", lambda answer: refused.append(answer.url) if answer.status in (401, 403) else None)
    page.goto("/")
    expect(page.get_by_role("navigation").first).to_be_visible()
    expect(page.get_by_label("Password")).to_have_count(0)
    assert page.evaluate("fetch('/api/auth/me').then(answer => answer.json())")["username"] == "admin"
    done = page.evaluate(
        "fetch('/api/auth/api-keys', {method: 'POST', body: JSON.stringify({name: 'by page'}),"
        " headers: {'content-type': 'application/json'}}).then(answer => answer.status)"
    )
    assert (done, refused) == (201, [])
    assert page.evaluate(LIVE) == "hello"
    with portal.api() as api:
        [row] = [one for one in api.get("/api/me/certificates").json()["certificates"] if one["id"] == own["id"]]
        assert row["lastUsedAt"] is not None
        assert api.delete(f"/api/me/certificates/{own['id']}").status_code == 204
    assert page.evaluate("window.live_ended") == 4401
    assert page.evaluate("fetch('/api/auth/me').then(answer => answer.json())")["error"] == (
        "Certificate has been revoked"
    )
