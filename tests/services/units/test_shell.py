"""Units by the shell's verbs."""

from __future__ import annotations

from homeport.testing.portal import PortalProcess
from homeport.testing.systemd import SystemdHost
from tests.services.units.conftest import NAMES, say


def test_units_are_listed_in_their_order(portal: PortalProcess) -> None:  # H01
    assert [row["name"] for row in portal.ask("units")["data"]] == list(NAMES)
    shown = portal.homeport("units").stdout
    assert "activating" not in shown.partition("web")[0]
    assert "start-pre" in shown


def test_one_unit_is_shown(portal: PortalProcess) -> None:  # H01
    shown = portal.homeport("services", "broken").stdout
    assert "failed" in shown
    assert portal.ask("services", "broken")["exit_code"] == 3


def test_a_unit_is_acted_on_like_an_app(portal: PortalProcess) -> None:  # H02
    assert portal.ask("restart", "web")["status"] == "active"
    assert portal.homeport("reload", "web").stdout == "web: reload: active\n"
    refused = portal.homeport("stop", "homeport")
    assert refused.returncode == 6
    assert "would terminate this session" in refused.stderr
    failed = portal.homeport("reload", "talker")
    assert failed.returncode == 1
    assert failed.stderr.startswith("homeport: Failed to reload talker: ")


def test_a_units_journal_is_printed(portal: PortalProcess, host: SystemdHost) -> None:  # H03
    say(host, "printed by the shell")
    done = portal.homeport("logs", "talker", "--tail", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(": printed by the shell\n")
