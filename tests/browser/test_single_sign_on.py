"""The real Chromium signs in at a real OpenID provider, and out of both."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from homeport.testing.oidc_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    Account,
    Client,
    OidcProvider,
    oidc_provider_is_installed,
)
from homeport.testing.portal import PortalProcess

pytestmark = pytest.mark.xdist_group("browser-single-sign-on")

Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> OidcProvider:
    if not oidc_provider_is_installed():
        pytest.skip("the OpenID provider of the tests is not installed: `make test` says how")
    people = {
        "alice": Account("u-alice", "wonder", ["admin"], "alice@home.example", "Alice Liddell"),
        "ann": Account("u-ann", "ann", [], "ann@home.example", "Ann"),
    }
    return OidcProvider(tmp_path_factory.mktemp("oidc"), people)


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, provider: OidcProvider) -> Iterator[PortalProcess]:
    settings = {
        "outbound_allow": "127.0.0.0/8",
        "oidc_issuer": provider.issuer,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
        "oidc_name": "the house",
        "oidc_require_role": True,
    }
    process = PortalProcess(tmp_path_factory.mktemp("portal"), settings)
    url = f"https://localhost:{process.port}"
    provider.clients = [Client(CLIENT_ID, f"{url}/api/auth/oidc/callback", CLIENT_SECRET, after_logout=f"{url}/")]
    with provider, process:
        yield process


def sign_in(page: Page, username: str, password: str) -> None:
    page.get_by_role("link", name="Sign in with the house").click()
    page.wait_for_url(re.compile("/realms/home/login/"))
    page.locator("[name=username]").fill(username)
    page.locator("[name=password]").fill(password)
    page.locator("#kc-login").click()


def test_somebody_signs_in_elsewhere_and_is_where_they_wanted_to_go(visit: Visit, portal: PortalProcess) -> None:
    page = visit("/services?sort=name", signed_in=False)
    sign_in(page, "alice", "wonder")
    page.wait_for_url(re.compile(r"^https://localhost:\d+/services"))
    me = page.evaluate("async () => (await fetch('/api/auth/me')).json()")
    assert (me["username"], me["rank"]) == ("alice", "admin")
    page.reload()
    expect(page.get_by_role("heading", name="Services")).to_be_visible()
    signed_out = page.evaluate("async () => (await fetch('/api/auth/logout', {method: 'POST'})).json()")
    page.goto(signed_out["logout_url"])
    page.evaluate("document.forms[0].requestSubmit(document.querySelector('[name=logout]'))")
    page.wait_for_url(f"{portal.base_url}/")
    expect(page.get_by_role("link", name="Sign in with the house")).to_be_visible()
    page.get_by_role("link", name="Sign in with the house").click()
    expect(page.locator("#kc-login")).to_be_visible()  # the provider has forgotten them as well


def test_who_is_refused_learns_why_on_the_sign_in_page(visit: Visit) -> None:
    page = visit("/", signed_in=False)
    sign_in(page, "ann", "ann")
    page.wait_for_url(re.compile(r"^https://localhost:\d+/"))
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page).not_to_have_url(re.compile("sign_in_problem"))
