"""`homeport compose check` against a real portal."""

from __future__ import annotations

import json
from pathlib import Path

from homeport.testing.portal import PortalProcess

GOOD = "services:\n  web:\n    image: nginx:${TAG}\n    expose: [80]\n"


def test_a_document_that_is_accepted(portal: PortalProcess, tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(GOOD)
    done = portal.homeport("compose", "check", str(file), "--var", "TAG=1.27")
    assert done.returncode == 0, done.stderr
    assert "nginx:1.27" in done.stdout
    assert "Requests go to web" in done.stdout
    assert portal.ask("compose", "check", str(file), "--var", "TAG=1")["routed"] == "web"


def test_a_document_that_is_refused_names_each_line_and_ends_with_6(portal: PortalProcess, tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(GOOD + "    privileged: true\n")
    done = portal.homeport("compose", "check", str(file))
    assert done.returncode == 6
    assert done.stdout.splitlines() == [
        f"{file}:3: services.web.image: It needs the variable TAG, which has no value.",
        f"{file}:5: services.web.privileged: It makes the container root on the machine.",
    ]
    as_json = portal.homeport("compose", "check", str(file), "--json")
    assert as_json.returncode == 6
    assert json.loads(as_json.stdout)["ok"] is False


def test_a_file_that_cannot_be_read_is_told(portal: PortalProcess, tmp_path: Path) -> None:
    done = portal.homeport("compose", "check", str(tmp_path / "nowhere.yaml"))
    assert done.returncode == 2
    assert "nowhere.yaml" in done.stderr
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert portal.homeport("compose", "check", str(tmp_path / "binary")).returncode == 2
