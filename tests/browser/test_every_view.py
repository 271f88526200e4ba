"""The list, the palette, the keys; phone width, dark, read-only, and a portal that goes away."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from homeport.testing.portal import PortalProcess

pytestmark = pytest.mark.xdist_group("browser-views")

Keep = Callable[[Page, str], None]
Visit = Callable[..., Page]
NAMES = ("alpha", "beta", "gamma")
PATHS = (
    "/",
    "/services",
    "/deploy",
    "/deploy?way=upload",
    "/services/alpha",
    "/services/alpha/logs",
    "/services/alpha/events",
    "/services/alpha/releases",
    "/services/alpha/settings",
    "/account/keys",
)


@pytest.fixture(scope="module", autouse=True)
def services(portal: PortalProcess) -> None:
    """Three small sites, deployed."""
    with portal.api() as api:
        jobs = [
            api.post("/api/services", json={"name": name, "deploy_method": "template", "template_id": "static-site"})
            for name in NAMES
        ]
    for job in jobs:
        assert portal.wait(job.json()["deploy_job_id"])["status"] == "success"


@pytest.fixture(scope="module")
def page(visit: Visit) -> Page:
    return visit("/services")


def row(page: Page, name: str) -> None:
    expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()


def open_palette(page: Page) -> None:
    page.keyboard.press("Control+k")
    expect(page.get_by_role("textbox", name="Go to or do")).to_be_focused()


def test_the_list_keeps_its_filters_in_the_address(page: Page, keep: Keep) -> None:
    row(page, "gamma")
    keep(page, "services")
    page.keyboard.press("/")
    page.keyboard.type("bet")
    expect(page.get_by_role("link", name="alpha", exact=True)).to_be_hidden()
    expect(page).to_have_url(re.compile("search=bet"))
    page.reload()
    row(page, "beta")
    expect(page.get_by_role("link", name="alpha", exact=True)).to_be_hidden()
    page.get_by_role("textbox", name="Search services").press("Escape")
    page.get_by_role("button", name="Name").click()
    expect(page).to_have_url(re.compile("sort=name"))
    page.get_by_role("radiogroup", name="Status").get_by_text("Failed").click()
    expect(page.get_by_text("No service matches")).to_be_visible()
    keep(page, "services-none")
    page.get_by_role("button", name="Show all").click()
    row(page, "alpha")


def test_chosen_services_are_stopped_together_and_shown_live(page: Page, visit: Visit, keep: Keep) -> None:
    other = visit("/services?status=running")
    row(other, "beta")
    page.get_by_label("Choose alpha").check()
    page.get_by_label("Choose beta").check()
    keep(page, "services-chosen")
    page.get_by_role("toolbar").get_by_role("button", name="Stop").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    expect(page.get_by_text("2 services are stopped.")).to_be_visible()
    expect(page.locator("[data-service=alpha] [data-status=stopped]")).to_be_visible()
    expect(other.get_by_role("link", name="beta", exact=True)).to_be_hidden()
    row(other, "gamma")


def test_the_palette_acts_by_keyboard_alone(page: Page, keep: Keep) -> None:
    open_palette(page)
    page.keyboard.type("start al")
    expect(page.get_by_role("dialog").get_by_text("Start alpha")).to_be_visible()
    expect(page.locator("[data-action][data-selected]")).to_contain_text("Start alpha")
    keep(page, "palette")
    page.keyboard.press("Enter")
    expect(page.get_by_text("alpha is running.")).to_be_visible()
    open_palette(page)
    page.keyboard.type("logs gamma")
    expect(page.locator("[data-action][data-selected]")).to_contain_text("Logs of gamma")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/services/gamma/logs$"))


def test_a_key_is_shown_once_works_and_is_revoked(page: Page, portal: PortalProcess, keep: Keep) -> None:
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("menuitem", name="API keys").click()
    page.get_by_role("button", name="Create a key").click()
    page.get_by_role("dialog").get_by_label("Name").fill("backup")
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    key = page.get_by_test_id("new-key").inner_text()
    keep(page, "key-created")
    headers = {"Authorization": f"Bearer {key}"}
    with portal.client(headers=headers) as api:
        assert api.get("/api/auth/me").status_code == 200
        page.get_by_role("dialog").get_by_role("button", name="Done").click()
        page.get_by_role("row", name=re.compile("backup")).get_by_role("button", name="Revoke").click()
        page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        expect(page.get_by_role("row", name=re.compile("backup"))).to_be_hidden()
        assert api.get("/api/auth/me").status_code == 401


def test_no_page_is_wider_than_a_phone(visit: Visit, keep: Keep) -> None:
    phone = visit("/", viewport={"width": 390, "height": 800}, device_scale_factor=2, is_mobile=True, has_touch=True)
    for path in PATHS:
        phone.goto(path)
        expect(phone.get_by_role("navigation", name="Main")).to_be_visible()
        expect(phone.get_by_label("Loading")).to_have_count(0)
        width = phone.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, f"{path} is {width} px wide"
        keep(phone, "phone" + re.sub(r"\W+", "-", path).rstrip("-"))


def test_the_dark_theme_covers_every_page(visit: Visit, keep: Keep) -> None:
    dark = visit("/", color_scheme="dark")
    for path in PATHS:
        dark.goto(path)
        expect(dark.get_by_role("navigation", name="Main")).to_be_visible()
        expect(dark.get_by_label("Loading")).to_have_count(0)
        assert dark.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 20, 24)"
        keep(dark, "dark" + re.sub(r"\W+", "-", path).rstrip("-"))


def test_the_theme_is_remembered(page: Page) -> None:
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("menuitem", name="Dark").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("menuitem", name="Light").click()


def test_who_may_only_look_is_offered_nothing_else(visit: Visit, portal: PortalProcess, keep: Keep) -> None:
    with portal.api() as api:
        key = api.post("/api/auth/api-keys", json={"name": "watch", "role": "viewer"}).json()["key"]
    page = visit("/services/gamma/settings", signed_in=False, extra_http_headers={"Authorization": f"Bearer {key}"})
    expect(page.get_by_text("You can look at these settings, not change them.")).to_be_visible()
    expect(page.get_by_text("Read-only", exact=True)).to_be_visible()
    for name in ("Stop", "Redeploy", "Save", "Delete…", "Add a variable"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    keep(page, "read-only")
    page.goto("/services")
    row(page, "gamma")
    expect(page.get_by_role("checkbox")).to_have_count(0)
    expect(page.get_by_role("link", name="Deploy a service")).to_have_count(0)


def test_an_address_that_leads_nowhere_says_so(page: Page, keep: Keep) -> None:
    page.goto("/services/nobody")
    expect(page.get_by_text("There is no service called nobody")).to_be_visible()
    keep(page, "service-unknown")
    page.goto("/nowhere")
    expect(page.get_by_text("There is no page at this address")).to_be_visible()


def test_a_portal_that_goes_away_is_noticed_and_caught_up_with(page: Page, portal: PortalProcess, keep: Keep) -> None:
    page.goto("/services")
    row(page, "gamma")
    portal.kill()
    expect(page.get_by_text("Reconnecting…")).to_be_visible()
    page.get_by_role("link", name="Home", exact=True).click()
    expect(page.get_by_text("Could not load")).to_be_visible(timeout=20_000)
    keep(page, "portal-away")
    portal.start()
    with portal.api() as api:
        assert api.post("/api/services/gamma/stop").is_success
    expect(page.get_by_text("Reconnecting…")).to_be_hidden(timeout=30_000)
    page.get_by_role("link", name="Services", exact=True).first.click()
    expect(page.locator("[data-service=gamma] [data-status=stopped]")).to_be_visible()


def test_the_documentation_of_the_api_is_served_from_here(page: Page, keep: Keep) -> None:
    page.goto("/docs")
    page.locator("#operations-tag-apps").get_by_role("button").click()  # so many routes are folded, part by part
    expect(page.get_by_text("/api/services/{ref}/rollback")).to_be_visible()
    page.goto("/redoc")
    expect(page.get_by_role("heading", name="Homeport").first).to_be_visible()
    keep(page, "redoc")
