"""`homeport analyse`: a folder, looked at without any portal."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from homeport.cli.app import app


def source(folder: Path) -> Path:
    (folder / "requirements.txt").write_text("flask\nredis\n")
    (folder / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    return folder


def test_json_is_the_body_of_a_preview(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["analyse", str(source(tmp_path)), "--json"])
    assert ran.exit_code == 0, ran.output
    body = json.loads(ran.stdout)
    assert (body["language"], body["dependencies"]) == ("python", ["redis"])
    assert not (tmp_path / "Dockerfile").exists()


def test_each_finding_is_shown_with_its_reason(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["analyse", str(source(tmp_path))])
    assert "needs redis" in ran.stdout
    assert "requirements.txt:2" in ran.stdout


def test_written_files_never_replace_what_is_there(tmp_path: Path) -> None:
    folder = source(tmp_path)
    (folder / "compose.yml").write_text("services: {web: {image: x, privileged: true}}\n")
    assert CliRunner().invoke(app, ["analyse", str(folder), "--write"]).exit_code == 0
    assert (folder / "Dockerfile").read_text().startswith("# Written by Homeport")
    assert "dockerfile: Dockerfile\n" in (folder / "compose.yaml").read_text()
    (folder / "Dockerfile").write_text("FROM mine\n")
    assert CliRunner().invoke(app, ["analyse", str(folder), "--write"]).exit_code == 0
    assert (folder / "Dockerfile").read_text() == "FROM mine\n"
