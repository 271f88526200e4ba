"""The admin area: people, invites, audit log, system, certificates, settings, retention; phone, dark, refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from homeport.testing.portal import PortalProcess

pytestmark = pytest.mark.xdist_group("browser-admin")

Keep = Callable[[Page, str], None]
Visit = Callable[..., Page]
PLACES = {
    "users": "Add a user",
    "invites": "Invite people",
    "audit": "Verify the log",
    "activity": "ago",
    "system": "The portal",
    "certificates": "All certificates",
    "clients": "Let a machine in",
    "settings": "Where this portal is",
    "retention": "What the next run deletes",
}


@pytest.fixture(scope="module")
def page(visit: Visit) -> Page:
    return visit("/admin")


def settled(page: Page, place: str) -> None:
    """The page shows what it came for, and loads nothing more."""
    expect(page.get_by_text(PLACES[place], exact=False).first).to_be_visible()
    expect(page.get_by_role("status", name="Loading")).to_have_count(0)


def open_menu(page: Page, name: str, item: str) -> None:
    page.get_by_role("button", name=f"What to do with {name}").click()
    page.get_by_role("menuitem", name=item).click()


def test_the_rail_leads_to_people(page: Page, keep: Keep) -> None:
    expect(page).to_have_url(re.compile("/admin/users$"))
    expect(page.locator("[data-user=admin]")).to_contain_text("superadmin")
    expect(page.get_by_role("navigation", name="Main").get_by_role("link", name="Admin")).to_be_visible()
    keep(page, "admin-users-one")


def test_a_person_is_added_with_a_password_that_is_shown_once(page: Page, portal: PortalProcess, keep: Keep) -> None:
    page.get_by_role("button", name="Add a user").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("User name").fill("x")
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.get_by_label("User name")).to_have_attribute("aria-invalid", "true")
    dialog.get_by_label("User name").fill("ann")
    dialog.get_by_label("E-mail").fill("ann@example.org")
    dialog.get_by_role("button", name="Add").click()
    password = dialog.get_by_test_id("new-password").inner_text().strip()
    keep(page, "admin-user-added")
    dialog.get_by_role("button", name="Done").click()
    expect(page.locator("[data-user=ann]")).to_contain_text("Active")
    with portal.client() as client:
        assert client.post("/api/auth/login", json={"username": "ann", "password": password}).status_code == 200


def test_a_role_counts_at_once(page: Page, portal: PortalProcess, keep: Keep) -> None:
    open_menu(page, "ann", "Role and scopes")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Moderator").check()
    keep(page, "admin-role")
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator("[data-user=ann]")).to_contain_text("moderator")


def test_a_password_is_reset_and_sessions_are_seen(page: Page, portal: PortalProcess, keep: Keep) -> None:
    open_menu(page, "ann", "Reset the password")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Reset").click()
    password = dialog.get_by_test_id("new-password").inner_text().strip()
    dialog.get_by_role("button", name="Done").click()
    with portal.client() as client:
        assert client.post("/api/auth/login", json={"username": "ann", "password": password}).status_code == 200
    open_menu(page, "ann", "Sessions")
    expect(dialog.get_by_text("with a password")).to_be_visible()
    keep(page, "admin-sessions")
    dialog.get_by_role("button", name="Sign out everywhere").click()
    expect(dialog.get_by_text("Nowhere.")).to_be_visible()
    dialog.get_by_role("button", name="Close", exact=True).last.click()


def test_a_ban_shuts_out_and_is_lifted(page: Page, keep: Keep) -> None:
    open_menu(page, "ann", "Ban…")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("lost laptop")
    keep(page, "admin-ban")
    dialog.get_by_role("button", name="Ban", exact=True).click()
    expect(page.locator("[data-user=ann]")).to_contain_text("Banned")
    keep(page, "admin-users")
    open_menu(page, "ann", "Lift the ban")
    expect(page.locator("[data-user=ann]")).to_contain_text("Active")


def test_people_are_found_by_name_and_the_address_keeps_it(page: Page) -> None:
    page.get_by_role("textbox", name="Search accounts").fill("ann")
    expect(page.locator("[data-user=admin]")).to_be_hidden()
    expect(page).to_have_url(re.compile("search=ann"))
    page.get_by_role("textbox", name="Search accounts").fill("nobody-of-that-name")
    expect(page.get_by_text("No account matches")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("[data-user=admin]")).to_be_visible()


def test_an_invite_is_made_used_seen_and_revoked(page: Page, portal: PortalProcess, keep: Keep) -> None:
    page.goto("/admin/invites")
    expect(page.get_by_text("Nobody is invited")).to_be_visible()
    keep(page, "admin-invites-none")
    page.get_by_role("button", name="Invite people").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Several, for a time").check()
    dialog.get_by_label("Label").fill("the club")
    keep(page, "admin-invite")
    dialog.get_by_role("button", name="Make the invite").click()
    link = dialog.get_by_test_id("invite").inner_text()
    keep(page, "admin-invite-made")
    dialog.get_by_role("button", name="Done").click()
    code = link.rpartition("=")[2]
    with portal.client() as client:
        body = {"username": "bea", "password": "correct horse 1", "invite_code": code}
        assert client.post("/api/register", json=body).status_code == 201
    page.reload()
    page.locator(f"[data-invite='{code}']").get_by_role("button", name="1", exact=True).click()
    expect(dialog.get_by_text("bea")).to_be_visible()
    keep(page, "admin-invite-came")
    dialog.get_by_role("button", name="Close", exact=True).last.click()
    page.get_by_role("button", name=f"Revoke {code}").click()
    dialog.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("No invite is active")).to_be_visible()
    page.get_by_role("radiogroup", name="Which").get_by_text("All (1)").click()
    expect(page.locator("[data-state=revoked]")).to_have_count(1)
    keep(page, "admin-invites")


def test_a_person_of_a_customer_is_added_with_scopes_in_plain_words(
    page: Page, portal: PortalProcess, keep: Keep
) -> None:
    with portal.api() as api:
        plan = api.get("/api/plans").json()["data"][0]["id"]
        body = {"name": "Kite Club", "email": "kites@example.org", "plan_id": plan}
        customer = api.post("/api/customers", json=body).json()["id"]
    page.goto("/admin/users")
    page.get_by_role("button", name="Add a user").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("User name").fill("kim")
    dialog.get_by_role("combobox", name="They may").click()
    page.get_by_role("option", name="Choose one by one").click()
    dialog.get_by_label("Look at services, logs and numbers").uncheck()
    expect(dialog.get_by_role("button", name="Add")).to_be_disabled()
    dialog.get_by_role("combobox", name="They may").click()
    page.get_by_role("option", name="Start, stop and restart").click()
    dialog.get_by_role("combobox", name="Customer").click()
    page.get_by_role("option", name="Kite Club").click()
    keep(page, "admin-user-of-customer")
    dialog.get_by_role("button", name="Add").click()
    dialog.get_by_role("button", name="Done").click()
    expect(page.locator("[data-user=kim]")).to_contain_text("Customer")
    with portal.api() as api:
        [kim] = api.get("/api/users", params={"search": "kim"}).json()["users"]
        assert kim["customer_id"] == customer
        assert set(kim["scopes"].replace(" ", "").split(",")) == {"services:read", "services:write"}
    page.goto("/deploy?way=git")
    page.get_by_role("combobox", name="Customer").click()
    page.get_by_role("option", name="Kite Club").click()
    keep(page, "deploy-for-customer")


def test_the_audit_log_is_filtered_by_its_address_and_verified(page: Page, keep: Keep) -> None:
    page.goto("/admin/audit")
    expect(page.locator("[data-action=user_ban]")).to_have_count(1)
    keep(page, "admin-audit")
    page.get_by_role("textbox", name="Act").fill("user ban")
    expect(page).to_have_url(re.compile("action=user_ban"))
    expect(page.locator("[data-entry]")).to_have_count(1)
    page.get_by_role("button", name="Details of record").click()
    expect(page.get_by_role("dialog").get_by_text("user_ban", exact=True)).to_be_visible()
    keep(page, "admin-audit-details")
    page.get_by_role("dialog").get_by_role("button", name="All on any user").click()
    expect(page).to_have_url(re.compile("target=user"))
    expect(page.locator("[data-action=create_user]")).to_have_count(2)
    expect(page.locator("[data-action=create_invite]")).to_have_count(0)
    page.reload()
    expect(page.locator("[data-action=create_user]")).to_have_count(2)
    page.goto("/admin/audit?result=failed")
    expect(page.get_by_text("No record matches")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    page.get_by_role("button", name="Verify the log").click()
    expect(page.get_by_test_id("verdict")).to_contain_text("Intact")
    keep(page, "admin-audit-verified")
    page.keyboard.press("Escape")


def test_what_happened_lately_is_told(page: Page, keep: Keep) -> None:
    page.goto("/admin/activity")
    expect(page.locator("[data-activity=login]").first).to_be_visible()
    keep(page, "admin-activity")


def test_the_system_is_told_in_numbers_and_charts(page: Page, keep: Keep) -> None:
    page.goto("/admin/system")
    settled(page, "system")
    expect(page.get_by_role("figure", name=re.compile("^CPU"))).to_be_visible()
    expect(page.get_by_text("most at once")).to_be_visible()
    page.wait_for_timeout(11_000)  # two more measurements make a line
    keep(page, "admin-system")


def test_a_certificate_is_made_and_removed(page: Page, keep: Keep) -> None:
    page.goto("/admin/certificates")
    settled(page, "certificates")
    expect(page.get_by_text("The portal's own authority").first).to_be_visible()
    keep(page, "admin-certificates")
    page.get_by_role("button", name="Use another certificate").click()
    page.get_by_role("menuitem", name="Get one from Let's Encrypt").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("A DNS record")).to_be_visible()
    keep(page, "admin-acme")
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Use another certificate").click()
    page.get_by_role("menuitem", name="Make a self-signed one").click()
    dialog.get_by_label("Host name").fill("other.example.org")
    dialog.get_by_role("button", name="Make and use it").click()
    made = page.locator("[data-certificate='other.example.org']")
    expect(made).to_contain_text("Self-signed")
    keep(page, "admin-certificates-two")
    made.get_by_role("button", name="Remove").click()
    dialog.get_by_role("button", name="Remove").click()
    expect(made).to_have_count(0)


def test_a_pair_that_does_not_fit_is_refused_with_the_reason(page: Page, keep: Keep) -> None:
    page.get_by_role("button", name="Use another certificate").click()
    page.get_by_role("menuitem", name="Upload one").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Certificate and its chain").fill("-----BEGIN CERTIFICATE-----\nnonsense")
    dialog.get_by_label("Private key").fill("nothing either")
    dialog.get_by_role("button", name="Use it").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    keep(page, "admin-upload-refused")
    dialog.get_by_role("button", name="Cancel").click()


def test_a_machine_gets_a_certificate_and_loses_it(page: Page, keep: Keep) -> None:
    page.goto("/admin/clients")
    expect(page.get_by_text("No machine has a certificate")).to_be_visible()
    keep(page, "admin-clients-none")
    page.get_by_role("button", name="Let a machine in").click()
    page.get_by_role("menuitem", name="Issue a certificate").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Label").fill("backup-server")
    keep(page, "admin-client-issue")
    dialog.get_by_role("button", name="Issue").click()
    expect(dialog.get_by_test_id("certificate-pem")).to_contain_text("PRIVATE KEY")
    with page.expect_download() as downloaded:
        dialog.get_by_role("button", name="Download").click()
    assert downloaded.value.suggested_filename == "backup-server.pem"
    assert "BEGIN CERTIFICATE" in Path(downloaded.value.path()).read_text()
    dialog.get_by_role("button", name="Done").click()
    open_menu(page, "backup-server", "Change what it may")
    dialog.get_by_label("What it may do").fill("system:read")
    dialog.get_by_label("What it may do").press("Enter")
    dialog.get_by_label("What it may do").press("Tab")
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator("[data-client=backup-server]")).to_contain_text("system:read")
    keep(page, "admin-clients")
    open_menu(page, "backup-server", "Revoke")
    dialog.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("No certificate is valid")).to_be_visible()


def test_an_enrolment_token_is_shown_once(page: Page, keep: Keep) -> None:
    page.get_by_role("button", name="Let a machine in").click()
    page.get_by_role("menuitem", name="Make an enrolment token").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Label").fill("nas")
    dialog.get_by_role("button", name="Make the token").click()
    expect(dialog.get_by_test_id("enrolment-token")).not_to_be_empty()
    keep(page, "admin-enrolment")
    dialog.get_by_role("button", name="Done").click()


def test_settings_are_changed_and_wait_or_count_at_once(page: Page, portal: PortalProcess, keep: Keep) -> None:
    page.goto("/admin/settings")
    settled(page, "settings")
    page.get_by_label("Whoever has an invite may register").click(force=True)
    expect(page.get_by_label("Whoever has an invite may register")).not_to_be_checked()
    page.get_by_label("Networks", exact=True).fill("192.168.7.0/24\nnonsense")
    networks = page.get_by_role("region", name=re.compile("Private networks"))
    networks.get_by_role("button", name="Save").click()
    expect(networks.get_by_text("is no network")).to_be_visible()
    page.get_by_label("Networks", exact=True).fill("192.168.7.0/24")
    with page.expect_response(lambda answer: answer.request.method == "PUT" and answer.ok):
        networks.get_by_role("button", name="Save").click()
    page.get_by_label("Host name for streams").fill("live.example.org")
    page.get_by_role("region", name="Where this portal is").get_by_role("button", name="Save").click()
    expect(page.get_by_text("Restart it to use what is set here")).to_be_visible()
    page.get_by_role("button", name="Show").click()
    expect(page.locator("[data-setting=stream_domain]")).to_contain_text("live.example.org")
    keep(page, "admin-settings")
    with portal.api() as api:
        assert api.get("/api/settings/permissions").json()["allow_registration"] is False
        assert api.get("/api/settings/outbound").json()["allow"] == ["192.168.7.0/24"]
        api.put("/api/settings/permissions", json={"allow_registration": True})
        api.put("/api/settings/outbound", json={"allow": []})
    assert 'stream_domain = "live.example.org"' in (portal.data_dir / "homeport.toml").read_text()


def test_a_new_key_seals_and_the_old_one_still_opens(page: Page, keep: Keep) -> None:
    keys = page.get_by_role("region", name="Keys that seal secrets")
    expect(keys.locator("[data-key]")).to_have_count(1)
    keys.get_by_role("button", name="Use a new key").click()
    page.get_by_role("dialog").get_by_role("button", name="Use a new key").click()
    expect(keys.locator("[data-key]")).to_have_count(2)
    expect(keys.get_by_text("Only opens")).to_have_count(1)
    keep(page, "admin-keys")


def test_retention_is_set_previewed_and_run(page: Page, portal: PortalProcess, keep: Keep) -> None:
    page.goto("/admin/retention")
    settled(page, "retention")
    chat = page.locator("[data-rule=retention_chat_days]").get_by_role("textbox")
    chat.fill("14")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The next run goes by it.")).to_be_visible()
    expect(page.get_by_test_id("preview")).to_contain_text("Nothing")
    keep(page, "admin-retention")
    page.get_by_role("button", name="Clean up now").click()
    before = (datetime.now(UTC) - timedelta(milliseconds=1)).replace(microsecond=0)  # a run is told in whole seconds
    page.get_by_role("dialog").get_by_role("button", name="Clean up").click()
    expect(page.get_by_text("0 records deleted", exact=False)).to_be_visible()
    with portal.api() as api:
        state = api.get("/api/admin/retention").json()
    assert state["retention_chat_days"] == "14"
    assert before <= datetime.fromisoformat(state["last_run"]["at"]) <= datetime.now(UTC)
    told = page.get_by_text(re.compile(r"^The last run was (just now|\d+ seconds ago)"))
    expect(told.locator("time").first).to_have_attribute("datetime", state["last_run"]["at"])


def test_every_place_fits_a_phone(visit: Visit, keep: Keep) -> None:
    phone = visit("/admin/users", viewport={"width": 390, "height": 844}, has_touch=True)
    for place in PLACES:
        phone.goto(f"/admin/{place}")
        settled(phone, place)
        assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth"), place
        keep(phone, f"admin-phone-{place}")


def test_every_place_is_there_in_the_dark(visit: Visit, keep: Keep) -> None:
    dark = visit("/admin/users", color_scheme="dark")
    dark.evaluate("localStorage.setItem('mantine-color-scheme-value', 'dark')")
    for place in PLACES:
        dark.goto(f"/admin/{place}")
        settled(dark, place)
        keep(dark, f"admin-dark-{place}")


def test_a_moderator_is_offered_what_a_moderator_may(visit: Visit, portal: PortalProcess, keep: Keep) -> None:
    with portal.api() as api:
        body = {"username": "mona", "password": "moderate this 1", "role": "moderator"}
        assert api.post("/api/users", json=body).status_code == 201
    page = visit("/", signed_in=False)
    page.context.request.post("/api/auth/login", data={"username": "mona", "password": "moderate this 1"})
    page.goto("/admin")
    expect(page.locator("[data-user=admin]")).to_be_visible()
    places = page.get_by_role("navigation", name="Parts of the admin area").get_by_role("link")
    expect(places).to_have_text(["Users", "Audit log", "Activity"])
    expect(page.get_by_role("button", name="Add a user")).to_have_count(0)
    expect(page.get_by_role("button", name="What to do with")).to_have_count(0)
    page.goto("/admin/settings")
    expect(page.get_by_text("This is for administrators")).to_be_visible()
    keep(page, "admin-refused")


def test_a_portal_that_does_not_answer_is_said_so(visit: Visit, keep: Keep) -> None:
    page = visit("/admin/users")
    settled(page, "users")
    page.route("**/api/admin/retention", lambda route: route.abort())
    page.get_by_role("link", name="Data retention").click()
    expect(page.get_by_role("alert")).to_contain_text("Could not load data retention", timeout=30_000)
    keep(page, "admin-failed")
