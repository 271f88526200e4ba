"""`homeport agent install`, tried with the real systemd: a user of its own, no capability, tunnels that stay."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from homeport.cli.agent_systemd import AgentUnit
from tests.cli.conftest import ServiceHost

pytestmark = pytest.mark.timeout(300)  # a machine is started for the first of them
STATE = "/var/lib/homeport-agent"
NAME = "homeport-agent"


@pytest.fixture(scope="module")
def made(machine: ServiceHost) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(machine.homeport("agent", "install", "--json"))
    return answer


def show(machine: ServiceHost, name: str) -> str:
    return machine.host.systemctl("show", NAME, f"--property={name}", "--value").strip()


def status(machine: ServiceHost) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(machine.homeport("agent", "status", "--json"))
    return answer


def test_it_runs_as_a_user_of_its_own_that_can_do_nothing_special(machine: ServiceHost, made: dict[str, Any]) -> None:
    assert (made["user"], made["started"], made["changed"]) == (NAME, True, True)
    assert show(machine, "ActiveState") == "active"  # it has said that it is ready
    assert machine.host.systemctl("is-enabled", NAME).strip() == "enabled"
    process = show(machine, "MainPID")
    assert machine.host.run("ps", "-o", "user=", "-p", process).strip() == NAME
    told = machine.host.run("grep", "-E", "CapBnd|CapEff|NoNewPrivs", f"/proc/{process}/status")
    assert {line.split(":\t")[1] for line in told.splitlines()} == {"0" * 16, "1"}
    assert machine.host.run("stat", "-c", "%U %a", STATE, f"{STATE}/token").split("\n")[:2] == [
        f"{NAME} 700",
        f"{NAME} 600",
    ]


@pytest.mark.usefixtures("made")
def test_root_adds_a_tunnel_that_survives_a_restart(machine: ServiceHost) -> None:
    # nobody answers at that relay: that it is kept, and tried, is what counts
    machine.homeport("agent", "add", "3000", "--name", "demo", "--relay", "https://127.0.0.1:1")
    assert [row["name"] for row in status(machine)["tunnels"]] == ["demo"]
    before = show(machine, "MainPID")
    machine.host.systemctl("restart", NAME)
    assert show(machine, "MainPID") != before
    assert [row["name"] for row in status(machine)["tunnels"]] == ["demo"]
    owner = machine.host.run("stat", "-c", "%U %a", f"{STATE}/tunnels.json", f"{STATE}/identities/demo.json")
    assert set(owner.strip().splitlines()) == {f"{NAME} 600"}
    machine.homeport("agent", "remove", "demo")
    assert status(machine)["tunnels"] == []


@pytest.mark.usefixtures("made")
def test_what_root_writes_while_it_is_stopped_is_the_agents(machine: ServiceHost) -> None:
    machine.host.systemctl("stop", NAME)
    machine.homeport("agent", "add", "3000", "--name", "later", "--relay", "https://127.0.0.1:1")
    machine.host.systemctl("start", NAME)
    assert [row["name"] for row in status(machine)["tunnels"]] == ["later"]
    machine.homeport("agent", "remove", "later")


@pytest.mark.usefixtures("made")
def test_the_same_again_changes_nothing(machine: ServiceHost) -> None:
    before = show(machine, "MainPID")
    again = json.loads(machine.homeport("agent", "install", "--json"))
    assert again["changed"] is False
    assert show(machine, "MainPID") == before


@pytest.mark.usefixtures("made")
def test_it_is_started_again_when_it_is_killed(machine: ServiceHost) -> None:
    before = show(machine, "MainPID")
    machine.host.systemctl("kill", "--signal=KILL", NAME)
    deadline = time.monotonic() + 40
    while show(machine, "ActiveState") != "active" or show(machine, "MainPID") in (before, "0"):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert status(machine)["status"] == "running"


def test_print_shows_the_unit_and_writes_nothing(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "homeport", "agent", "install", "--print", "--state-dir", str(tmp_path / "state")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "agent run --state-dir" in done.stdout
    assert f"User={NAME}" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_it_little_exposed_and_understands_every_line(tmp_path: Path) -> None:
    unit = tmp_path / f"{NAME}.service"
    unit.write_text(AgentUnit("root", Path("/var"), ("/bin/echo", "a b", "100%", "$HOME")).text())
    words = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    last = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    assert float(last.split(":")[1].split()[0]) <= 2.5
    checked = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert str(unit) not in checked.stderr, checked.stderr
