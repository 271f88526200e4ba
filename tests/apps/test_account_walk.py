"""Accounts, keys, tokens, registration, profile, SSH keys, second factor: asked with curl, as seed 002 shows it."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyotp
import pytest

from homeport.testing.portal import PortalProcess

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


class Curl:
    """`curl` with the portal's CA; `token` goes into the Authorization header."""

    def __init__(self, portal: PortalProcess, token: str = "") -> None:
        self._portal = portal
        self.token = token

    def __call__(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        command = ["curl", "--silent", "--include", "--http1.1", "--cacert", str(self._portal.ca_path), "-X", method]
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        if body is not None:
            headers["Content-Type"] = "application/json"
            command += ["-d", json.dumps(body)]
        for name, value in headers.items():
            command += ["-H", f"{name.replace('_', '-')}: {value}"]
        done = subprocess.run([*command, self._portal.base_url + path], capture_output=True, text=True, check=True)
        head, _, text = done.stdout.replace("\r\n", "\n").partition("\n\n")
        lines = head.split("\n")
        fields = (line.partition(":") for line in lines[1:])
        return Answer(int(lines[0].split()[1]), {name.lower(): value.strip() for name, _, value in fields}, text)

    def as_(self, token: str) -> Curl:
        return Curl(self._portal, token)


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    with PortalProcess(tmp_path_factory.mktemp("walk"), {"rate_limit_api": 60}) as running:
        yield running


@pytest.fixture(scope="module")
def nobody(portal: PortalProcess) -> Curl:
    return Curl(portal)


@pytest.fixture(scope="module")
def admin(portal: PortalProcess, nobody: Curl) -> Curl:
    made = nobody("POST", "/api/token", {"username": "admin", "password": portal.password})
    return nobody.as_(made.body["token"])


@pytest.fixture(scope="module")
def user(admin: Curl, nobody: Curl) -> Curl:
    """Somebody who came by an invite."""
    invite = admin("POST", "/api/admin/invite-codes", {"type": "single_use"}).body
    body = {"username": "walker", "password": PASSWORD, "invite_code": invite["code"]}
    registered = nobody("POST", "/api/register", body)  # P008
    assert registered.status == 201
    assert set(registered.body) >= {"id", "username", "message"}
    assert (registered.body["username"], type(registered.body["id"])) == ("walker", int)
    return nobody.as_(nobody("POST", "/api/token", {"username": "walker", "password": PASSWORD}).body["token"])


def test_a_token_is_made_listed_and_revoked(portal: PortalProcess, nobody: Curl, user: Curl) -> None:
    made = nobody("POST", "/api/token", {"username": "walker", "password": PASSWORD})  # P001
    assert made.status == 200
    assert made.body["user"] == {**made.body["user"], "username": "walker", "is_admin": False}
    assert type(made.body["user"]["id"]) is int
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made.body["expires_at"])
    assert made.body["token"].count(".") == 2
    listed = user("GET", "/api/tokens")  # P006
    assert made.body["token_id"] in [one["token_id"] for one in listed.body["tokens"]]
    other = user.as_(made.body["token"])
    assert other("GET", "/api/me").status == 200
    assert user("POST", "/api/token/revoke", {"token_id": made.body["token_id"]}).status == 200  # P007
    assert other("GET", "/api/me").status == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"username": "walker"}, 400),
        ({"password": "x"}, 400),
        ({"username": "walker", "password": "wrong"}, 401),
        ({"username": "nobody-here", "password": "wrong"}, 401),
    ],
)
def test_what_is_no_sign_in_says_so(nobody: Curl, user: Curl, body: dict[str, str], status: int) -> None:
    answer = nobody("POST", "/api/token", body)
    assert (answer.status, answer.body["status"]) == (status, status)
    assert answer.body["error"]


def test_nobody_revokes_a_strangers_token(nobody: Curl, admin: Curl, user: Curl) -> None:  # portal E2.12
    own = admin("GET", "/api/tokens").body["tokens"][0]["token_id"]
    assert user("POST", "/api/token/revoke", {"token_id": own}).status == 404
    assert admin("GET", "/api/me").status == 200


def test_a_key_is_made_listed_revoked_and_deleted(user: Curl) -> None:
    made = user("POST", "/api/api-keys", {"name": "My Integration"})  # P002
    assert made.status == 201
    assert set(made.body) >= {"id", "name", "api_key", "key_prefix", "scopes", "expires_at"}
    assert (made.body["scopes"], made.body["expires_at"], type(made.body["id"])) == ("*", None, int)
    key = user.as_(made.body["api_key"])
    assert key("GET", "/api/me").body["username"] == "walker"
    assert user.as_("")("GET", f"/api/services?token={made.body['api_key']}").status == 200
    listed = user("GET", "/api/api-keys")  # P003
    assert made.body["api_key"] not in listed.text
    assert user("POST", f"/api/api-keys/{made.body['id']}/revoke").status == 200  # P004
    assert key("GET", "/api/me").status == 401
    assert user("DELETE", f"/api/api-keys/{made.body['id']}").status == 200  # P005
    assert user("GET", "/api/api-keys").body["api_keys"] == []


def test_statistics_are_for_who_is_signed_in(user: Curl, nobody: Curl) -> None:
    found = user("GET", "/api/stats/public")  # P009
    assert {name: type(found.body[name]) for name in ("live_streams", "online_users")} == {
        "live_streams": int,
        "online_users": int,
    }
    assert nobody("GET", "/api/stats/public").status == 401


def test_the_account_is_shown_and_changed(user: Curl) -> None:
    me = user("GET", "/api/me").body  # P060
    assert (me["username"], me["is_admin"], me["totp_enabled"]) == ("walker", False, False)
    assert isinstance(me["scopes"], str)
    assert me["created_at"].endswith("Z")
    done = user("PUT", "/api/me/status", {"status": "dnd", "status_message": "writing"})  # P062
    assert (done.body["status"], done.body["status_message"]) == ("dnd", "writing")
    assert user("PUT", "/api/me/status", {"status": "asleep"}).status == 400
    assert user("PUT", "/api/me/status", {"status": "busy", "status_message": "x" * 101}).status == 400
    assert user("PUT", "/api/me/nickname", {"nickname": "The Walker"}).body["nickname"] == "The Walker"  # P063
    assert user("PUT", "/api/me/nickname", {"nickname": "<b>"}).status == 400
    assert not user("PUT", "/api/me/nickname", {"nickname": ""}).body["nickname"]
    look = {"color": "#12AB34", "emoji": None, "initials": "TW"}
    assert user("PUT", "/api/me/avatar", look).body["avatar"]["initials"] == "TW"  # P064
    assert user("PUT", "/api/me/avatar", {"color": "red"}).status == 400
    assert user("PUT", "/api/me/anonymous", {"anonymous": True}).body["anonymous"] is True  # P065
    assert user("GET", "/api/me").body["chat_anonymous"] is True


def test_ssh_keys_are_made_once_listed_and_deleted(user: Curl) -> None:
    made = user("POST", "/api/ssh-keys", {"name": "my-key"})  # P066
    assert made.status == 201
    assert made.body["public_key"].startswith("ssh-ed25519 ")
    assert made.body["private_key"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert made.body["fingerprint"].startswith("SHA256:")
    listed = user("GET", "/api/ssh-keys")  # P067
    assert "PRIVATE" not in listed.text
    number = made.body["id"]
    assert type(number) is int
    assert user("GET", f"/api/ssh-keys/{number}").body["fingerprint"] == made.body["fingerprint"]  # P068
    text = user("GET", "/api/ssh-keys/authorized")  # P070
    assert text.headers["content-type"].startswith("text/plain")
    assert made.body["public_key"].split()[1] in text.text
    assert user("DELETE", f"/api/ssh-keys/{number}").status == 200  # P069
    assert user("GET", f"/api/ssh-keys/{number}").status == 404
    assert user("POST", "/api/ssh-keys", {"name": "x", "key_type": "dsa"}).status == 400


def test_the_second_factor_is_turned_on_asked_for_and_turned_off(nobody: Curl, user: Curl) -> None:
    assert user("GET", "/api/user/2fa/status").body == {  # P071
        **user("GET", "/api/user/2fa/status").body,
        "enabled": False,
        "backup_codes_remaining": 0,
    }
    setup = user("POST", "/api/user/2fa/setup").body  # P072
    assert setup["provisioning_uri"].startswith("otpauth://totp/")
    totp = pyotp.TOTP(setup["secret"])
    assert user("POST", "/api/user/2fa/verify", {"code": "000000"}).status in {400, 401}
    enabled = user("POST", "/api/user/2fa/verify", {"code": totp.now()})  # P073
    assert len(enabled.body["backup_codes"]) == 10
    password = {"username": "walker", "password": PASSWORD}
    for path in ("/api/token", "/api/auth/login"):  # portal E1.2
        assert nobody("POST", path, password).status == 401
    code = enabled.body["backup_codes"][0]
    again = nobody("POST", "/api/token", {**password, "totp_code": code})
    assert again.status == 200
    assert nobody("POST", "/api/token", {**password, "totp_code": code}).status == 401
    fresh = user.as_(again.body["token"])
    assert fresh("GET", "/api/user/2fa/status").body["backup_codes_remaining"] == 9
    assert fresh("POST", "/api/user/2fa/disable", {"password": PASSWORD}).status == 200  # P074
    assert nobody("POST", "/api/token", password).status == 200


def test_a_changed_password_ends_the_other_sessions(nobody: Curl, user: Curl) -> None:
    token = nobody("POST", "/api/token", {"username": "walker", "password": PASSWORD}).body["token"]
    other = nobody.as_(nobody("POST", "/api/token", {"username": "walker", "password": PASSWORD}).body["token"])
    here = nobody.as_(token)
    change = {"current_password": PASSWORD, "new_password": "another good one"}
    assert here("POST", "/api/me/password", {**change, "current_password": "wrong"}).status == 401  # P061
    assert here("POST", "/api/me/password", {**change, "new_password": "short"}).status == 400
    assert here("POST", "/api/me/password", change).status == 200
    assert here("GET", "/api/me").status == 200
    assert other("GET", "/api/me").status == 401
    assert (
        here("POST", "/api/me/password", {"current_password": "another good one", "new_password": PASSWORD}).status
        == 200
    )


def test_one_address_registers_once_a_day(admin: Curl, nobody: Curl, user: Curl) -> None:
    invite = admin("POST", "/api/admin/invite-codes", {"type": "daily"}).body["code"]
    body = {"username": "second", "password": PASSWORD, "invite_code": invite}
    assert nobody("POST", "/api/register", body).status == 429
    assert nobody("POST", "/api/register", body, X_Forwarded_For="203.0.113.5").status == 429  # portal E2.9
    assert nobody("POST", "/api/register", {**body, "invite_code": "PORTAL-0000-0000-0000"}).status in {403, 429}
    assert nobody("POST", "/api/register", {**body, "username": "no good name"}).status == 400


def test_activity_is_told_and_limited(admin: Curl, user: Curl) -> None:
    answer = admin("GET", "/api/activity?limit=5")  # P136
    assert len(answer.body["activities"]) == 5
    assert set(answer.body["activities"][0]) >= {"id", "user_id", "username", "action", "details", "created_at"}
    assert admin("GET", "/api/activity?limit=x").status == 400


def test_no_secret_is_in_the_log_or_in_clear_in_the_database(
    portal: PortalProcess, admin: Curl, nobody: Curl
) -> None:  # portal E2.16, E2.17
    """Passwords, invite codes, tokens, keys, TOTP secrets, private keys: shown once, or sealed, or hashed."""
    invite = admin("POST", "/api/admin/invite-codes", {"type": "timed"}).body["code"]
    session = nobody("POST", "/api/auth/login", {"username": "walker", "password": PASSWORD}).body
    user = nobody.as_(session["token"])
    key = user("POST", "/api/api-keys", {"name": "quiet"}).body["api_key"]
    totp = user("POST", "/api/user/2fa/setup").body["secret"]
    private = user("POST", "/api/ssh-keys", {"name": "quiet"}).body["private_key"].splitlines()[2]
    ticket = user("POST", "/api/auth/ticket").body["ticket"]
    secrets = [PASSWORD, portal.password, key, totp, private, ticket, session["token"], session["refresh_token"]]
    with sqlite3.connect(portal.data_dir / "homeport.db") as connection:
        stored = "\n".join(connection.iterdump())
    connection.close()
    log = portal.log.read_text()
    for secret in secrets:
        assert secret
        assert secret not in stored
        assert secret not in log
    assert invite not in log


def test_every_answer_says_how_much_of_the_minute_is_left(portal: PortalProcess, admin: Curl, nobody: Curl) -> None:
    password = admin("POST", "/api/users", {"username": "hasty", "role": "user"}).body["password"]
    token = nobody("POST", "/api/token", {"username": "hasty", "password": password}).body["token"]
    with portal.client(headers={"Authorization": f"Bearer {token}"}) as hasty:  # their minute begins here
        answers = [hasty.get("/api/me") for _ in range(61)]
    assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"60"}
    assert [int(answer.headers["x-ratelimit-remaining"]) for answer in answers] == [*range(59, -1, -1), 0]
    assert int(answers[0].headers["x-ratelimit-reset"]) > 1_700_000_000
    assert [answer.status_code for answer in answers] == [*[200] * 60, 429]
    assert answers[-1].json()["code"] == "rate_limited"


def test_an_act_on_a_service_says_which(portal: PortalProcess) -> None:
    with portal.api() as api:
        body = {"name": "logged", "deploy_method": "template", "template_id": "static-site"}
        made = api.post("/api/services", json=body)
        assert made.status_code == 201, made.text
        found = api.get("/api/admin/audit-log", params={"action": "create_service"}).json()["entries"]
    assert [(one["target_type"], one["target_id"], one["result"]) for one in found] == [("service", "logged", "done")]
