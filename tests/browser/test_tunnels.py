"""Tunnels as people use them: sharing a service, opening its public address, ending it; the public list; the relay's
administration: approving, limiting, banning. At two widths, in two themes, empty, full and failing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from homeport.testing.portal import PortalProcess
from homeport.testing.relay_client import Relay, RelayClient

pytestmark = pytest.mark.xdist_group("browser-tunnels")

Keep = Callable[[Page, str], None]
Visit = Callable[..., Page]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, app: Callable[[str], str]) -> Iterator[PortalProcess]:
    """Serves an app called `page`, which is what is shared."""
    with PortalProcess(tmp_path_factory.mktemp("portal"), {"stop_grace": 1, "drain_timeout": 2}) as portal:
        folder: Path = tmp_path_factory.mktemp("page")
        (folder / "main.py").write_text(app("one"))
        done = portal.homeport("deploy", str(folder), "--name", "page")
        assert done.returncode == 0, done.stderr
        yield portal


@pytest.fixture(scope="module")
def page(visit: Visit) -> Page:
    return visit("/tunnels")


def narrow(page: Page) -> None:
    """Nothing sticks out sideways."""
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def opened(browser: Browser, url: str, text: str) -> None:
    """A stranger with a browser of their own sees the page."""
    context = browser.new_context(ignore_https_errors=True)
    try:
        stranger = context.new_page()
        stranger.goto(url)
        expect(stranger.get_by_text(text)).to_be_visible()
    finally:
        context.close()


def test_without_tunnels_the_page_says_how_to_begin(page: Page, keep: Keep) -> None:
    expect(page.get_by_role("heading", name="You have no tunnels")).to_be_visible()
    keep(page, "tunnels-empty")
    page.get_by_role("link", name="Choose a service to share").click()
    expect(page).to_have_url(re.compile("/services$"))


def test_a_wrong_name_is_told_while_it_is_typed(page: Page, keep: Keep) -> None:
    page.goto("/services/page")
    page.get_by_role("button", name="Share").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Everyone")).to_be_visible()
    keep(page, "tunnel-share-dialog")
    dialog.get_by_role("button", name="Name, relay and listing").click()
    dialog.get_by_label("Name", exact=True).fill("-no-")
    expect(dialog.get_by_text("Small letters, digits and hyphens")).to_be_visible()
    expect(dialog.get_by_role("button", name="Share")).to_be_disabled()
    dialog.get_by_label("Name", exact=True).fill("page")
    dialog.get_by_role("button", name="Share").click()
    expect(dialog.get_by_text("this name is taken")).to_be_visible()
    keep(page, "tunnel-share-refused")


def test_a_service_is_shared_and_a_stranger_opens_it(
    page: Page, portal: PortalProcess, browser: Browser, keep: Keep
) -> None:
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("demo")
    dialog.get_by_label("Description").fill("A page for friends")
    expect(dialog.get_by_label("List it publicly")).not_to_be_checked()
    dialog.get_by_label("List it publicly").check()
    dialog.get_by_role("button", name="Share").click()
    expect(dialog.locator("[data-status=online]")).to_be_visible()
    expect(dialog.get_by_role("img", name=re.compile("QR code of .*demo.localhost"))).to_be_visible()
    link = dialog.get_by_role("link", name=re.compile("demo.localhost"))
    keep(page, "tunnel-shared")
    url = str(link.get_attribute("href"))
    with portal.client("demo") as visitor:  # which, unlike a browser, dials just once
        assert visitor.get("/", headers={"Connection": "close"}).raise_for_status().text.startswith("one")
    dialog.get_by_role("link", name="See its traffic, or end it").click()
    expect(page.get_by_role("heading", name="demo")).to_be_visible()
    visitors = page.locator("dt:text-is('Visitors') + dd")
    expect(visitors).to_have_text(re.compile(r"^1\b"))
    opened(browser, url, "one")
    expect(visitors).to_have_text(re.compile(r"^[23]\b"))  # a browser may dial twice
    keep(page, "tunnel-page")


def test_it_stands_among_the_services_and_on_the_services_page(page: Page, keep: Keep) -> None:
    page.goto("/services?kind=tunnel")
    row = page.locator("[data-tunnel=demo]")
    expect(row).to_contain_text("for page")
    expect(row).to_contain_text("Everyone")
    keep(page, "services-tunnels")
    page.goto("/services/page")
    expect(page.get_by_role("region", name="Tunnels").locator("[data-tunnel=demo]")).to_be_visible()
    keep(page, "service-with-tunnels")


def test_the_public_list_is_there_without_signing_in(visit: Visit, keep: Keep) -> None:
    stranger = visit("/tunnels", signed_in=False)
    expect(stranger.get_by_role("heading", name="Public tunnels")).to_be_visible()
    card = stranger.locator("[data-tunnel=demo]")
    expect(card).to_contain_text("A page for friends")
    expect(card).to_contain_text("Online")
    keep(stranger, "tunnels-public")
    stranger.get_by_label("Search tunnels").fill("nothing like it")
    expect(stranger.get_by_text("No tunnel matches")).to_be_visible()
    stranger.get_by_role("link", name="Sign in").click()
    expect(stranger.get_by_role("heading", name="Sign in to Homeport")).to_be_visible()


def test_the_list_is_for_everybody_only_while_an_administrator_wants_it(visit: Visit, portal: PortalProcess) -> None:
    with portal.api() as api:
        assert api.post("/admin/settings/landing-page", json={"enabled": False}).status_code == 200
        stranger = visit("/tunnels", signed_in=False)
        expect(stranger.get_by_role("heading", name="Sign in to Homeport")).to_be_visible()
        expect(stranger.get_by_role("link", name="See the public ones")).to_have_count(0)
        assert api.post("/admin/settings/landing-page", json={"enabled": True}).status_code == 200
    stranger.reload()
    expect(stranger.get_by_role("heading", name="Public tunnels")).to_be_visible()


def test_whoever_has_to_be_signed_in_is_asked_and_sent_back(
    page: Page, browser: Browser, portal: PortalProcess, keep: Keep
) -> None:
    row = portal.ask("share", "page", "--name", "inside", "--signed-in")
    context = browser.new_context(ignore_https_errors=True)
    try:
        visitor = context.new_page()
        visitor.goto(f"{row['url']}/some/where?x=1")
        expect(visitor.get_by_role("heading", name="Sign in to Homeport")).to_be_visible()
        keep(visitor, "tunnel-sign-in")
        visitor.get_by_label("Name or email").fill("admin")
        visitor.get_by_role("textbox", name="Password").fill(str(portal.password))
        visitor.get_by_role("button", name="Sign in", exact=True).click()
        expect(visitor.get_by_text("one")).to_be_visible()
        assert visitor.url == f"{row['url']}/some/where?x=1"
        visitor.goto(f"{row['url']}/again")
        expect(visitor.get_by_text("one")).to_be_visible()
        assert visitor.url == f"{row['url']}/again"
        signed_out = context.request.post(f"{portal.base_url}/api/auth/logout", headers={"Origin": portal.base_url})
        assert signed_out.ok
        visitor.goto(f"{row['url']}/again")
        expect(visitor.get_by_role("heading", name="Sign in to Homeport")).to_be_visible()
    finally:
        context.close()


def test_ending_it_asks_first_and_then_nobody_reaches_it(page: Page, portal: PortalProcess, keep: Keep) -> None:
    page.goto("/tunnels")
    page.get_by_role("button", name="End demo").click()
    dialog = page.get_by_role("dialog", name="End the tunnel demo?")
    keep(page, "tunnel-end")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-tunnel=demo]")).to_be_visible()
    page.get_by_role("button", name="End demo").click()
    dialog.get_by_role("button", name="End it").click()
    expect(page.locator("[data-tunnel=demo]")).to_have_count(0)
    assert portal.fetch("demo").status_code == 404
    expect(page.locator("[data-tunnel=inside]")).to_be_visible()


def test_a_tunnel_that_nobody_reaches_is_told_with_its_reason(page: Page, portal: PortalProcess, keep: Keep) -> None:
    row = portal.ask("share", "page", "--name", "far", "--relay", "https://169.254.169.254")
    page.goto("/")
    expect(page.get_by_role("region", name="Broken")).to_contain_text("Nobody reaches the tunnel far")
    keep(page, "home-broken-tunnel")
    page.get_by_role("link", name="See the tunnel").click()
    expect(page.get_by_text("Visitors do not reach it")).to_be_visible()
    expect(page.get_by_text("link-local")).to_be_visible()
    keep(page, "tunnel-error")
    page.goto("/tunnels")
    expect(page.get_by_text("far is not reachable")).to_be_visible()
    keep(page, "tunnels-error")
    assert portal.homeport("tunnels", "end", row["id"]).returncode == 0


def test_a_tunnel_that_has_ended_says_so(page: Page, keep: Keep) -> None:
    page.goto("/tunnels/shr_gone")
    expect(page.get_by_role("heading", name="This tunnel has ended")).to_be_visible()
    keep(page, "tunnel-gone")


def test_the_list_that_cannot_be_loaded_offers_another_try(page: Page, keep: Keep) -> None:
    page.route("**/api/tunnels*", lambda route: route.fulfill(status=500, json={"message": "The database is asleep."}))
    page.goto("/tunnels")
    expect(page.get_by_text("Could not load the tunnels")).to_be_visible()
    keep(page, "tunnels-failed")
    with page.expect_response("**/api/tunnels*"):
        pass  # the page has just asked by itself: it will not for 5 seconds
    with page.expect_request("**/api/tunnels*", timeout=4000):
        page.get_by_role("button", name="Try again").click()
    page.unroute("**/api/tunnels*")
    expect(page.locator("[data-tunnel=inside]")).to_be_visible()


def test_the_relays_rules_are_changed(page: Page, portal: PortalProcess, keep: Keep) -> None:
    page.goto("/admin/relay")
    page.get_by_role("tab", name="Rules").click()
    page.get_by_text("Wait for approval").click()
    expect(page.get_by_text("New tunnels wait for an approval.")).to_be_visible()
    page.get_by_label("Most tunnels with UDP ports").fill("3")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The rule for UDP ports is saved.")).to_be_visible()
    keep(page, "relay-rules")
    with portal.api() as api:
        relay = api.get("/api/relay").json()
    assert (relay["approval_mode"], relay["udp"]["max_leases"]) == ("manual", 3)


def test_a_tunnel_that_waits_is_approved_limited_and_banned(page: Page, portal: PortalProcess, keep: Keep) -> None:
    agent = RelayClient(Relay("localhost", portal.port, portal.ca_path), "stranger")
    agent.register(metadata={"description": "Mine", "owner": "somebody"})
    page.goto("/admin/relay")
    row = page.locator("[data-lease=stranger]")
    expect(row).to_contain_text("Waits for approval")
    keep(page, "relay-waiting")
    row.get_by_role("button", name="Approve stranger").click()
    expect(row).to_contain_text("No agent")
    row.get_by_role("button", name="Decide about stranger").click()
    keep(page, "relay-menu")
    page.get_by_role("menuitem", name="Limit its speed").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Bytes a second").fill("1.5")
    dialog.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("1.5 MB/s")
    row.get_by_role("button", name="Decide about stranger").click()
    page.get_by_role("menuitem", name="Ban this identity").click()
    keep(page, "relay-ban")
    page.get_by_role("dialog").get_by_role("button", name="Ban").click()
    expect(row).to_contain_text("Banned")
    keep(page, "relay-tunnels")


def test_addresses_are_banned_and_bans_are_lifted(page: Page, keep: Keep) -> None:
    page.get_by_role("tab", name="Kept out").click()
    page.get_by_role("button", name="Ban an address").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Address or network").fill("somewhere")
    dialog.get_by_role("button", name="Ban").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    keep(page, "relay-ban-refused")
    dialog.get_by_label("Address or network").fill("2001:db8::/32")
    dialog.get_by_role("button", name="Ban").click()
    expect(page.locator("[data-network='2001:db8::/32']")).to_be_visible()
    keep(page, "relay-kept-out")
    page.get_by_role("button", name="Let 2001:db8::/32 come back").click()
    expect(page.locator("[data-network]")).to_have_count(0)
    page.get_by_role("button", name="Lift the ban of stranger").click()
    expect(page.locator("[data-identity=stranger]")).not_to_contain_text("Banned")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_sticks_out(visit: Visit, keep: Keep, scheme: str) -> None:
    page = visit("/tunnels", color_scheme=scheme, **PHONE)
    expect(page.locator("[data-tunnel=inside]")).to_be_visible()
    narrow(page)
    keep(page, f"phone-tunnels-{scheme}")
    page.get_by_role("link", name="inside", exact=True).click()
    expect(page.get_by_role("img", name=re.compile("QR code"))).to_be_visible()
    narrow(page)
    keep(page, f"phone-tunnel-{scheme}")
    page.goto("/admin/relay")
    expect(page.locator("[data-lease]").first).to_be_visible()
    narrow(page)
    keep(page, f"phone-relay-{scheme}")
    page.get_by_role("tab", name="Rules").click()
    narrow(page)
    keep(page, f"phone-relay-rules-{scheme}")
    page.goto("/services/page")
    narrow(page)
    keep(page, f"phone-service-{scheme}")
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_role("dialog").get_by_label("Everyone")).to_be_visible()
    keep(page, f"phone-share-{scheme}")


def test_by_keyboard_alone_a_service_is_shared(visit: Visit) -> None:
    page = visit("/services/page")
    page.get_by_role("button", name="Share").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Everyone")).to_be_visible()
    dialog.get_by_label("Everyone").focus()
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Done")).to_be_visible()
    expect(dialog.locator("[data-status=online]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Tunnels").locator("[data-tunnel]").first).to_be_visible()


def test_a_row_of_the_services_leads_to_the_dialog(visit: Visit) -> None:
    page = visit("/services")
    page.get_by_role("button", name="More about page").click()
    page.get_by_role("menuitem", name="Share").click()
    expect(page.get_by_role("dialog").get_by_label("Everyone")).to_be_visible()


def test_the_palette_shares_a_service(visit: Visit) -> None:
    page = visit("/")
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    page.keyboard.press("Control+k")
    page.get_by_placeholder("Go to").fill("share page")
    page.get_by_text("Share page").first.click()
    expect(page).to_have_url(re.compile("/services/page$"))
    expect(page.get_by_role("dialog").get_by_label("Everyone")).to_be_visible()


def test_reading_people_see_tunnels_and_no_buttons(visit: Visit, portal: PortalProcess, browser: Browser) -> None:
    with portal.api() as api:
        made = api.post("/api/users", json={"username": "reader", "role": "user"}).json()
    context = browser.new_context(ignore_https_errors=True, base_url=portal.base_url)
    try:
        login = {"username": "reader", "password": made["password"]}
        assert context.request.post("/api/auth/login", data=login).ok
        page = context.new_page()
        page.goto("/services/page")
        expect(page.get_by_role("region", name="Tunnels").locator("[data-tunnel=inside]")).to_be_visible()
        expect(page.get_by_role("button", name="Share")).to_have_count(0)
        expect(page.get_by_role("button", name="End inside")).to_have_count(0)
    finally:
        context.close()
