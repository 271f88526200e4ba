"""Apps that end, loop, fall ill or lose their supervisor: what the portal does, and what it says of it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from homeport.testing.git_server import Repository
from homeport.testing.portal import PortalProcess

MOODY = """
import http.server, os, pathlib, sys
DATA = pathlib.Path(os.environ["DATA_DIR"])
if (DATA / "doomed").exists():
    print("doomed", flush=True)
    sys.exit(3)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/exit":
            os._exit(7)
        if self.path == "/doom":
            (DATA / "doomed").touch()
            os._exit(7)
        if self.path == "/ill":
            (DATA / "ill").touch()
        if self.path == "/cure":
            (DATA / "ill").unlink()
        ill = self.path == "/health" and (DATA / "ill").exists()
        self.send_response(500 if ill else 200)
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module", params=["sqlite"])
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    settings = {"outbound_allow": "127.0.0.0/8", "git_allow_http": "true", "gate_timeout": 15, "stop_grace": 3}
    with PortalProcess(tmp_path_factory.mktemp("keeping"), settings) as portal:
        yield portal


@pytest.fixture
def moody(deploy: Any, repository: Repository) -> None:
    """The app is deployed, and probed every second."""
    repository.commit({"main.py": MOODY})
    probe = {"type": "http", "path": "/health", "interval": 1, "failures": 2}
    assert deploy(probe=probe)["status"] == "success"


def until(true: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)
    return value


def service(client: httpx.Client, name: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/api/services/{name}").json()
    return found


def events(client: httpx.Client, name: str) -> list[tuple[str, str]]:
    return [(one["type"], one["status"]) for one in client.get(f"/api/services/{name}/events").json()["data"]]


@pytest.mark.usefixtures("moody")
def test_an_app_that_ends_is_started_again_and_the_timeline_says_so(
    portal: PortalProcess, client: httpx.Client, name: str
) -> None:
    before = portal.fetch(name).text
    assert portal.fetch(name, "/exit").status_code == 502
    until(lambda: portal.fetch(name).status_code == 200)
    assert portal.fetch(name).text != before
    until(lambda: ("restart", "failed") in events(client, name) and ("restart", "success") in events(client, name))
    assert (service(client, name)["status"], service(client, name)["restarts"]) == ("running", 1)


@pytest.mark.usefixtures("moody")
def test_an_app_that_keeps_ending_is_failed_and_recovers_when_it_can(
    portal: PortalProcess, client: httpx.Client, name: str
) -> None:
    portal.fetch(name, "/doom")
    failed = until(lambda: (found := service(client, name))["status"] == "failed" and found)
    assert "exited with code 3" in failed["error"]
    assert portal.fetch(name).status_code in (502, 503)
    (next((portal.data_dir / "services").glob(f"{failed['id']}/data")) / "doomed").unlink()
    until(lambda: service(client, name)["status"] == "running", seconds=30)
    assert service(client, name)["error"] is None


@pytest.mark.usefixtures("moody")
def test_health_changes_are_told_once_each(portal: PortalProcess, client: httpx.Client, name: str) -> None:
    portal.fetch(name, "/ill")
    sick = until(lambda: (found := service(client, name))["health"]["status"] == "unhealthy" and found)
    assert sick["status"] == "running"  # it runs; it is not well
    assert sick["health"]["consecutive_failures"] >= 2
    assert sick["health"]["message"] == "GET /health answered 500"
    portal.fetch(name, "/cure")
    until(lambda: service(client, name)["health"]["status"] == "healthy")
    until(lambda: [one for one in events(client, name) if one[0] == "health"][-1] == ("health", "healthy"))
    told = [status for kind, status in events(client, name) if kind == "health"]
    assert told == ["healthy", "unhealthy", "healthy"]


@pytest.mark.usefixtures("moody")
def test_an_app_whose_supervisor_was_killed_is_started_anew(
    portal: PortalProcess, client: httpx.Client, name: str
) -> None:
    service_id = service(client, name)["id"]
    states = [json.loads(one.read_text()) for one in portal.data_dir.glob("instances/*/state.json")]
    supervisor = next(state["supervisor"] for state in states if state["service_id"] == service_id)
    before = portal.fetch(name).text
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: (answer := portal.fetch(name)).status_code == 200 and answer.text != before)
    assert service(client, name)["status"] == "running"
    assert ("start", "success") in events(client, name)


@pytest.mark.usefixtures("moody")
def test_stopped_stays_stopped_over_a_restart_of_the_portal(
    portal: PortalProcess, client: httpx.Client, name: str
) -> None:
    client.post(f"/api/services/{name}/stop")
    portal.kill()
    portal.start()
    with portal.api() as again:
        assert service(again, name)["status"] == "stopped"
        assert portal.fetch(name).status_code == 503
        assert again.post(f"/api/services/{name}/start").json()["status"] == "running"


@pytest.mark.usefixtures("moody")
def test_after_a_reboot_everything_that_should_run_is_started(
    portal: PortalProcess, client: httpx.Client, name: str
) -> None:
    service_id = service(client, name)["id"]
    before = portal.fetch(name).text
    portal.kill()
    for state in portal.data_dir.glob("instances/*/state.json"):
        told = json.loads(state.read_text())
        if told["service_id"] == service_id:
            os.kill(told["supervisor"], signal.SIGKILL)
    portal.start()
    until(lambda: (answer := portal.fetch(name)).status_code == 200 and answer.text != before)
    with portal.api() as again:
        assert service(again, name)["status"] == "running"


@pytest.mark.usefixtures("moody")
def test_resources_are_measured(portal: PortalProcess, client: httpx.Client, name: str) -> None:
    found = until(lambda: (row := service(client, name))["resources"]["memory_usage_mb"] > 0 and row)
    assert found["resources"]["storage_mb"] >= 1
    samples = client.get(f"/api/services/{name}/metrics?minutes=5").json()
    assert samples["data"][-1]["memory_usage_mb"] > 0
    assert samples["memory_limit_mb"] == 512
