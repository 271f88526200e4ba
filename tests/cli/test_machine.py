"""The verbs for the machine that the portal runs on, and signing in from another one."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pyotp
import pytest

from homeport.cli.trust import fingerprint
from homeport.testing.portal import PortalProcess


def homeport(*words: str, env: dict[str, str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "homeport", *words],
        env=env,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def stranger(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has never met the portal."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOMEPORT_")}
    return {**kept, "XDG_CONFIG_HOME": str(tmp_path / "elsewhere")}


@pytest.fixture
def own(tmp_path: Path) -> PortalProcess:
    return PortalProcess(tmp_path)


def test_the_portal_leaves_its_key_for_its_own_user_only(portal: PortalProcess) -> None:
    local = portal.data_dir / "local.json"
    assert stat.S_IMODE(local.stat().st_mode) == 0o600
    assert stat.S_IMODE(portal.data_dir.stat().st_mode) == 0o700
    key = json.loads(local.read_text())["key"]
    credentials = Path(portal.environment["XDG_CONFIG_HOME"]) / "homeport" / "credentials.json"
    assert key not in credentials.read_text()
    assert key not in portal.log.read_text()


def test_a_second_up_says_where_the_first_one_serves_and_is_content(portal: PortalProcess) -> None:
    done = portal.homeport("up", "--data-dir", str(portal.data_dir))
    assert (done.returncode, done.stdout) == (
        0,
        f"Homeport already runs at {portal.base_url} (process {portal.pid}).\n",
    )


def test_a_portal_stops_cleanly_keeps_its_data_and_its_key_and_says_its_password_once(own: PortalProcess) -> None:
    with own:
        first_key = json.loads((own.data_dir / "local.json").read_text())["key"]
        password = own.password
        assert password
        assert own.stop() == 0
        own.password = None
        own.start()
        assert own.password is None
        assert json.loads((own.data_dir / "local.json").read_text())["key"] == first_key
        assert own.ask("services")["total"] == 0
    assert password not in own.log.read_text()


def test_init_sets_everything_up_without_serving(own: PortalProcess) -> None:
    made = json.loads(own.homeport("init", "--data-dir", str(own.data_dir), "--json").stdout)
    assert made["password"]
    assert (own.data_dir / "ca" / "ca.pem").is_file()
    again = own.homeport("init", "--data-dir", str(own.data_dir))
    assert "was set up before" in again.stdout
    with own:
        signed_in = own.homeport(
            "login", own.base_url, "--ca", str(own.ca_path), "--password-stdin", stdin=made["password"]
        )
        assert signed_in.returncode == 0, signed_in.stderr


def test_init_while_the_portal_runs_is_a_conflict(portal: PortalProcess) -> None:
    assert portal.homeport("init", "--data-dir", str(portal.data_dir)).returncode == 5


def test_a_new_password_replaces_the_old_one(own: PortalProcess, stranger: dict[str, str]) -> None:
    with own:
        fresh = own.ask("password")["password"]
        login = ("login", own.base_url, "--ca", str(own.ca_path), "--password-stdin")
        assert homeport(*login, env=stranger, stdin=own.password or "").returncode == 3
        assert homeport(*login, env=stranger, stdin=fresh).returncode == 0


def test_a_password_for_nobody_and_for_no_portal_is_not_found(portal: PortalProcess, tmp_path: Path) -> None:
    assert portal.homeport("password", "nobody").returncode == 4
    assert portal.homeport("password", "--data-dir", str(tmp_path)).returncode == 4


def test_signing_in_from_elsewhere_keeps_a_key_and_signing_out_revokes_it(
    portal: PortalProcess, stranger: dict[str, str]
) -> None:
    assert homeport("services", env=stranger).returncode == 3
    done = homeport(
        "login",
        portal.base_url,
        "--ca",
        str(portal.ca_path),
        env={**stranger, "HOMEPORT_PASSWORD": portal.password or ""},
    )
    assert done.returncode == 0, done.stderr
    credentials = Path(stranger["XDG_CONFIG_HOME"]) / "homeport" / "credentials.json"
    assert portal.password
    assert portal.password not in credentials.read_text()
    assert homeport("services", env=stranger).returncode == 0
    key = json.loads(credentials.read_text())["portals"][portal.base_url]["key"]
    assert homeport("logout", env=stranger).returncode == 0
    revoked = {
        **stranger,
        "HOMEPORT_PORTAL": portal.base_url,
        "HOMEPORT_CA": str(portal.ca_path),
        "HOMEPORT_API_KEY": key,
    }
    assert homeport("services", env=revoked).returncode == 3


def test_an_account_with_a_second_factor_is_asked_for_its_code(tmp_path: Path, stranger: dict[str, str]) -> None:
    with PortalProcess(tmp_path) as own, own.client() as client:
        body = {"username": "admin", "password": own.password}
        client.headers["Authorization"] = f"Bearer {client.post('/api/auth/login', json=body).json()['token']}"
        totp = pyotp.TOTP(client.post("/api/user/2fa/setup").json()["secret"])
        enabled = client.post("/api/user/2fa/verify", json={"code": totp.now()}).json()
        env = {**stranger, "HOMEPORT_PASSWORD": own.password or ""}
        login = ("login", own.base_url, "--ca", str(own.ca_path))
        without = homeport(*login, env=env)
        assert (without.returncode, "--code" in without.stderr) == (3, True)
        assert homeport(*login, "--code", "000000", env=env).returncode != 0
        assert homeport(*login, "--code", enabled["backup_codes"][0], env=env).returncode == 0


def test_an_unknown_authority_is_never_trusted_silently(portal: PortalProcess, stranger: dict[str, str]) -> None:
    shown = fingerprint(portal.ca_path.read_text())
    stranger["HOMEPORT_PASSWORD"] = portal.password or ""
    refused = homeport("login", portal.base_url, env=stranger)
    assert (refused.returncode, shown in refused.stderr) == (7, True)
    wrong = homeport("login", portal.base_url, "--trust", "00" + shown[2:], env=stranger)
    assert wrong.returncode == 7
    assert homeport("login", portal.base_url, "--trust", shown, env=stranger).returncode == 0
    assert homeport("services", env=stranger).returncode == 0


def test_a_wrong_password_is_refused_with_its_own_sentence(portal: PortalProcess, stranger: dict[str, str]) -> None:
    done = homeport(
        "login", portal.base_url, "--ca", str(portal.ca_path), "--password-stdin", env=stranger, stdin="wrong\n"
    )
    assert done.returncode == 3
    assert "password" in done.stderr


def test_a_portal_that_is_not_there_is_unreachable(stranger: dict[str, str]) -> None:
    away = {**stranger, "HOMEPORT_PORTAL": "https://localhost:1", "HOMEPORT_API_KEY": "x"}
    done = homeport("services", env=away)
    assert done.returncode == 7
    assert "homeport up" in done.stderr


def test_config_tells_each_value_and_where_it_came_from(tmp_path: Path, stranger: dict[str, str]) -> None:
    (tmp_path / "homeport.toml").write_text("port = 9443\n")
    env = {
        **stranger,
        "HOMEPORT_DOMAIN": "home.example.org",
        "HOMEPORT_DATABASE_URL": "postgresql://u:hidden@db/homeport",
    }
    done = homeport("config", "--data-dir", str(tmp_path), "--json", env=env)
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert (rows["port"]["value"], rows["port"]["source"]) == (9443, str(tmp_path / "homeport.toml"))
    assert (rows["domain"]["value"], rows["domain"]["source"]) == ("home.example.org", "environment HOMEPORT_DOMAIN")
    assert rows["bind"]["source"] == "default"
    assert rows["data_dir"]["source"] == "command line"
    assert "hidden" not in done.stdout


def test_a_setting_that_does_not_fit_is_named_with_its_source(tmp_path: Path, stranger: dict[str, str]) -> None:
    done = homeport("up", "--data-dir", str(tmp_path), env={**stranger, "HOMEPORT_KEEP_RELEASES": "many"})
    assert done.returncode == 2
    assert "keep_releases (environment HOMEPORT_KEEP_RELEASES)" in done.stderr


def test_the_api_document_needs_no_running_portal(stranger: dict[str, str]) -> None:
    done = homeport("openapi", env=stranger)
    assert "/api/services" in json.loads(done.stdout)["paths"]
