"""The real Chromium makes passkeys and signs in by them, with an authenticator that it pretends to have (CDP WebAuthn).

Plain calls from the portal's own page, as any client in a browser would make them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Page

from homeport.testing.portal import PortalProcess

pytestmark = pytest.mark.xdist_group("browser-passkeys")

Visit = Callable[..., Page]

REGISTER = """async (name) => {
  const json = {"content-type": "application/json"};
  const asked = await (await fetch("/api/user/passkeys/options", {method: "POST"})).json();
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(asked.publicKey);
  const credential = (await navigator.credentials.create({publicKey})).toJSON();
  const answer = await fetch(
    "/api/user/passkeys", {method: "POST", headers: json, body: JSON.stringify({name, credential})});
  return {status: answer.status, body: await answer.json()};
}"""
SIGN_IN = """async (login) => {
  const json = {"content-type": "application/json"};
  const asked = await (await fetch("/api/auth/passkey/options", {
    method: "POST", headers: json, body: JSON.stringify({username: login.username})})).json();
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(asked.publicKey);
  if (login.touched) {  // without a name for it, Chromium's keys answer only when they have verified their person
    publicKey.userVerification = "discouraged";
    publicKey.allowCredentials = [
      {type: "public-key", id: Uint8Array.from(atob(login.touched), (letter) => letter.charCodeAt(0))}];
  }
  const credential = (await navigator.credentials.get({publicKey})).toJSON();
  const send = () => fetch(
    "/api/auth/passkey", {method: "POST", headers: json, body: JSON.stringify({...login, credential})});
  const answer = await send();
  const again = await send();
  const me = await fetch("/api/auth/me");
  return {status: answer.status, body: await answer.json(), again: again.status, me: (await me.json()).username};
}"""


@dataclass(frozen=True)
class Key:
    """The authenticator; `verified` says whether it sees its person's finger from now on."""

    devtools: CDPSession
    name: str

    def verify(self, *, verified: bool) -> None:
        self.devtools.send("WebAuthn.setUserVerified", {"authenticatorId": self.name, "isUserVerified": verified})

    @property
    def credentials(self) -> list[dict[str, Any]]:
        return list(self.devtools.send("WebAuthn.getCredentials", {"authenticatorId": self.name})["credentials"])


@pytest.fixture(scope="module")
def page(visit: Visit) -> Page:
    return visit()


@pytest.fixture(scope="module")
def key(page: Page) -> Iterator[Key]:
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "usb",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    made = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    yield Key(devtools, made["authenticatorId"])
    devtools.detach()


def test_chromium_makes_a_passkey_that_can_be_found_without_a_name(page: Page, key: Key) -> None:
    made = page.evaluate(REGISTER, "the yellow key")
    assert made["status"] == 201, made
    assert made["body"]["name"] == "the yellow key"
    assert made["body"]["transports"] == ["usb"]
    assert [one["isResidentCredential"] for one in key.credentials] == [True]


def test_it_signs_in_without_a_name_or_a_password_and_its_answer_only_once(page: Page, key: Key) -> None:
    page.context.clear_cookies()
    before = key.credentials[0]["signCount"]
    done = page.evaluate(SIGN_IN, {})
    assert (done["status"], done["again"], done["me"]) == (200, 401, "admin")
    assert done["body"]["user"]["username"] == "admin"
    assert key.credentials[0]["signCount"] > before


def test_a_touch_that_shows_nobody_is_not_enough_alone(page: Page, key: Key) -> None:
    page.context.clear_cookies()
    key.verify(verified=False)
    done = page.evaluate(SIGN_IN, {"touched": key.credentials[0]["credentialId"]})
    assert (done["status"], done["body"]["code"]) == (401, "invalid_passkey")


def test_the_same_touch_is_enough_beside_the_password(page: Page, key: Key, portal: PortalProcess) -> None:
    page.context.clear_cookies()
    key.verify(verified=False)
    login = {"username": "admin", "touched": key.credentials[0]["credentialId"]}
    wrong = page.evaluate(SIGN_IN, {**login, "password": "wrong"})
    right = page.evaluate(SIGN_IN, {**login, "password": portal.password})
    assert (wrong["status"], wrong["body"]["code"]) == (401, "invalid_credentials")
    assert (right["status"], right["me"]) == (200, "admin")
