"""One's own account in a browser: first steps, an invite, the second factor, passkeys, sessions, keys."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from homeport.testing.portal import PortalProcess
from homeport.testing.waiting import SharedStopwatch

pytestmark = pytest.mark.xdist_group("browser-account")

Keep = Callable[[Page, str], None]
Visit = Callable[..., Page]
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
TABS = ("/account", "/account/security", "/account/keys")
PASSWORD = "four tulips in a jar"
OWN = "seven herons on a roof"
KEEP_ALERTS = """() => {
  window.told = [];
  const look = () => document.querySelectorAll("[role=alert]").forEach((one) => {
    if (one.checkVisibility({visibilityProperty: true, opacityProperty: true})) told.push(one.innerText);
  });
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    """What one test leaves for the next: the invite link, the secret of the second factor, its backup codes."""
    return {}


@pytest.fixture(scope="module")
def admin(visit: Visit) -> Page:
    return visit(signed_in=False)


@pytest.fixture(scope="module")
def ann(visit: Visit) -> Page:
    return visit(signed_in=False)


def fill(page: Page, label: str, text: str) -> None:
    page.get_by_role("textbox", name=label, exact=True).fill(text)


def sign_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("Name or email").fill(name)
    fill(page, "Password", password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Your account").click()
    with page.expect_navigation():  # everything of the person goes out of memory
        page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in to Homeport")).to_be_visible()


def section(page: Page, title: str) -> Any:
    return page.get_by_role("region", name=title, exact=True)


def test_the_first_steps_are_left_with_one_click(visit: Visit, keep: Keep) -> None:
    phone = visit("/", color_scheme="dark", **PHONE)
    expect(section(phone, "First steps")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    keep(phone, "phone-dark-first-run")
    phone.get_by_role("button", name="Leave these steps").click()
    expect(section(phone, "First steps")).to_be_hidden()
    phone.reload()
    expect(phone.get_by_role("button", name="Deploy Python app")).to_be_visible()
    expect(section(phone, "First steps")).to_be_hidden()


def test_the_first_sign_in_leads_to_a_password_of_ones_own(admin: Page, portal: PortalProcess, keep: Keep) -> None:
    sign_in(admin, "admin", portal.password or "")
    steps = section(admin, "First steps")
    expect(steps.get_by_role("heading", name="Choose your own password")).to_be_visible()
    expect(admin.get_by_role("button", name="Deploy Python app")).to_be_visible()
    keep(admin, "first-run-password")
    fill(admin, "The printed password", portal.password or "")
    fill(admin, "New password", OWN)
    fill(admin, "The new one again", "something else")
    steps.get_by_role("button", name="Use this password").click()
    expect(steps.get_by_text("The two are not the same.")).to_be_visible()
    fill(admin, "The new one again", OWN)
    steps.get_by_role("button", name="Use this password").click()
    expect(steps.get_by_role("heading", name="Protect it with your phone")).to_be_visible()
    with portal.client() as api:
        refused = api.post("/api/auth/login", json={"username": "admin", "password": portal.password})
        assert refused.status_code == 401
    portal.password = OWN


def test_the_first_steps_go_on_after_a_reload_and_each_can_be_skipped(
    admin: Page, keep: Keep, known: dict[str, Any]
) -> None:
    admin.reload()
    steps = section(admin, "First steps")
    keep(admin, "first-run-factor")
    steps.get_by_role("button", name="Skip").click()
    fill(admin, "Your name", "Ada")
    keep(admin, "first-run-names")
    steps.get_by_role("button", name="Save").click()
    steps.get_by_role("button", name="Make a link").click()
    known["link"] = steps.get_by_test_id("invite-link").inner_text().strip()
    assert re.search(r"/register\?code=PORTAL-", known["link"])
    keep(admin, "first-run-invite")
    steps.get_by_role("button", name="Go on").click()
    steps.get_by_role("button", name="Show me around").click()
    expect(steps).to_be_hidden()


def test_the_first_steps_do_not_come_again(visit: Visit, admin: Page, portal: PortalProcess) -> None:
    admin.reload()
    expect(admin.get_by_role("button", name="Deploy Python app")).to_be_visible()
    expect(section(admin, "First steps")).to_be_hidden()
    elsewhere = visit("/")
    expect(elsewhere.get_by_role("button", name="Deploy Python app")).to_be_visible()
    expect(section(elsewhere, "First steps")).to_be_hidden()


def test_who_has_an_invite_registers_and_is_in(ann: Page, keep: Keep, known: dict[str, Any]) -> None:  # P008
    ann.goto("/register?code=portal-0000-0000-0000")
    expect(ann.get_by_label("Invite code")).to_have_value("PORTAL-0000-0000-0000")
    fill(ann, "User name", "a b")
    expect(ann.get_by_text("Letters, digits, _ and - only.")).to_be_visible()
    fill(ann, "User name", "ann")
    fill(ann, "Password", "short")
    expect(ann.get_by_text("At least 8 characters.")).to_be_visible()
    fill(ann, "Password", PASSWORD)
    ann.get_by_role("button", name="Create my account").click()
    expect(ann.get_by_label("Invite code")).to_have_attribute("aria-invalid", "true")
    keep(ann, "register-refused")
    ann.goto(known["link"])
    fill(ann, "User name", "ann")
    fill(ann, "Password", PASSWORD)
    keep(ann, "register")
    ann.get_by_role("button", name="Create my account").click()
    expect(ann.get_by_role("button", name="Your account")).to_be_visible()
    expect(ann).to_have_url(re.compile(r"/$"))


def test_the_profile_shows_how_others_see_a_person(ann: Page, keep: Keep) -> None:  # P060, P062-P065
    ann.goto("/account")
    ann.get_by_label("Nickname").fill("Heron Ann")
    ann.get_by_label("Message").fill("Back at three")
    ann.get_by_text("An emoji", exact=True).click()
    ann.get_by_label("Emoji", exact=True).fill("🦉")
    ann.get_by_label("Colour", exact=True).fill("#6c4fc4")
    section(ann, "How others see you").get_by_role("button", name="Save").click()
    expect(ann.get_by_text("Your profile is saved.")).to_be_visible()
    with ann.expect_response("**/api/me/anonymous") as kept:
        ann.get_by_role("switch", name="Write without my name").check(force=True)
    assert kept.value.ok
    ann.reload()
    expect(ann.get_by_label("Nickname")).to_have_value("Heron Ann")
    expect(ann.get_by_label("Emoji", exact=True)).to_have_value("🦉")
    expect(ann.get_by_role("switch", name="Write without my name")).to_be_checked()
    keep(ann, "account-profile")


def test_the_second_factor_is_turned_on_with_the_code_of_an_app(
    ann: Page, keep: Keep, known: dict[str, Any]
) -> None:  # P071, P072, P073
    ann.goto("/account/security")
    factor = section(ann, "Two-factor sign-in")
    factor.get_by_role("button", name="Turn it on").click()
    expect(factor.get_by_alt_text("QR code for an authenticator app")).to_be_visible()
    keep(ann, "two-factor-setup")
    known["secret"] = factor.get_by_test_id("totp-secret").inner_text().replace(" ", "")
    factor.get_by_label("2. Type the six digits").fill("000000")
    expect(factor.get_by_label("2. Type the six digits")).to_have_attribute("aria-invalid", "true")
    factor.get_by_label("2. Type the six digits").fill(pyotp.TOTP(known["secret"]).now())
    codes = factor.get_by_test_id("backup-codes")
    expect(codes.locator("code")).to_have_count(10)
    known["codes"] = codes.locator("code").all_inner_texts()
    expect(factor.get_by_text("On", exact=True)).to_be_visible()
    keep(ann, "two-factor-codes")
    with ann.expect_download() as file:
        factor.get_by_role("button", name="Download").click()
    assert set(known["codes"]) <= set(Path(file.value.path()).read_text().split())
    factor.get_by_role("button", name="I have kept them").click()
    expect(factor.get_by_text("10 backup codes left.")).to_be_visible()


def test_the_sign_in_asks_for_the_code_and_goes_where_one_wanted(ann: Page, keep: Keep, known: dict[str, Any]) -> None:
    sign_out(ann)
    ann.goto("/account/security")
    sign_in(ann, "ann", PASSWORD)
    expect(ann.get_by_role("heading", name="One more step")).to_be_visible()
    keep(ann, "sign-in-second-step")
    ann.get_by_label("Code", exact=True).fill("123456")
    expect(ann.get_by_role("alert")).to_be_visible()
    # A code is good once: the one after it is for whoever used the present one to turn it on.
    totp = pyotp.TOTP(known["secret"])
    ann.get_by_label("Code", exact=True).fill(totp.at(for_time=int(ann.evaluate("Date.now() / 1000")) + 30))
    expect(ann.get_by_role("heading", name="Your account")).to_be_visible()
    expect(ann).to_have_url(re.compile("/account/security$"))


def test_a_backup_code_stands_in_for_the_phone(ann: Page, known: dict[str, Any]) -> None:
    sign_out(ann)
    sign_in(ann, "ann", PASSWORD)
    ann.get_by_role("button", name="use a backup code").click()
    ann.get_by_label("Backup code").fill(known["codes"][0])
    ann.get_by_role("button", name="Continue").click()
    ann.get_by_role("button", name="Your account").click()
    ann.get_by_role("menuitem", name="Security").click()
    expect(section(ann, "Two-factor sign-in").get_by_text("9 backup codes left.")).to_be_visible()


@pytest.fixture(scope="module")
def authenticator(ann: Page) -> Iterator[None]:
    """A security key that Chromium pretends to have, and that the person touches at once."""
    devtools = ann.context.new_cdp_session(ann)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    yield
    devtools.detach()


@pytest.mark.usefixtures("authenticator")
def test_a_passkey_is_added_and_signs_in_alone(ann: Page, keep: Keep) -> None:
    ann.get_by_role("button", name="Add a passkey").click()
    ann.get_by_role("dialog").get_by_label("Name").fill("My finger")
    ann.get_by_role("dialog").get_by_role("button", name="Go on").click()
    expect(ann.locator("[data-passkey='My finger']")).to_be_visible()
    keep(ann, "account-security")
    sign_out(ann)
    keep(ann, "sign-in")
    ann.get_by_role("button", name="Sign in with a passkey").click()
    expect(ann.get_by_role("button", name="Your account")).to_be_visible()


@pytest.mark.usefixtures("authenticator")
def test_a_passkey_is_a_second_factor_too_until_it_is_removed(ann: Page) -> None:
    sign_out(ann)
    sign_in(ann, "ann", PASSWORD)
    ann.get_by_role("button", name="Use a passkey").click()
    expect(ann.get_by_role("button", name="Your account")).to_be_visible()
    ann.goto("/account/security")
    ann.get_by_role("button", name="Remove My finger").click()
    ann.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(ann.locator("[data-passkey='My finger']")).to_be_hidden()


def test_a_session_that_is_ended_closes_in_its_own_browser_within_a_second(
    ann: Page, visit: Visit, portal: PortalProcess, known: dict[str, Any]
) -> None:
    other = visit(signed_in=False, user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
    sign_in(other, "ann", PASSWORD)
    other.get_by_role("button", name="use a backup code").click()
    other.get_by_label("Backup code").fill(known["codes"][1])
    followed: list[str] = []
    other.on("websocket", lambda socket: socket.on("framereceived", lambda _: followed.append(socket.url)))
    other.get_by_role("button", name="Continue").click()
    expect(other.get_by_role("button", name="Your account")).to_be_visible()
    deadline = time.monotonic() + 15
    while not any("/api/live" in url for url in followed):
        assert time.monotonic() < deadline, "the page does not follow what happens"
        other.wait_for_timeout(20)
    ann.reload()
    ann.get_by_role("button", name="Sign out Firefox on Linux").click()
    watch = SharedStopwatch()
    other.get_by_role("heading", name="Sign in to Homeport").wait_for(timeout=10_000)  # it looks at each frame
    assert watch.seconds() < 1
    expect(other.get_by_text("Your session has ended.")).to_be_visible()
    expect(ann.get_by_role("button", name="Sign out Firefox on Linux")).to_be_hidden()


def test_an_ssh_key_is_given_out_once_and_is_a_key(ann: Page, keep: Keep, tmp_path: Path) -> None:  # P066-P070
    ann.goto("/account/keys")
    ann.get_by_role("button", name="Make a key pair").click()
    ann.get_by_role("dialog").get_by_label("Name").fill("my laptop")
    ann.get_by_role("dialog").get_by_role("button", name="Make it").click()
    expect(ann.get_by_test_id("ssh-private-key")).to_contain_text("BEGIN OPENSSH PRIVATE KEY")
    keep(ann, "ssh-key-created")
    with ann.expect_download() as file:
        ann.get_by_role("dialog").get_by_role("button", name="Download").click()
    assert file.value.suggested_filename == "id_ed25519_my-laptop"
    key = tmp_path / "key"
    key.write_bytes(Path(file.value.path()).read_bytes())
    key.chmod(0o600)
    public = subprocess.run(["ssh-keygen", "-y", "-f", str(key)], capture_output=True, text=True, check=True).stdout
    ann.get_by_role("dialog").get_by_role("button", name="Done").click()
    expect(ann.get_by_test_id("authorized-keys")).to_contain_text(public.split()[1])
    ann.reload()
    expect(ann.locator("[data-ssh-key='my laptop']")).to_be_visible()
    expect(ann.get_by_text("PRIVATE KEY")).to_be_hidden()


def test_a_key_that_may_look_cannot_change_anything(ann: Page, portal: PortalProcess, keep: Keep) -> None:  # P002-P005
    ann.get_by_role("button", name="Create a key").click()
    dialog = ann.get_by_role("dialog")
    dialog.get_by_label("Name").fill("watcher")
    dialog.get_by_label("Look at services").check()
    keep(ann, "key-scopes")
    dialog.get_by_role("button", name="Create").click()
    key = ann.get_by_test_id("new-key").inner_text()
    assert key.startswith("portal_")
    dialog.get_by_role("button", name="Done").click()
    with portal.client(headers={"Authorization": f"Bearer {key}"}) as api:
        assert api.get("/api/services").status_code == 200
        assert api.post("/api/api-keys", json={"name": "more"}).status_code == 403
    row = ann.get_by_role("row", name=re.compile("watcher"))
    row.get_by_role("button", name="Revoke").click()
    ann.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_be_hidden()
    ann.get_by_role("button", name="Show 1 revoked key").click()
    row.get_by_role("button", name="Delete").click()
    ann.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row).to_be_hidden()


def test_a_client_certificate_is_issued_once_and_revoked(ann: Page, keep: Keep) -> None:
    ann.get_by_role("button", name="Issue a certificate").click()
    ann.get_by_role("dialog").get_by_label("Label").fill("laptop")
    ann.get_by_role("dialog").get_by_role("button", name="Issue").click()
    expect(ann.get_by_test_id("certificate-password")).not_to_be_empty()
    keep(ann, "certificate-issued")
    with ann.expect_download() as file:
        ann.get_by_role("button", name="Download laptop.p12").click()
    assert Path(file.value.path()).read_bytes()[:1] == b"\x30"  # DER
    ann.get_by_role("dialog").get_by_role("button", name="Done").click()
    keep(ann, "account-keys")
    ann.get_by_role("button", name="Revoke laptop").click()
    ann.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(ann.locator("[data-certificate=laptop]")).to_be_hidden()


def test_the_account_fits_a_phone_and_the_dark(visit: Visit, keep: Keep) -> None:
    phone = visit("/", color_scheme="dark", **PHONE)
    for path in TABS:
        phone.goto(path)
        expect(phone.get_by_role("navigation", name="Parts of your account")).to_be_visible()
        expect(phone.get_by_label("Loading")).to_have_count(0)
        width = phone.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, f"{path} is {width} px wide"
        keep(phone, "phone-dark" + re.sub(r"\W+", "-", path))


def test_the_second_factor_is_turned_off_by_the_password(ann: Page) -> None:  # P074
    ann.goto("/account/security")
    ann.get_by_role("button", name="Turn it off…").click()
    dialog = ann.get_by_role("dialog")
    dialog.get_by_role("button", name="Use the password").click()
    dialog.get_by_role("textbox", name="Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Turn it off").click()
    expect(section(ann, "Two-factor sign-in").get_by_role("button", name="Turn it on")).to_be_visible()


def test_a_new_password_ends_other_sessions_and_the_keys_where_that_is_asked_for(
    ann: Page, portal: PortalProcess, keep: Keep
) -> None:  # P061
    with portal.client() as api:
        signed_in = api.post("/api/auth/login", json={"username": "ann", "password": PASSWORD}).json()
        api.headers["Authorization"] = f"Bearer {signed_in['token']}"
        key = api.post("/api/api-keys", json={"name": "old"}).json()["api_key"]
        ann.get_by_role("button", name="Change the password…").click()
        fill(ann, "Password now", "not this one")
        fill(ann, "New password", OWN)
        fill(ann, "The new one again", OWN)
        ann.get_by_label("Revoke my API keys too").check()
        ann.get_by_role("button", name="Change the password").click()
        expect(ann.get_by_text("This is not your password.")).to_be_visible()
        keep(ann, "password-change")
        fill(ann, "Password now", PASSWORD)
        ann.get_by_role("button", name="Change the password").click()
        expect(ann.get_by_text("Your password is changed.")).to_be_visible()
        assert api.get("/api/me").status_code == 401
        assert api.get("/api/me", headers={"Authorization": f"Bearer {key}"}).status_code == 401


def test_what_cannot_be_loaded_says_so_and_is_tried_again(ann: Page, keep: Keep) -> None:
    ann.route("**/api/me/sessions", lambda route: route.abort())
    ann.reload()
    failed = section(ann, "Where you are signed in")
    expect(failed.get_by_text("Could not load your sessions")).to_be_visible()
    keep(ann, "account-failed")
    with ann.expect_request("**/api/me/sessions", timeout=10_000):  # by itself the page asks each 15 seconds
        failed.get_by_role("button", name="Try again").click()
    ann.unroute("**/api/me/sessions")
    expect(failed.get_by_text("This one")).to_be_visible()


def test_who_is_refused_too_often_is_told_the_seconds(visit: Visit, keep: Keep) -> None:
    page = visit(signed_in=False)
    page.evaluate(KEEP_ALERTS)  # the first wait is a second: over before a busy machine has looked
    told: list[str] = []
    for _ in range(12):
        sign_in(page, "nobody", "wrong")
        expect(page.get_by_role("alert")).to_be_visible()
        told = page.evaluate("window.told")
        if any("Too many attempts" in one for one in told):
            break
        page.get_by_label("Name or email").fill("")
    assert any(re.search(r"^Too many attempts\s+.*Try again in \d+ seconds?", one) for one in told), told
    keep(page, "sign-in-too-often")


def test_a_provider_that_does_not_answer_is_told_at_the_sign_in(
    browser: Browser, tmp_path: Path, keep: Keep
) -> None:  # fleet C.2
    settings = {"oidc_issuer": "https://127.0.0.1:1/realms/home", "oidc_client_id": "homeport", "oidc_name": "Keycloak"}
    with (
        PortalProcess(tmp_path, settings) as portal,
        browser.new_context(ignore_https_errors=True, base_url=portal.base_url) as context,
    ):
        page = context.new_page()
        page.goto("/services?status=failed")
        button = page.get_by_role("link", name="Sign in with Keycloak")
        expect(button).to_have_attribute("href", re.compile(r"\?next=%2Fservices%3Fstatus%3Dfailed$"))
        button.click()
        expect(page.get_by_role("alert")).to_contain_text("The sign-in provider does not answer")
        keep(page, "sign-in-provider")
        expect(page).to_have_url(re.compile("/$"))
