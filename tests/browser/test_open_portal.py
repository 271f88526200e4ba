"""A portal without sign-in, in the real Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from homeport.testing.portal import PortalProcess

pytestmark = pytest.mark.xdist_group("browser-open-portal")

Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    with PortalProcess(tmp_path_factory.mktemp("portal"), {"open": True}) as process:
        yield process


def test_the_page_says_that_the_portal_is_open_and_offers_no_sign_out(visit: Visit) -> None:
    page = visit("/services", signed_in=False)
    expect(page.get_by_text("Open portal")).to_be_visible()
    expect(page.get_by_role("link", name="Admin")).to_be_visible()
    page.get_by_role("button", name="Your account").click()
    expect(page.get_by_role("menuitem", name="API keys")).to_be_visible()
    expect(page.get_by_role("menuitem", name="Sign out")).to_have_count(0)


def test_a_page_of_another_origin_may_do_nothing(visit: Visit, portal: PortalProcess) -> None:
    page = visit("/", signed_in=False, bypass_csp=True)
    page.goto(portal.base_url.replace("localhost", "127.0.0.1"))  # another site to the browser, and not to the portal
    asked = """async (url) => {
      const read = (path, how) => fetch(url + path, how).then((answer) => answer.text(), () => "");
      const text = await read("/api/users", {mode: "no-cors"}) + await read("/api/users", {});
      const body = JSON.stringify({name: "stolen"});
      await read("/api/auth/api-keys", {method: "POST", mode: "no-cors", body});
      const socket = new WebSocket(url.replace("https", "wss") + "/api/live");
      const opened = await new Promise((done) => {
        socket.onopen = () => done(true);
        socket.onerror = () => done(false);
      });
      return {text, opened};
    }"""
    seen = page.evaluate(asked, portal.base_url)
    assert seen == {"text": "", "opened": False}
    with portal.client() as client:
        assert client.get("/api/auth/api-keys").json()["total"] == 0
