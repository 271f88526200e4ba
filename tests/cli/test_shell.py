"""The walk through the shell: deploy, look, follow, go back, remove; against a real portal."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from homeport.testing.portal import PortalProcess

HELLO = Path(__file__).parent.parent.parent / "examples" / "hello"
SITE = {"index.html": "<h1>one</h1>"}


def site(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "index.html").write_text(text)
    return folder


def test_the_example_is_live_at_its_own_address_after_one_command(portal: PortalProcess) -> None:
    done = portal.homeport("deploy", str(HELLO))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"https://hello.localhost:{portal.port}\n"
    for step in ("fetch", "detect", "plan", "build", "start", "gate", "switch"):
        assert f"✓ {step}" in done.stderr
    assert portal.fetch("hello").text == "Hello from Homeport! (version 1)\n"


def test_the_walk_from_deploy_to_removal(portal: PortalProcess, tmp_path: Path) -> None:
    source = tmp_path / "walk"
    shutil.copytree(HELLO, source)
    assert portal.ask("deploy", str(source), "--var", "GREETING=Good morning")["service"]["status"] == "running"
    assert portal.fetch("walk").text == "Good morning (version 1)\n"

    (source / "app.py").write_text((source / "app.py").read_text().replace('VERSION = "1"', 'VERSION = "2"'))
    again = portal.ask("deploy", str(source))
    assert again["job"]["type"] == "redeploy"
    assert portal.fetch("walk").text == "Good morning (version 2)\n"

    assert [row["number"] for row in portal.ask("releases", "walk")["data"]] == [2, 1]
    assert portal.ask("rollback", "walk")["job"]["type"] == "rollback"
    assert portal.fetch("walk").text == "Good morning (version 1)\n"

    assert portal.ask("stop", "walk")["status"] == "stopped"
    assert portal.fetch("walk").status_code == 503
    assert portal.ask("start", "walk")["status"] == "running"
    assert portal.ask("restart", "walk")["status"] == "running"
    assert portal.fetch("walk").status_code == 200
    assert portal.ask("redeploy", "walk")["job"]["status"] == "success"

    assert {"deploy", "rollback", "stop", "start", "restart"} <= {
        row["type"] for row in portal.ask("events", "walk")["data"]
    }
    assert {row["service_name"] for row in portal.ask("jobs", "--service", "walk")["data"]} == {"walk"}

    refused = portal.homeport("rm", "walk")
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    assert portal.ask("rm", "walk", "--yes")["removed"] is True
    assert portal.fetch("walk").status_code == 404
    assert portal.homeport("services", "walk").returncode == 4


def test_what_gitignore_names_stays_at_home(portal: PortalProcess, tmp_path: Path) -> None:
    source = site(tmp_path / "quiet", "seen")
    (source / ".gitignore").write_text("secret.txt\n")
    (source / "secret.txt").write_text("hidden")
    assert portal.homeport("deploy", ".", cwd=source).returncode == 0
    assert portal.fetch("quiet", "/index.html").text == "seen"
    assert portal.fetch("quiet", "/secret.txt").status_code == 404


def test_a_deploy_that_fails_says_why_and_leaves_the_old_release_serving(portal: PortalProcess, tmp_path: Path) -> None:
    source = tmp_path / "fragile"
    shutil.copytree(HELLO, source)
    portal.ask("deploy", str(source))
    (source / "app.py").write_text("print('no luck today', flush=True)\nraise SystemExit(3)\n")
    failed = portal.homeport("deploy", str(source))
    assert failed.returncode == 1
    assert "The redeploy of fragile failed at step gate" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert portal.fetch("fragile").text == "Hello from Homeport! (version 1)\n"


def test_a_template_is_deployed_under_its_own_or_a_given_name(portal: PortalProcess) -> None:
    template = portal.ask("templates")["data"][0]["id"]
    made = portal.ask("deploy", "--template", template, "--name", "from-template")
    assert made["service"]["template"] == template
    assert portal.fetch("from-template").status_code == 200


def test_an_app_is_not_replaced_by_another_one_of_the_same_name(portal: PortalProcess, tmp_path: Path) -> None:
    portal.ask("deploy", str(site(tmp_path / "mine", "mine")))
    done = portal.homeport("deploy", "--template", portal.ask("templates")["data"][0]["id"], "--name", "mine")
    assert done.returncode == 5
    assert "choose another name" in done.stderr


def test_followed_logs_show_the_past_and_then_what_comes(portal: PortalProcess, tmp_path: Path) -> None:
    source = tmp_path / "talker"
    shutil.copytree(HELLO, source)
    portal.ask("deploy", str(source))
    with subprocess.Popen(
        [sys.executable, "-m", "homeport", "logs", "talker", "-f"],
        stdout=subprocess.PIPE,
        env=portal.environment,
        text=True,
    ) as follower:
        watchdog = threading.Timer(30, follower.kill)
        watchdog.start()
        assert follower.stdout is not None
        while "hello listens on port" not in follower.stdout.readline():
            assert follower.poll() is None
        assert portal.fetch("talker", "/just-now").status_code == 200
        while (line := follower.stdout.readline()) != "GET /just-now\n":
            assert line, "the follower ended before the line came"
        watchdog.cancel()
        follower.kill()


def test_logs_as_json_are_one_entry_a_line(portal: PortalProcess, tmp_path: Path) -> None:
    source = tmp_path / "entries"
    shutil.copytree(HELLO, source)
    portal.ask("deploy", str(source))
    portal.fetch("entries", "/a")
    lines = portal.homeport("logs", "entries", "--tail", "5", "--json").stdout.splitlines()
    assert {"timestamp", "stream", "message", "container"} <= json.loads(lines[0]).keys()
    assert portal.homeport("logs", "entries", "--since", "2099-01-01T00:00:00Z").stdout == ""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("services", "nobody"), 4),
        (("logs", "nobody"), 4),
        (("logs", "nobody", "-f"), 4),
        (("rm", "nobody", "--yes"), 4),
        (("jobs", "job_nobody"), 4),
        (("templates", "nobody"), 4),
        (("deploy", "/no/such/folder"), 2),
        (("deploy",), 2),
        (("frobnicate",), 2),
        (("logs", "x", "--tail", "0"), 2),
        (("deploy", "https://127.0.0.1/team/shop.git", "--name", "Not A Name"), 6),
        (("services", "--status", "flying"), 6),
        (("services", "--portal", "https://localhost:1"), 3),
    ],
)
def test_every_misfortune_has_its_exit_code_and_no_traceback(
    portal: PortalProcess, words: tuple[str, ...], code: int
) -> None:
    done = portal.homeport(*words)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_with_json_a_problem_is_one_json_line_on_stderr(portal: PortalProcess) -> None:
    done = portal.homeport("services", "nobody", "--json")
    body = json.loads(done.stderr)
    assert (body["code"], body["status"]) == ("service_not_found", 404)
    assert body["error"] == body["message"]


def test_lists_are_readable_as_tables_and_as_json(portal: PortalProcess, tmp_path: Path) -> None:
    portal.ask("deploy", str(site(tmp_path / "listed", "x")))
    table = portal.homeport("services").stdout
    assert table.splitlines()[0].split() == ["NAME", "STATUS", "UP", "RELEASE", "MEMORY", "URL"]
    assert f"https://listed.localhost:{portal.port}" in table
    assert "listed" in [row["name"] for row in portal.ask("services", "--search", "list")["data"]]
    for verb in ("jobs", "events", "templates"):
        assert portal.homeport(verb).returncode == 0


def test_no_wait_comes_back_with_the_job_which_can_be_followed(portal: PortalProcess, tmp_path: Path) -> None:
    job = portal.ask("deploy", str(site(tmp_path / "later", "x")), "--no-wait")["job"]
    assert job["status"] in {"queued", "running", "success"}
    assert portal.ask("jobs", job["id"], "--follow")["status"] == "success"


def test_variables_are_changed_by_the_next_deploy_and_secrets_come_from_a_file(
    portal: PortalProcess, tmp_path: Path
) -> None:
    source = tmp_path / "polite"
    shutil.copytree(HELLO, source)
    (tmp_path / "polite.env").write_text('GREETING="Good evening"\n')
    portal.ask("deploy", str(source))
    portal.ask("deploy", str(source), "--var-file", str(tmp_path / "polite.env"))
    assert portal.fetch("polite").text == "Good evening (version 1)\n"


def test_the_shell_answers_at_once_and_loads_no_server() -> None:
    listed = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import homeport.cli.app, homeport.cli.client"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    loaded = {line.rsplit("|", 1)[1].strip() for line in listed.splitlines()}
    assert not loaded & {"fastapi", "sqlalchemy", "uvicorn", "pydantic", "homeport.portal", "homeport.web"}
