"""Killed with -9 in the middle of each step: the portal starts again, the job goes on, and nothing is left over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from homeport.testing.git_server import GitServer
from homeport.testing.leftovers import leftovers
from homeport.testing.portal import PortalProcess

# Slow enough in each step that the kill hits it: a build that takes a moment, an app that takes a moment to listen, and
# neither listens nor ends while the file `hold` is in its data folder.
SLOW_APP = {
    "package.json": '{"name": "slow", "version": "1.0.0", "scripts": {"build": "sleep 0.7", "start": "node main.js"}}',
    "main.js": """
        const http = require("http"), fs = require("fs");
        const server = http.createServer((_, answer) => answer.end("%s"));
        const held = () => fs.existsSync(process.env.DATA_DIR + "/hold");
        const soon = (act) => setTimeout(() => held() ? soon(act) : act(), held() ? 20 : 700);
        soon(() => server.listen(process.env.PORT, "127.0.0.1"));
        process.on("SIGTERM", () => soon(() => process.exit(0)));
    """,
}


def files(version: str) -> dict[str, str | bytes | None]:
    return {name: content % version if name == "main.js" else content for name, content in SLOW_APP.items()}


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    settings = {"outbound_allow": "127.0.0.0/8", "git_allow_http": "true", "stop_grace": 3, "drain_timeout": 3}
    with PortalProcess(tmp_path_factory.mktemp("crash"), settings) as portal:
        yield portal


def kill_at(portal: PortalProcess, job_id: str, step: str) -> None:
    """SIGKILL as soon as the job is seen in `step` (or, where that is over in no time, beyond it)."""
    with portal.api() as api:
        reached(api, job_id, step)
    portal.kill()


def reached(api: httpx.Client, job_id: str, step: str) -> None:
    """Returns as soon as the step has begun."""
    deadline = time.monotonic() + 20
    while True:
        states = {one["name"]: one["status"] for one in api.get(f"/api/jobs/{job_id}").json()["steps"]}
        if states[step] != "pending":
            return
        assert time.monotonic() < deadline, states
        time.sleep(0.002)


def hold_of(portal: PortalProcess, service_id: str) -> Path:
    """The file that holds an app up."""
    return portal.data_dir / "services" / service_id / "data" / "hold"


def services(portal: PortalProcess) -> list[dict[str, Any]]:
    with portal.api() as api:
        found: list[dict[str, Any]] = api.get("/api/services").json()["services"]
    return found


@pytest.mark.parametrize("step", ["fetch", "plan", "build", "start", "gate", "switch", "retire"])
def test_a_redeploy_goes_on_where_it_was(portal: PortalProcess, git_server: GitServer, step: str) -> None:
    name = f"app-{uuid4().hex[:8]}"
    repository = git_server.repository(name, files("one"))
    with portal.api() as api:
        made = api.post("/api/services", json={"name": name, "deploy_method": "git", "git_url": repository.url})
        assert portal.wait(made.json()["deploy_job_id"])["status"] == "success"
        repository.commit(files("two"), "Second")
        hold = hold_of(portal, made.json()["id"])
        if step not in ("switch", "retire"):
            hold.touch()  # the new one does not listen before the kill
        job_id = api.post(f"/api/services/{name}/redeploy").json()["deploy_job_id"]
    kill_at(portal, job_id, step)
    portal.start()
    if step not in ("switch", "retire"):
        assert portal.fetch(name).text == "one"  # the old one serves on, from the portal's first moment
    hold.unlink(missing_ok=True)
    job = portal.wait(job_id)
    assert job["status"] == "success", job
    assert portal.fetch(name).text == "two"
    assert leftovers(portal.data_dir, services(portal)) == []
    with portal.api() as api:
        assert api.delete(f"/api/services/{name}").status_code == 204
    assert leftovers(portal.data_dir, services(portal)) == []


@pytest.mark.parametrize("step", ["build", "gate"])
def test_an_orderly_stop_in_the_middle_is_no_different(portal: PortalProcess, git_server: GitServer, step: str) -> None:
    name = f"app-{uuid4().hex[:8]}"
    repository = git_server.repository(name, files("one"))
    with portal.api() as api:
        made = api.post("/api/services", json={"name": name, "deploy_method": "git", "git_url": repository.url}).json()
        reached(api, made["deploy_job_id"], step)
    assert portal.stop() == 0
    portal.start()
    assert portal.wait(made["deploy_job_id"])["status"] == "success"
    assert portal.fetch(name).text == "one"
    with portal.api() as api:
        api.delete(f"/api/services/{name}")
    assert leftovers(portal.data_dir, services(portal)) == []


def test_what_ran_is_adopted_and_no_line_of_its_log_is_lost(portal: PortalProcess, git_server: GitServer) -> None:
    name = f"app-{uuid4().hex[:8]}"
    program = (
        "import http.server, os, threading, time\n"
        "def count():\n"
        "    for number in range(100000):\n"
        "        print('line', number, flush=True)\n"
        "        time.sleep(0.01)\n"
        "threading.Thread(target=count, daemon=True).start()\n"
        "http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])),"
        " http.server.SimpleHTTPRequestHandler).serve_forever()\n"
    )
    repository = git_server.repository(name, {"main.py": program})
    with portal.api() as api:
        made = api.post("/api/services", json={"name": name, "deploy_method": "git", "git_url": repository.url})
        portal.wait(made.json()["deploy_job_id"])
    portal.kill()
    time.sleep(1)
    portal.start()
    with portal.api() as api:
        detail = api.get(f"/api/services/{name}").json()
        assert (detail["status"], detail["restarts"]) == ("running", 0)
        assert detail["uptime_seconds"] >= 1
        time.sleep(0.5)
        entries = api.get(f"/api/services/{name}/logs?tail=10000").json()["logs"]
        numbers = [int(one["message"].split()[1]) for one in entries if one["message"].startswith("line ")]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) > 100
        api.delete(f"/api/services/{name}")


def test_a_delete_that_was_cut_off_is_finished_at_the_next_start(
    portal: PortalProcess, git_server: GitServer, tmp_path: Path
) -> None:
    name = f"app-{uuid4().hex[:8]}"
    repository = git_server.repository(name, files("one"))
    with portal.api() as api:
        made = api.post("/api/services", json={"name": name, "deploy_method": "git", "git_url": repository.url})
        portal.wait(made.json()["deploy_job_id"])
        hold_of(portal, made.json()["id"]).touch()  # the app does not end before the kill
        process = portal.curl_in_background("-X", "DELETE", f"/api/services/{name}")
        deadline = time.monotonic() + 10
        while api.get(f"/api/services/{name}").status_code != 404:  # from there on a start has to finish it
            assert time.monotonic() < deadline
            time.sleep(0.01)
    portal.kill()
    process.wait(10)
    portal.start()
    deadline = time.monotonic() + 10
    while (left := leftovers(portal.data_dir, services(portal))) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []
    assert name not in {one["name"] for one in services(portal)}
