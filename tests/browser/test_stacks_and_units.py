"""Compose documents, the gallery, units, endpoints, customers: what a person does with them, in both themes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from homeport.testing.git_server import GitServer
from homeport.testing.portal import PortalProcess

pytestmark = pytest.mark.xdist_group("browser-stacks")

Keep = Callable[[Page, str], None]
Visit = Callable[..., Page]

REFUSED = """services:
  web:
    image: nginx:alpine
    privileged: true
    environment:
      GREETING: ${GREETING:-hello}
      DB_PASSWORD: ${DB_PASSWORD}
    expose: ["80"]
  cache:
    image: redis:7-alpine
    volumes: ["/var/run/docker.sock:/var/run/docker.sock"]
"""
FINE = """services:
  web:
    image: nginx:alpine
    environment:
      GREETING: ${GREETING:-hello}
      DB_PASSWORD: ${DB_PASSWORD}
    expose: ["80"]
    depends_on: [cache]
  cache:
    image: redis:7-alpine
    volumes: ["data:/data"]
volumes:
  data:
"""
PATHS = (
    "/deploy",
    "/deploy?way=compose",
    "/deploy?way=ai",
    "/services?kind=unit",
    "/services?kind=endpoint",
    "/services/nginx",
    "/customers",
    "/customers/plans",
)


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    """A portal that looks after two units of the host."""
    settings = {
        "outbound_allow": "127.0.0.0/8",
        "git_allow_http": True,
        "units": "nginx,homeport",
        "stop_grace": 1,
        "drain_timeout": 2,
    }
    with PortalProcess(tmp_path_factory.mktemp("portal"), settings) as process:
        yield process


@pytest.fixture(scope="module")
def page(visit: Visit) -> Page:
    return visit("/deploy?way=compose")


def write(page: Page, text: str, label: str = "Compose document") -> None:
    """Replace what the editor holds."""
    editor = page.get_by_role("textbox", name=label)
    editor.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def test_a_compose_document_is_checked_in_place_while_it_is_written(page: Page, keep: Keep) -> None:
    write(page, REFUSED)
    problems = page.get_by_role("alert", name="Problems in Compose document")
    expect(problems.get_by_text("services.web.privileged")).to_be_visible()
    expect(problems.get_by_text("Line 4")).to_be_visible()
    expect(page.locator(".cm-lint-marker-error")).to_have_count(3)  # privileged, a value that is missing, a host's path
    keep(page, "compose-violations")
    problems.get_by_role("button", name=re.compile("services.web.privileged")).click()
    expect(page.get_by_role("textbox", name="Compose document")).to_be_focused()


def test_what_it_asks_for_becomes_fields_and_what_it_says_is_shown(page: Page, keep: Keep) -> None:
    write(page, FINE)
    page.get_by_label("DB_PASSWORD").fill("not to be read over a shoulder")
    found = page.get_by_role("region", name="What it says")
    expect(found.get_by_text("Good: 2 services")).to_be_visible()
    expect(found.get_by_text(re.compile("Requests go to web"))).to_be_visible()
    expect(page.get_by_label("DB_PASSWORD")).to_have_attribute("type", "password")
    expect(page.get_by_role("alert", name="Problems in Compose document")).to_have_count(0)
    expect(page.get_by_label("Name", exact=True)).to_have_value("web")
    keep(page, "compose-fine")


def test_an_empty_document_is_not_deployed_but_explained(page: Page) -> None:
    page.goto("/deploy?way=compose")
    page.get_by_label("Name", exact=True).fill("shop")
    page.get_by_role("button", name="Deploy", exact=True).click()
    expect(page.get_by_text("Write or paste a compose document.")).to_be_visible()
    page.get_by_role("button", name="Begin with an example").click()
    expect(page.get_by_text("Good: 2 services")).to_be_visible()


def test_a_repository_is_explained_before_anything_is_deployed(page: Page, git_server: GitServer, keep: Keep) -> None:
    files = {
        "requirements.txt": "flask==3.0.0\npsycopg[binary]==3.1\ngunicorn\n",
        "app.py": "import os\nfrom flask import Flask\napp = Flask(__name__)\nDB = os.environ['DATABASE_URL']\n",
    }
    repository = git_server.repository("ledger", files)
    page.goto("/deploy?way=ai")
    keep(page, "ai-empty")
    page.get_by_role("textbox", name="Repository").fill(repository.url)
    page.get_by_role("button", name="Look at it").click()
    found = page.get_by_role("region", name="What was found")
    expect(found.get_by_text("postgres").first).to_be_visible()
    expect(found.locator("[data-finding]").first).to_be_visible()
    expect(page.get_by_role("textbox", name="Dockerfile")).to_contain_text("FROM")
    expect(page.get_by_role("textbox", name="Compose document")).to_contain_text("services:")
    expect(page.get_by_label("Name", exact=True)).to_have_value("ledger")
    keep(page, "ai-explained")
    page.get_by_role("textbox", name="Compose document").scroll_into_view_if_needed()
    keep(page, "ai-texts")
    write(page, "services:\n  web:\n    image: x\n    privileged: true\n")
    expect(page.get_by_text("services.web.privileged").first).to_be_visible()


def test_the_gallery_is_searched_by_words_and_filtered(page: Page, keep: Keep) -> None:
    page.goto("/deploy")
    expect(page.locator("[data-template=node-app]")).to_be_visible()
    keep(page, "gallery")
    search = page.get_by_role("textbox", name="Search templates")
    search.fill("node")
    expect(page.locator("[data-template=node-app]")).to_be_visible()
    expect(page.locator("[data-template=static-site]")).to_have_count(0)
    search.fill("nothing is called this")
    expect(page.get_by_text("No template matches")).to_be_visible()
    search.press("Escape")
    page.locator("[data-template=node-app]").click()
    expect(page).to_have_url(re.compile("template=node-app"))
    expect(page.get_by_label("Greeting")).to_be_visible()


def test_units_are_listed_and_explained_where_there_is_no_systemd(page: Page, keep: Keep) -> None:
    page.goto("/services")
    page.get_by_role("radiogroup", name="Kind").get_by_text("Host units").click()
    expect(page.locator("[data-unit=nginx]")).to_be_visible()
    expect(page.locator("[data-unit=homeport]")).to_be_visible()
    keep(page, "units")
    page.get_by_role("link", name="nginx", exact=True).click()
    expect(page.get_by_role("heading", name="nginx")).to_be_visible()
    expect(page.get_by_role("log")).to_be_visible()
    keep(page, "unit")


def test_an_endpoint_is_added_checked_changed_and_deleted(page: Page, portal: PortalProcess, keep: Keep) -> None:
    page.goto("/services?kind=endpoint")
    page.get_by_role("button", name="Add an endpoint").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("nas")
    dialog.get_by_label("Title").fill("The box in the cellar")
    dialog.get_by_role("combobox", name="What it is").click()
    page.get_by_role("option", name="Any TCP port").click()
    dialog.get_by_label("Host").fill("https://nas.lan")
    expect(dialog.get_by_text("Only the host: no https://, no path.")).to_be_visible()
    dialog.get_by_label("Host").fill("127.0.0.1")
    dialog.get_by_label("Port").fill(str(portal.port))
    keep(page, "endpoint-new")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", name="The box in the cellar")).to_be_visible()
    expect(page.get_by_text(re.compile("Answers in"))).to_be_visible()
    keep(page, "endpoint")
    page.get_by_role("button", name="Change").click()
    dialog.get_by_label("Port").fill("9")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").get_by_text("It does not answer")).to_be_visible()
    keep(page, "endpoint-ill")
    page.goto("/services?kind=endpoint")
    expect(page.locator("[data-endpoint=nas]")).to_contain_text("Does not answer")
    keep(page, "endpoints")
    page.get_by_role("link", name="The box in the cellar").click()
    page.get_by_role("button", name="Delete…").click()
    dialog.get_by_label("Type nas to confirm").fill("nas")
    dialog.get_by_role("button", name="Delete nas").click()
    expect(page.get_by_text("No endpoints here")).to_be_visible()


def test_a_domain_of_ones_own_waits_for_its_proof(page: Page, portal: PortalProcess, keep: Keep) -> None:
    with portal.api() as api:
        wanted = {"name": "site", "deploy_method": "template", "template_id": "static-site"}
        assert portal.wait(api.post("/api/services", json=wanted).json()["deploy_job_id"])["status"] == "success"
    page.goto("/services/site/settings")
    domains = page.get_by_role("region", name="Your own domains")
    domains.get_by_label("Domain").fill("https://shop.invalid")
    expect(domains.get_by_text("Only the name, without https://")).to_be_visible()
    domains.get_by_label("Domain").fill("shop.invalid")
    domains.get_by_role("button", name="Add").click()
    expect(domains.get_by_text("_homeport.shop.invalid")).to_be_visible()
    expect(domains.get_by_text(re.compile("^/.well-known/homeport/"))).to_be_visible()
    expect(domains.get_by_role("button", name="Copy the value")).to_be_visible()
    domains.get_by_role("button", name="Verify").click()
    expect(domains.get_by_role("alert")).to_contain_text("shop.invalid is not proven", timeout=40_000)
    domains.scroll_into_view_if_needed()
    keep(page, "domain-unproven")
    domains.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(domains.get_by_text("None yet.")).to_be_visible()
    page.goto("/")
    expect(page.get_by_role("region", name="Lately")).to_be_visible()
    keep(page, "home-machine")


def test_a_plan_is_made_changed_and_deleted(page: Page, keep: Keep) -> None:
    page.goto("/customers/plans")
    expect(page.locator("[data-plan=Starter]")).to_be_visible()
    keep(page, "plans")
    page.get_by_role("button", name="Add a plan").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Club")
    dialog.get_by_label("Services").fill("5")
    dialog.get_by_label("CPU").fill("")
    dialog.get_by_label("Let AI read a repository").uncheck()
    keep(page, "plan-new")
    dialog.get_by_role("button", name="Add", exact=True).click()
    row = page.locator("[data-plan=Club]")
    expect(row).to_contain_text("5 services")
    expect(row).to_contain_text("Let AI read a repository")
    expect(row).not_to_contain_text("cores")
    row.get_by_role("button", name="Change").click()
    dialog.get_by_label("Services").fill("6")
    dialog.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("6 services")
    row.get_by_role("button", name="Change").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)


def test_a_customer_is_made_looked_at_suspended_and_deleted(page: Page, keep: Keep) -> None:
    page.get_by_role("link", name="Customers", exact=True).first.click()
    expect(page.get_by_text("No customers yet")).to_be_visible()
    keep(page, "customers-empty")
    page.get_by_role("button", name="Add a customer").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog.get_by_text("Give it a name.")).to_be_visible()
    dialog.get_by_label("Name").fill("Bakery Olsen")
    dialog.get_by_label("E-mail").fill("olsen@example.com")
    keep(page, "customer-new")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("[data-customer='Bakery Olsen']")).to_contain_text("Starter")
    keep(page, "customers")
    page.get_by_role("link", name="Bakery Olsen").click()
    expect(page.locator("[data-usage=services]")).to_contain_text("0 of 3")
    keep(page, "customer")
    page.get_by_role("button", name="Suspend").click()
    page.get_by_role("dialog").get_by_role("button", name="Suspend").click()
    expect(page.get_by_text("Nothing new can be deployed for this customer.")).to_be_visible()
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_label("Type Bakery Olsen to confirm").fill("Bakery Olsen")
    page.get_by_role("dialog").get_by_role("button", name="Delete Bakery Olsen").click()
    expect(page.get_by_text("No customers yet")).to_be_visible()


def test_no_new_page_is_wider_than_a_phone(visit: Visit, keep: Keep) -> None:
    phone = visit("/", viewport={"width": 390, "height": 800}, device_scale_factor=2, is_mobile=True, has_touch=True)
    for path in PATHS:
        phone.goto(path)
        expect(phone.get_by_role("navigation", name="Main")).to_be_visible()
        expect(phone.get_by_label("Loading")).to_have_count(0)
        width = phone.evaluate("document.documentElement.scrollWidth")
        keep(phone, "phone" + re.sub(r"\W+", "-", path).rstrip("-"))
        assert width <= 390, f"{path} is {width} px wide"


def test_the_dark_theme_covers_every_new_page(visit: Visit, keep: Keep) -> None:
    dark = visit("/", color_scheme="dark")
    for path in PATHS:
        dark.goto(path)
        expect(dark.get_by_role("navigation", name="Main")).to_be_visible()
        expect(dark.get_by_label("Loading")).to_have_count(0)
        keep(dark, "dark" + re.sub(r"\W+", "-", path).rstrip("-"))
    dark.goto("/deploy?way=compose")
    write(dark, REFUSED)
    expect(dark.get_by_role("alert", name="Problems in Compose document")).to_be_visible()
    keep(dark, "dark-compose-violations")
