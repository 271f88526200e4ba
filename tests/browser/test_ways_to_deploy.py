"""Folders, archives and repositories; what goes wrong, and how the page helps."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from homeport.testing.git_server import GitServer
from homeport.testing.portal import PortalProcess

pytestmark = pytest.mark.xdist_group("browser-ways")

Keep = Callable[[Page, str], None]
Folder = Callable[[str, dict[str, str]], Path]
App = Callable[[str], str]
LIVE = re.compile("is live")


@pytest.fixture(scope="module")
def page(visit: Callable[..., Page]) -> Page:
    return visit("/deploy")


def deploy(page: Page) -> None:
    page.get_by_role("button", name="Deploy", exact=True).click()
    page.wait_for_url("**/jobs/*")


def test_a_template_asks_for_what_it_needs(page: Page, portal: PortalProcess, keep: Keep) -> None:
    page.get_by_role("textbox", name="Search templates").fill("node")
    keep(page, "deploy-templates")
    page.get_by_role("button", name=re.compile("^Node app")).click()
    page.get_by_label("Greeting").fill("Moin!")
    page.get_by_label("Name", exact=True).fill("node")
    keep(page, "deploy-template")
    deploy(page)
    expect(page.get_by_text(LIVE)).to_be_visible()
    assert "Moin!" in portal.fetch("node").text


def test_a_name_is_checked_as_one_types(page: Page, keep: Keep) -> None:
    page.goto("/deploy?way=git")
    name = page.get_by_label("Name", exact=True)
    for typed, problem in {
        "My app": "Use small letters.",
        "api": "This name is reserved",
        "node": "exists already",
    }.items():
        name.fill(typed)
        expect(page.get_by_text(problem)).to_be_visible()
    page.get_by_label("Repository").fill("git@example.org:me/app")
    expect(page.get_by_text("Use the https:// address")).to_be_visible()
    keep(page, "deploy-problems")


def test_a_folder_is_packed_here_without_what_is_ignored(
    page: Page, portal: PortalProcess, folder: Folder, app: App, keep: Keep
) -> None:
    files = {"main.py": app("one"), ".gitignore": "*.log\n", "debug.log": "x", "node_modules/a/index.js": "1"}
    page.goto("/deploy?way=upload")
    page.get_by_label("Folder").set_input_files(folder("shop", files))
    expect(page.get_by_text("Left out: node_modules, 1 file named in .gitignore")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("shop")
    page.get_by_role("button", name="Variables").click()
    page.get_by_role("button", name="Paste .env").click()
    page.get_by_label("Text of the .env file").fill("# how it feels\nMOOD='calm today'\n")
    page.get_by_role("button", name="Add 1 variable").click()
    expect(page.get_by_label("Value of MOOD")).to_have_value("calm today")
    keep(page, "deploy-upload")
    deploy(page)
    expect(page.get_by_text(LIVE)).to_be_visible()
    assert portal.fetch("shop").text == "one calm today"


def test_a_newer_archive_replaces_it(page: Page, portal: PortalProcess, app: App, tmp_path: Path) -> None:
    archive = tmp_path / "shop.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("main.py", app("two"))
    page.goto("/services/shop")
    page.get_by_role("button", name="Redeploy").click()
    page.get_by_label("Archive").set_input_files(archive)
    page.get_by_role("dialog").get_by_role("button", name="Redeploy", exact=True).click()
    expect(page.get_by_role("heading", name="Redeployed shop")).to_be_visible()
    assert portal.fetch("shop").text.startswith("two")


def test_a_log_waits_for_who_reads_it_and_finds_words(page: Page, keep: Keep) -> None:
    page.goto("/services/shop/logs")
    log = page.get_by_role("log")
    expect(log.get_by_text("ERROR upstream").first).to_be_visible()
    expect(log.get_by_text("/api/items/40 ").first).to_be_visible()
    keep(page, "logs-live")
    log.hover()
    jump = page.get_by_role("button", name=re.compile("Jump to live.* new line"))
    for _ in range(10):  # a wheel that turns while lines come in may be overtaken by them
        page.mouse.wheel(0, -200)
        page.wait_for_timeout(300)
        if jump.is_visible():
            break
    expect(jump).to_be_visible()
    keep(page, "logs-paused")
    jump.click()
    expect(jump).to_be_hidden()
    page.get_by_role("textbox", name="Search the log").fill("error upstream")
    expect(page.get_by_text(re.compile("lines? match"))).to_be_visible()
    expect(log.get_by_text("GET")).to_have_count(0)
    keep(page, "logs-search")


def test_a_repository_deploys_and_redeploys_its_newest_commit(
    page: Page, portal: PortalProcess, git_server: GitServer, app: App
) -> None:
    repository = git_server.repository("blog", {"main.py": app("one")})
    page.goto("/deploy?way=git")
    page.get_by_label("Repository").fill(repository.url)
    page.get_by_label("Name", exact=True).fill("blog")
    deploy(page)
    expect(page.get_by_text(LIVE)).to_be_visible()
    head = repository.commit({"main.py": app("two")})
    page.get_by_role("link", name="Go to blog").click()
    page.get_by_role("button", name="Redeploy").click()
    page.get_by_role("dialog").get_by_role("button", name="Redeploy").click()
    expect(page.get_by_role("heading", name="Redeployed blog")).to_be_visible()
    assert portal.fetch("blog").text.startswith("two")
    page.get_by_role("link", name="Go to blog").click()
    expect(page.get_by_text(head[:12], exact=True)).to_be_visible()


def test_a_failed_deploy_says_why_and_its_log_is_open_at_the_error(
    page: Page, portal: PortalProcess, folder: Folder, keep: Keep
) -> None:
    page.goto("/deploy?way=upload")
    program = "print('reading the settings')\nraise SystemExit('Error: DATABASE_URL is not set')\n"
    page.get_by_label("Folder").set_input_files(folder("ledger", {"main.py": program}))
    deploy(page)
    expect(page.get_by_role("heading", name="Could not deploy ledger")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("exited with code 1")
    expect(page.get_by_role("alert")).to_contain_text("A missing variable is a common reason")
    expect(page.get_by_role("log").get_by_text("Error: DATABASE_URL is not set").first).to_be_in_viewport()
    keep(page, "job-failed")


def test_home_shows_what_is_broken_first_with_what_to_press(page: Page, keep: Keep) -> None:
    page.get_by_role("link", name="Home", exact=True).click()
    broken = page.get_by_role("region", name="Broken")
    expect(broken).to_contain_text("ledger has failed")
    expect(page.get_by_text("3 of 4 services running")).to_be_visible()
    keep(page, "home-broken")
    broken.get_by_role("button", name="See what went wrong").click()
    expect(page.get_by_role("heading", name="Could not deploy ledger")).to_be_visible()
    page.get_by_role("link", name="Go to ledger").click()
    expect(page.get_by_role("button", name="Redeploy")).to_be_visible()
    keep(page, "service-failed")


def test_a_deploy_that_waits_can_be_cancelled(page: Page, folder: Folder, keep: Keep) -> None:
    page.goto("/deploy?way=upload")
    page.get_by_label("Folder").set_input_files(folder("slow", {"main.py": "import time\ntime.sleep(600)\n"}))
    deploy(page)
    expect(page.locator("[data-step=gate][data-status=running]")).to_be_visible()
    keep(page, "job-waiting")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="Cancelled the deploy of slow")).to_be_visible()
