"""A real portal on each database, and real git repositories to deploy from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

import httpx
import pytest

from homeport.testing.git_server import GitServer, Repository
from homeport.testing.portal import PortalProcess
from homeport.testing.postgres import PostgresServer

APP = """
import http.server, json, os, pathlib, signal, sys, threading

VERSION = {version!r}
HITS = pathlib.Path(os.environ["DATA_DIR"], "hits")

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/hit":
            HITS.write_text(str(int(HITS.read_text() or 0) + 1 if HITS.exists() else 1))
        hits = int(HITS.read_text()) if HITS.exists() else 0
        names = ("GREETING", "HOMEPORT_RELEASE", "HOMEPORT_SERVICE")
        shown = {{name: os.environ.get(name) for name in names}}
        body = json.dumps({{"version": VERSION, "hits": hits, **shown}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        print("GET", self.path, flush=True)  # before anybody can ask for the next one
        self.wfile.write(body)
    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("version", VERSION, "is ready", flush=True)
server.serve_forever()
"""


def app_files(version: str) -> dict[str, str | bytes | None]:
    """A small app that says its version, counts in DATA_DIR, and ends at SIGTERM."""
    return {"main.py": APP.format(version=version)}


@pytest.fixture(scope="session")
def git_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with GitServer(tmp_path_factory.mktemp("git")) as server:
        yield server


@pytest.fixture
def repository(git_server: GitServer) -> Repository:
    """A repository of this test's own, whose main branch holds version one of the app."""
    return git_server.repository(f"r{uuid4().hex[:8]}", app_files("one"))


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def portal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    """Serves for the whole module, with what tests of git on loopback need."""
    settings = SETTINGS.copy()
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        settings["database_url"] = server.create_database(f"p{uuid4().hex[:12]}")
    with PortalProcess(tmp_path_factory.mktemp("portal"), settings) as portal:
        yield portal


SETTINGS: dict[str, object] = {
    "outbound_allow": "127.0.0.0/8",
    "git_allow_http": "true",
    "gate_timeout": 15,
    "stop_grace": 3,
    "drain_timeout": 5,
}


@pytest.fixture
def client(portal: PortalProcess) -> Iterator[httpx.Client]:
    with portal.api() as client:
        yield client


@pytest.fixture
def customer(client: httpx.Client) -> str:
    """A customer without limits, the same for all tests of one portal."""
    found = client.get("/api/customers", params={"search": "Acme"}).json()["data"]
    if not found:
        body = {"name": "Acme", "email": "it@acme.example", "plan_id": "Enterprise"}
        found = [client.post("/api/customers", json=body).json()]
    return str(found[0]["id"])


@pytest.fixture
def name() -> str:
    return f"app-{uuid4().hex[:8]}"


Deploy = Callable[..., Mapping[str, Any]]


@pytest.fixture
def deploy(
    portal: PortalProcess, client: httpx.Client, name: str, customer: str, repository: Repository
) -> Iterator[Deploy]:
    """Create the service called `name` from the repository, wait for its job, and delete the service afterwards."""

    def create(**fields: object) -> Mapping[str, Any]:
        body = {"name": name, "customer_id": customer, "deploy_method": "git", "git_url": repository.url}
        created = client.post("/api/services", json={**body, "git_branch": "main", **fields})
        assert created.status_code == 201, created.text
        job = portal.wait(created.json()["deploy_job_id"])
        if job["status"] != "success":
            logging.getLogger(__name__).warning("the deploy ended: %s", job)  # for who reads what failed after it
        return job

    yield create
    client.delete(f"/api/services/{name}")
