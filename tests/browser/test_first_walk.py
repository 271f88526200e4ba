"""What a newcomer does, in order, on one page: sign in, deploy, watch, change, roll back, delete."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from homeport.testing.portal import PortalProcess

pytestmark = pytest.mark.xdist_group("browser-first-walk")

Keep = Callable[[Page, str], None]
LIVE = re.compile("is live")


@pytest.fixture(scope="module")
def page(visit: Callable[..., Page]) -> Page:
    return visit(signed_in=False)


def go(page: Page, tab: str) -> None:
    page.get_by_role("navigation", name="Parts of").get_by_role("link", name=tab).click()


def status(page: Page, word: str) -> None:
    expect(page.locator("[data-pill]").first).to_have_text(word)


def test_the_sign_in_refuses_a_wrong_password_and_keeps_the_name(page: Page, portal: PortalProcess, keep: Keep) -> None:
    page.get_by_label("Name or email").fill("admin")
    page.get_by_role("textbox", name="Password").fill("wrong")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    keep(page, "sign-in-refused")
    expect(page.get_by_label("Name or email")).to_have_value("admin")
    page.get_by_role("textbox", name="Password").fill(portal.password or "")
    page.get_by_role("textbox", name="Password").press("Enter")
    expect(page.get_by_role("heading", name="Welcome to Homeport")).to_be_visible()


def test_an_empty_portal_has_an_example_live_by_one_click(page: Page, keep: Keep) -> None:
    expect(page.get_by_role("button", name="Deploy Python app")).to_be_visible()
    keep(page, "home-empty")
    page.get_by_role("button", name="Deploy Python app").click()
    expect(page.get_by_role("heading", name="Deploying python-app")).to_be_visible()
    keep(page, "job-running")
    expect(page.get_by_text(LIVE)).to_be_visible()
    expect(page.locator("[data-step=retire][data-status=success]")).to_be_visible()
    keep(page, "job-success")


def test_a_job_survives_a_reload_with_its_steps_and_its_log(page: Page) -> None:
    page.reload()
    expect(page.get_by_role("heading", name="Deployed python-app")).to_be_visible()
    expect(page.get_by_role("region", name="Steps").get_by_role("listitem")).to_have_count(8)
    expect(page.get_by_role("log")).to_contain_text("Build:")


def test_the_address_opens_the_app(page: Page) -> None:
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Open", exact=True).click()
    expect(opened.value.get_by_text("Hello!").first).to_be_visible()
    opened.value.close()


def test_logs_follow_the_app_over_a_restart(page: Page, keep: Keep) -> None:
    page.get_by_role("link", name="Go to python-app").click()
    status(page, "Running")
    go(page, "Logs")
    lines = page.get_by_role("log").get_by_text("listens on")
    expect(lines).to_have_count(1)
    page.get_by_role("button", name="Restart").click()
    expect(page.get_by_text("python-app was restarted.")).to_be_visible()
    expect(lines).to_have_count(2)
    keep(page, "service-logs")


def test_a_stopped_service_says_so_and_starts_again(page: Page, portal: PortalProcess, keep: Keep) -> None:
    page.get_by_role("button", name="Stop").click()
    status(page, "Stopped")
    assert portal.fetch("python-app").status_code == 503
    go(page, "Overview")
    keep(page, "service-stopped")
    page.get_by_role("button", name="Start").click()
    status(page, "Running")
    assert portal.fetch("python-app", "/health").status_code == 200


def test_a_secret_is_masked_until_it_is_shown_on_purpose(page: Page) -> None:
    go(page, "Settings")
    secret = page.get_by_role("textbox", name="Value of SECRET_KEY")
    expect(secret).to_have_value("")
    page.get_by_role("button", name="Show the value of SECRET_KEY").click()
    expect(secret).not_to_have_value("")


def test_an_edited_variable_applies_at_the_redeploy(page: Page, portal: PortalProcess, keep: Keep) -> None:
    page.get_by_role("textbox", name="Value of GREETING").fill("Ahoy!")
    keep(page, "service-settings")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Variables saved.")).to_be_visible()
    assert "Ahoy!" not in portal.fetch("python-app").text
    page.get_by_role("button", name="Redeploy to apply").click()
    expect(page.get_by_role("heading", name="Redeployed python-app")).to_be_visible()
    assert "Ahoy!" in portal.fetch("python-app").text


def test_a_rollback_brings_the_release_before_back(page: Page, portal: PortalProcess, keep: Keep) -> None:
    page.get_by_role("link", name="Go to python-app").click()
    go(page, "Releases")
    expect(page.locator("[data-release='2']")).to_contain_text("Live")
    keep(page, "service-releases")
    page.locator("[data-release='1']").get_by_role("button", name="Roll back").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("release 1")
    dialog.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("heading", name="Rolled back python-app")).to_be_visible()
    assert "Hello!" in portal.fetch("python-app").text


def test_the_timeline_tells_what_happened(page: Page, keep: Keep) -> None:
    page.get_by_role("link", name="Go to python-app").click()
    go(page, "Events")
    today = page.get_by_role("region", name="Today")
    for kind in ("rollback", "redeploy", "stop", "start", "restart", "deploy"):
        expect(today.get_by_role("img", name=re.compile(f"^{kind}")).first).to_be_visible()
    keep(page, "service-events")


def test_deleting_asks_for_the_name(page: Page, keep: Keep) -> None:
    go(page, "Settings")
    page.get_by_role("button", name="Delete…").click()
    dialog = page.get_by_role("dialog")
    button = dialog.get_by_role("button", name="Delete python-app")
    dialog.get_by_role("textbox").fill("python")
    expect(button).to_be_disabled()
    dialog.get_by_role("textbox").fill("python-app")
    keep(page, "delete-confirm")
    button.click()
    expect(page.get_by_text("Nothing runs here yet")).to_be_visible()
    expect(page).to_have_url(re.compile("/services$"))
