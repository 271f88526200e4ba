"""The container image: built from the Dockerfile on a real engine that reaches no registry, and started."""

from __future__ import annotations

import io
import json
import ssl
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from homeport.testing.docker import DockerEngine, pieces
from homeport.testing.portal import PATIENCE
from homeport.testing.python_image import python_archive
from homeport.testing.wheels import wheels_of

pytestmark = pytest.mark.timeout(900)  # building takes minutes on a busy machine
ROOT = Path(__file__).parents[2]
BASE = "homeport-test/python:local"
ARGUMENTS = {
    "PYTHON_IMAGE": BASE,
    "NODE_IMAGE": BASE,
    "UI": "given",
    "SYSTEM_PACKAGES": "",
    "PIP_ARGS": "--no-index --find-links /wheels",
}
PAGE = b"<!doctype html><title>Homeport</title>"


def context(wheels: Path) -> bytes:
    """What .dockerignore lets through, with wheels, and pages that were built elsewhere."""
    buffer = io.BytesIO()

    def product(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if "__pycache__" in entry.name else entry

    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in ("Dockerfile", "pyproject.toml", "requirements.lock", "README.md", "LICENSE", "homeport"):
            tar.add(ROOT / name, name, filter=product)
        tar.add(wheels, "wheels")
        page = tarfile.TarInfo("ui/dist/index.html")
        page.size = len(PAGE)
        tar.addfile(page, io.BytesIO(PAGE))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def image(docker_engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> str:
    wheels = tmp_path_factory.mktemp("wheels")
    wheels_of(ROOT / "requirements.lock", wheels, "setuptools")
    docker_engine.load(python_archive(BASE))
    answer = docker_engine.api.post(
        "/build",
        params={"t": "homeport:test", "buildargs": json.dumps(ARGUMENTS), "networkmode": "none", "forcerm": "true"},
        content=pieces(context(wheels)),
        headers={"Content-Type": "application/x-tar"},
        timeout=400,
    )
    assert '"errorDetail"' not in answer.text, answer.text[-3000:]
    return "homeport:test"


class Running:
    """A container of the image, with a volume for /data."""

    def __init__(self, engine: DockerEngine, image: str) -> None:
        self.engine = engine
        body = {
            "Image": image,
            "Healthcheck": {"Interval": 2_000_000_000},  # ns; the image's own check, but not 15 s apart
            "HostConfig": {
                "Binds": ["homeport-test:/data"], "PortBindings": {"8443/tcp": [{"HostIp": "127.0.0.1"}]},
            },
        }  # fmt: skip
        self.id = str(engine.post("/containers/create", body)["Id"])
        engine.post(f"/containers/{self.id}/start")

    def state(self) -> Any:
        return self.engine.get(f"/containers/{self.id}/json")

    def until(self, wanted: str, seconds: float = 90) -> None:
        """Until the health check says so."""
        deadline = time.monotonic() + seconds
        while (state := self.state()["State"])["Health"]["Status"] != wanted:
            assert state["Running"], self.log()
            assert time.monotonic() < deadline, f"{state['Health']}\n{self.log()}"
            time.sleep(0.5)

    def log(self) -> str:
        answer = self.engine.api.get(f"/containers/{self.id}/logs", params={"stdout": "1", "stderr": "1"})
        return answer.content.decode(errors="replace")

    def read(self, path: str) -> bytes:
        archive = self.engine.api.get(f"/containers/{self.id}/archive", params={"path": path}).content
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            file = tar.extractfile(tar.next())  # type: ignore[arg-type]
            assert file is not None
            return file.read()

    def run(self, *argv: str) -> str:
        body = {"Cmd": list(argv), "AttachStdout": True, "AttachStderr": True, "Tty": True}
        made = self.engine.post(f"/containers/{self.id}/exec", body)
        answer = self.engine.api.post(f"/exec/{made['Id']}/start", json={"Detach": False, "Tty": True})
        return answer.content.decode(errors="replace").strip()

    def get(self, path: str) -> httpx.Response:
        """From outside, by the published port, verified by the portal's own authority."""
        port = self.state()["NetworkSettings"]["Ports"]["8443/tcp"][0]["HostPort"]
        trust = ssl.create_default_context(cadata=self.read("/data/ca/ca.pem").decode())
        with httpx.Client(verify=trust, trust_env=False, timeout=PATIENCE) as client:
            extensions = {"sni_hostname": "localhost"}
            return client.get(
                f"https://127.0.0.1:{port}{path}", headers={"Host": "localhost:8443"}, extensions=extensions
            )


@pytest.fixture(scope="module")
def running(docker_engine: DockerEngine, image: str) -> Iterator[Running]:
    container = Running(docker_engine, image)
    container.until("healthy")
    yield container
    docker_engine.api.delete(f"/containers/{container.id}", params={"force": "true", "v": "true"})
    docker_engine.api.delete("/volumes/homeport-test")


def test_the_portal_and_its_pages_answer_by_the_published_port(running: Running) -> None:
    assert running.get("/api/health").json()["status"] == "ok"
    assert running.get("/").content == PAGE


def test_it_runs_as_a_user_that_is_not_root_and_keeps_everything_in_data(running: Running) -> None:
    assert running.state()["Config"]["User"] == "10001:10001"
    assert running.run("id", "-u") == "10001"
    assert "homeport.db" in running.run("ls", "/data")
    assert list(running.state()["Config"]["Volumes"]) == ["/data"]


def test_what_it_keeps_outlives_a_restart(running: Running, docker_engine: DockerEngine) -> None:
    before = running.read("/data/portal-id")
    docker_engine.post(f"/containers/{running.id}/restart")
    running.until("healthy")
    assert running.read("/data/portal-id") == before
    assert running.get("/api/onboarding/status").json()["status"] == "COMPLETE"


def test_the_command_works_inside(running: Running) -> None:
    assert json.loads(running.run("homeport", "keys", "list", "--json"))["keys"][0]["current"]


def test_a_stop_is_orderly(running: Running, docker_engine: DockerEngine) -> None:
    docker_engine.post(f"/containers/{running.id}/stop", t="20")
    assert running.state()["State"]["ExitCode"] == 0
    docker_engine.post(f"/containers/{running.id}/start")
    running.until("healthy")


def test_no_layer_holds_what_only_building_needs(docker_engine: DockerEngine, image: str, running: Running) -> None:
    assert "wheels" not in running.run("ls", "/")
    assert docker_engine.get(f"/images/{image}/json")["Config"]["Healthcheck"]["Test"] == ["CMD", "homeport", "answers"]
