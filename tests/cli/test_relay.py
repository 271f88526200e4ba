"""The verbs of the relay's administration against a real portal, with a tunnel of a client of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from homeport.testing.relay_client import RelayClient
from homeport.testing.relay_portal import RelayPortal


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayPortal]:
    with RelayPortal(tmp_path_factory.mktemp("relay")) as portal:
        yield portal


@pytest.fixture(scope="module")
def agent(portal: RelayPortal) -> RelayClient:
    """One tunnel, registered and without sessions."""
    agent = portal.agent("shop")
    agent.register()
    return agent


def test_it_says_how_the_relay_stands(portal: RelayPortal, agent: RelayClient) -> None:
    status = portal.ask("relay")

    assert status["approval_mode"] == "auto"
    assert status["counts"]["tunnels"] == 1
    told = portal.homeport("relay", "status").stdout
    assert status["address"] in told
    assert "1, of which 0 wait" in told


def test_a_tunnel_is_approved_denied_limited_and_banned_by_its_name(portal: RelayPortal, agent: RelayClient) -> None:
    key = portal.ask("relay", "tunnels")["tunnels"][0]["identity_key"]

    def decided() -> dict[str, object]:
        rows = {row["identity_key"]: row for row in portal.ask("relay", "status")["identities"]}
        return dict(rows.get(key, {}))

    assert portal.homeport("relay", "deny", "shop").stdout == f"{key} is denied.\n"
    assert decided()["denied"] is True
    assert "denied" in portal.homeport("relay", "tunnels").stdout
    assert portal.ask("relay", "approve", key) == {"identity_key": key, "approved": True}
    assert (decided()["approved"], decided()["denied"]) == (True, False)
    assert portal.homeport("relay", "approve", "shop", "--undo").stdout == f"{key} is not approved any more.\n"
    assert portal.homeport("relay", "limit", "shop", "1.5M").returncode == 2
    assert portal.homeport("relay", "limit", "shop", "500k").stdout == f"{key} has 500.0 kB a second.\n"
    assert decided()["bps"] == 500_000
    assert portal.ask("relay", "limit", "shop", "none") == {"identity_key": key, "bps": 0}
    assert portal.ask("relay", "ban", "shop")["banned"] is True
    assert portal.ask("relay", "unban", "shop")["banned"] is False
    assert decided() == {}


def test_networks_are_banned(portal: RelayPortal) -> None:
    assert portal.homeport("relay", "ban", "203.0.113.9/24").stdout == "203.0.113.9/24 is banned.\n"
    assert portal.ask("relay")["banned_networks"] == ["203.0.113.0/24"]
    assert portal.homeport("relay", "unban", "203.0.113.0/24").stdout == "203.0.113.0/24 is not banned any more.\n"
    assert portal.ask("relay")["banned_networks"] == []


def test_settings_are_changed_one_by_one(portal: RelayPortal) -> None:
    before = portal.ask("relay", "settings")
    assert portal.homeport("relay", "settings", "--approval", "sometimes").returncode == 6
    after = portal.ask("relay", "settings", "--udp-leases", "3", "--no-tcp", "--approval", "manual")
    assert after["udp"] == {**before["udp"], "max_leases": 3}
    assert after["tcp_port"] == {**before["tcp_port"], "enabled": False}
    assert after["approval_mode"] == "manual"
    portal.ask("relay", "settings", "--udp-leases", "0", "--tcp", "--approval", "auto")
    assert portal.ask("relay", "settings") == before


def test_a_tunnel_that_is_not_there_is_not_found(portal: RelayPortal) -> None:
    refused = portal.homeport("relay", "ban", "nobody")

    assert refused.returncode == 4
    assert "nobody" in refused.stderr
