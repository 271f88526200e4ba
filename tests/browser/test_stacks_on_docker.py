"""A compose document deployed from the browser on a real Docker Engine: three services, one of them PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from homeport.testing.docker import DockerEngine, docker_is_installed
from homeport.testing.portal import PortalProcess
from homeport.testing.three_services import COMPOSE, three_services_archive

pytestmark = pytest.mark.xdist_group("browser-docker")

Keep = Callable[[Page, str], None]
Visit = Callable[..., Page]

DEPLOY_MS = 60_000
TALKATIVE = COMPOSE.strip().replace('"httpd", "-f"', '"httpd", "-f", "-vv"')  # it writes a line for each request


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    if not docker_is_installed():
        pytest.skip("an engine of its own needs root and the Debian packages docker.io and iptables")
    with DockerEngine() as engine:
        engine.load(three_services_archive())
        yield engine


@pytest.fixture(scope="module")
def portal(engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    """A portal with an engine that has the image of the three services."""
    settings: dict[str, object] = {"gate_timeout": 30, "stop_grace": 1, "drain_timeout": 2, "docker_host": engine.url}
    with PortalProcess(tmp_path_factory.mktemp("portal"), settings) as process:
        yield process


@pytest.fixture(scope="module")
def page(visit: Visit) -> Page:
    return visit("/deploy?way=compose")


def write(page: Page, text: str) -> None:
    """Replace what the editor of the compose document holds."""
    page.get_by_role("textbox", name="Compose document").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def test_a_pasted_stack_is_deployed_and_its_containers_are_seen(
    page: Page, portal: PortalProcess, keep: Keep
) -> None:  # A05
    write(page, TALKATIVE)
    page.get_by_label("DB_PASSWORD").fill("not-so-secret-7")
    page.get_by_label("GREETING").fill("one")
    page.get_by_label("Name", exact=True).fill("shop")
    expect(page.get_by_text("Good: 3 services")).to_be_visible()
    keep(page, "stack-pasted")
    page.get_by_role("button", name="Deploy", exact=True).click()
    expect(page).to_have_url(re.compile("/jobs/"))
    expect(page.get_by_role("link", name="Open", exact=False).first).to_be_visible(timeout=DEPLOY_MS)
    keep(page, "stack-deployed")
    assert portal.fetch("shop", "/cgi-bin/visit").text.strip() == "one 1"

    page.goto("/services/shop")
    page.get_by_role("link", name="Containers", exact=True).click()
    for part in ("web", "worker", "db"):
        row = page.locator(f"[data-part={part}]")
        expect(row).to_contain_text("Running")
        expect(row).to_contain_text("of release 1")
    expect(page.locator("[data-part=db]")).to_contain_text("healthy")
    expect(page.locator("[data-part=web]")).to_contain_text(re.compile(r"port \d+"))
    expect(page.locator("[data-part=db]")).to_contain_text("MB")
    keep(page, "stack-containers")


def test_the_log_of_a_stack_is_read_while_it_is_written(page: Page, portal: PortalProcess, keep: Keep) -> None:
    page.get_by_role("link", name="Logs", exact=True).click()
    log = page.get_by_role("log")
    expect(log.get_by_text("url:/cgi-bin/visit")).to_have_count(1)
    expect(log.get_by_text("worker", exact=True)).to_be_visible()  # who wrote it, before the line
    expect(log.get_by_text("working", exact=True)).to_be_visible()
    portal.fetch("shop", "/index.html").raise_for_status()
    expect(log.get_by_text("url:/index.html").first).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    keep(page, "stack-logs")


def test_the_document_is_changed_in_the_settings_and_counts_from_the_next_deploy(
    page: Page, portal: PortalProcess, keep: Keep
) -> None:  # A05
    page.get_by_role("link", name="Settings", exact=True).click()
    part = page.get_by_role("region", name="Compose")
    expect(part.get_by_role("textbox", name="Compose document")).to_contain_text("homeport.route")
    expect(part.get_by_role("button", name="Save")).to_have_count(0)
    write(page, TALKATIVE.replace("    init: true\n", "    privileged: true\n", 1))
    part.get_by_role("button", name="Save").click()
    problems = page.get_by_role("alert", name="Problems in Compose document")
    expect(problems.get_by_text("services.worker.privileged")).to_be_visible()
    expect(page.locator(".cm-lint-marker-error")).to_have_count(1)
    problems.scroll_into_view_if_needed()
    keep(page, "stack-settings-refused")
    part.get_by_role("button", name="Undo").click()
    expect(problems).to_have_count(0)
    expect(part.get_by_role("button", name="Save")).to_have_count(0)
    write(page, TALKATIVE.replace("stop_grace_period: 1s", "stop_grace_period: 2s"))
    part.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Compose document saved.")).to_be_visible()
    expect(part.get_by_role("button", name="Save")).to_have_count(0)
    apply = page.get_by_role("button", name="Redeploy to apply")
    apply.scroll_into_view_if_needed()
    keep(page, "stack-settings-saved")
    assert portal.fetch("shop", "/cgi-bin/visit").text.strip() == "one 2"  # what runs is as it was
    apply.click()
    expect(page).to_have_url(re.compile("/jobs/"))
    expect(page.get_by_role("heading", name="Redeployed shop")).to_be_visible(timeout=DEPLOY_MS)
    expect(page.get_by_role("link", name="Open", exact=False).first).to_be_visible()
    with portal.api() as api:
        assert "stop_grace_period: 2s" in api.get("/api/services/shop").json()["compose"]
    assert portal.fetch("shop", "/cgi-bin/visit").text.strip() == "one 3"


def test_the_machine_under_the_portal_is_shown_in_three_bars(page: Page, keep: Keep) -> None:  # portal B1
    page.goto("/")
    machine = page.get_by_role("region", name="This machine")
    for name in ("CPU", "Memory", "Disk"):
        expect(machine.get_by_text(name, exact=True)).to_be_visible()
    expect(machine.get_by_text(re.compile(r"^\d+ %$"))).to_have_count(3)
    expect(machine.get_by_text(re.compile(r"^\d+ cores?$"))).to_be_visible()
    expect(machine.get_by_text(re.compile(r" of .+B$"))).to_be_visible()
    expect(machine.get_by_text(re.compile(r"B free$"))).to_be_visible()
    keep(page, "home-machine-real")
