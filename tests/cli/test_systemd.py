"""`homeport init --systemd`, tried with the real systemd: a user of its own, a unit that serves, and apps that stay."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from homeport.services.units.own_unit import OwnUnit
from tests.cli.conftest import DATA, ServiceHost

pytestmark = pytest.mark.timeout(300)  # a machine is started for the first of them
APP = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        status = open("/proc/self/status").read()
        told = [line for line in status.splitlines() if line.startswith(("CapAmb", "CapEff", "NoNewPrivs", "Pid"))]
        self.wfile.write("\\n".join(told).encode())
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def made(machine: ServiceHost) -> dict[str, Any]:
    """What the first call said; port 443, so that a port below 1024 is tried."""
    answer: dict[str, Any] = json.loads(machine.homeport("init", "--systemd", "--port", "443", "--json"))
    return answer


def test_the_unit_runs_as_a_user_of_its_own_and_answers_on_a_low_port(
    machine: ServiceHost, made: dict[str, Any]
) -> None:
    assert (made["user"], made["started"], made["changed"]) == ("homeport", True, True)
    assert made["password"]
    assert machine.show("ActiveState") == "active"  # it has said that it is ready
    assert json.loads(machine.curl("localhost", "/api/health"))["status"] == "ok"
    assert machine.host.run("stat", "-c", "%U %a", DATA).strip() == "homeport 700"
    assert machine.host.run("ps", "-o", "user=", "-p", machine.show("MainPID")).strip() == "homeport"
    assert made["password"] not in machine.host.run("journalctl", "-u", "homeport", "--no-pager")


def test_it_is_started_with_the_machine(machine: ServiceHost, made: dict[str, Any]) -> None:
    assert machine.host.systemctl("is-enabled", "homeport").strip() == "enabled"
    assert made["unit"] == "/etc/systemd/system/homeport.service"


@pytest.mark.usefixtures("made")
def test_the_same_again_changes_nothing(machine: ServiceHost) -> None:
    before = machine.show("MainPID")
    again = json.loads(machine.homeport("init", "--systemd", "--port", "443", "--json"))
    assert (again["changed"], again["password"]) == (False, None)
    assert machine.show("MainPID") == before


@pytest.mark.usefixtures("made")
def test_an_app_runs_in_it_without_its_capabilities_and_outlives_a_restart(machine: ServiceHost) -> None:
    app = machine.host.root / "opt/app"
    app.mkdir()
    (app / "main.py").write_text(APP)
    machine.homeport("deploy", "/opt/app", "--name", "app", user="homeport")
    told = dict(line.split(":\t") for line in machine.curl("app.localhost").splitlines())
    assert (int(told["CapAmb"], 16), int(told["CapEff"], 16), told["NoNewPrivs"]) == (0, 0, "1")
    portal = machine.show("MainPID")
    machine.host.systemctl("restart", "homeport")
    assert machine.show("MainPID") != portal
    assert json.loads(machine.curl("localhost", "/api/health"))["status"] == "ok"
    deadline = time.monotonic() + 20
    while "Pid" not in (answer := machine.curl("app.localhost")):
        assert time.monotonic() < deadline, answer
        time.sleep(0.2)
    assert dict(line.split(":\t") for line in answer.splitlines())["Pid"] == told["Pid"]
    assert json.loads(machine.homeport("services", "--json", user="homeport"))["total"] == 1


@pytest.mark.usefixtures("made")
def test_with_units_to_control_it_gets_a_rule_and_controls_them(machine: ServiceHost) -> None:
    machine.host.unit("web", "ExecStart=sleep 1000")
    settings = machine.host.root / "var/lib/homeport/homeport.toml"
    settings.write_text('units = ["web", "homeport"]\n')
    machine.host.run("chown", "homeport:", f"{DATA}/homeport.toml")
    answer = json.loads(machine.homeport("init", "--systemd", "--port", "443", "--json"))
    assert (answer["changed"], answer["rule"]) == (True, "/etc/sudoers.d/homeport-units")
    machine.homeport("start", "web", user="homeport")
    assert machine.host.systemctl("is-active", "web").strip() == "active"
    refused = machine.host.run(
        "runuser", "-u", "homeport", "--", "sudo", "-n", "systemctl", "stop", "homeport", check=False
    )
    assert refused == ""
    assert machine.show("ActiveState") == "active"
    settings.write_text("")
    machine.homeport("init", "--systemd", "--port", "443")
    assert not (machine.host.root / "etc/sudoers.d/homeport-units").exists()


def test_print_shows_the_unit_and_writes_nothing(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "homeport", "init", "--systemd", "--print", "--data-dir", str(tmp_path / "data")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "ExecStart=" in done.stdout
    assert "User=homeport" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_where_a_service_would_not_see_it_nothing_is_made(machine: ServiceHost) -> None:
    said = machine.homeport("init", "--systemd", "--data-dir", "/root/data", check=False)
    assert said == ""
    assert not (machine.host.root / "root/data").exists()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize(("controls", "most"), [(False, 2.5), (True, 7.0)])
def test_systemd_finds_it_little_exposed(tmp_path: Path, controls: bool, most: float) -> None:
    unit = tmp_path / "homeport.service"
    unit.write_text(OwnUnit("homeport", Path(DATA), ("/bin/true",), controls=controls).text())
    words = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    last = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    assert float(last.split(":")[1].split()[0]) <= most


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    unit = tmp_path / "homeport.service"
    command = ("/bin/echo", "a b", 'quo"te', "100%", "$HOME")
    unit.write_text(OwnUnit("root", Path("/var"), command).text())
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert str(unit) not in done.stderr, done.stderr
