"""The verbs users, invites and sessions against a real portal."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from homeport.testing.portal import PortalProcess


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    """One of its own: other tests count people too."""
    with PortalProcess(tmp_path_factory.mktemp("portal")) as portal:
        yield portal


def signs_in(portal: PortalProcess, username: str, password: str) -> httpx.Response:
    with portal.client() as client:
        return client.post("/api/token", json={"username": username, "password": password})


def test_a_person_is_added_promoted_banned_reset_and_removed(portal: PortalProcess) -> None:
    made = portal.ask("users", "add", "ann", "--email", "ann@example.org", "--role", "moderator")
    assert (made["username"], made["role"]) == ("ann", "moderator")
    assert signs_in(portal, "ann", made["password"]).status_code == 200
    assert portal.ask("users", "role", "ann@example.org", "user", "--scopes", "services:*")["scopes"] == "services:*"
    assert portal.ask("users", "ban", str(made["id"]), "--reason", "spam")["ban_reason"] == "spam"
    assert signs_in(portal, "ann", made["password"]).json()["code"] == "account_banned"
    assert portal.ask("users", "unban", made["user_id"])["banned_at"] is None
    told = portal.homeport("users", "reset-password", "ann").stdout
    fresh = told.rpartition(": ")[2].strip()
    assert signs_in(portal, "ann", fresh).status_code == 200
    table = portal.homeport("users").stdout
    assert table.splitlines()[0].split()[:3] == ["ID", "NAME", "ROLE"]
    assert fresh not in table
    assert portal.homeport("users", "rm", "ann").stdout == "ann was removed.\n"
    assert [row["username"] for row in portal.ask("users", "list")["users"]] == ["admin"]
    assert portal.homeport("users", "ban", "ann").returncode == 4


def test_nobody_bans_the_last_superadmin(portal: PortalProcess) -> None:
    refused = portal.homeport("users", "ban", "admin")
    assert refused.returncode == 5
    assert "last superadmin" in refused.stderr


def test_an_invite_is_made_and_revoked(portal: PortalProcess) -> None:
    assert "homeport invites add" in portal.homeport("invites").stderr
    made = portal.ask("invites", "add", "--type", "timed", "--days", "2", "--label", "the club")
    assert (made["type"], made["active"], made["label"]) == ("timed", True, "the club")
    assert "until it is used" in portal.homeport("invites", "add").stdout
    assert made["code"] in portal.homeport("invites").stdout
    assert portal.ask("invites", "revoke", made["code"].lower())["revoked"] is True
    rows = {row["code"]: row["active"] for row in portal.ask("invites")["codes"]}
    assert rows.pop(made["code"]) is False
    assert list(rows.values()) == [True]
    assert portal.homeport("invites", "revoke", "PORTAL-0").returncode == 4


def test_sessions_are_listed_and_ended(portal: PortalProcess) -> None:
    assert portal.password is not None
    first = signs_in(portal, "admin", portal.password).json()["token_id"]
    signs_in(portal, "admin", portal.password)
    assert first in [row["id"] for row in portal.ask("sessions")["sessions"]]
    assert portal.homeport("sessions", "end", first).stdout == "1 ended.\n"
    assert portal.homeport("sessions", "end", first).returncode == 4
    assert portal.homeport("sessions", "end").returncode == 2
    assert portal.ask("sessions", "end", "--all")["ended"] >= 1
    assert portal.ask("sessions")["sessions"] == []
