"""Stacks on a real Docker Engine, through a real portal: three services, one of them PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from homeport.testing.docker import DockerEngine, docker_is_installed
from homeport.testing.git_server import GitServer
from homeport.testing.portal import PortalProcess
from homeport.testing.three_services import COMPOSE, IMAGE, three_services_archive

SETTINGS: dict[str, object] = {"gate_timeout": 30, "stop_grace": 3, "drain_timeout": 5, "outbound_allow": "127.0.0.0/8"}
SETTINGS["git_allow_http"] = "true"
VARIABLES = {"DB_PASSWORD": "not-so-secret-7", "GREETING": "one"}


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    if not docker_is_installed():
        pytest.skip("an engine of its own needs root and the Debian packages docker.io and iptables")
    with DockerEngine() as engine:
        engine.api.post("/images/load", content=three_services_archive()).raise_for_status()
        yield engine


@pytest.fixture(scope="module")
def portal(engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    folder = tmp_path_factory.mktemp("portal")
    with PortalProcess(folder, {**SETTINGS, "docker_host": engine.url}) as portal:
        yield portal


def deploy(portal: PortalProcess, name: str, **body: Any) -> dict[str, Any]:
    """Create a compose service and wait until it is live."""
    given = {"name": name, "deploy_method": "compose", "compose": COMPOSE, "variables": VARIABLES, **body}
    with portal.api() as api:
        answer = api.post("/api/services", json=given)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
    ended = portal.wait(made["deploy_job_id"], seconds=90)
    assert ended["status"] == "success", ended
    return made


def containers(engine: DockerEngine, service_id: str) -> dict[str, str]:
    """Part -> container id, of what exists for one service."""
    found = engine.get("/containers/json", all="true", filters=f'{{"label":["homeport.service={service_id}"]}}')
    return {one["Labels"]["homeport.part"]: one["Id"] for one in found}


def volumes(engine: DockerEngine, service_id: str) -> list[str]:
    found = engine.get("/volumes", filters=f'{{"label":["homeport.service={service_id}"]}}')["Volumes"]
    return [one["Name"] for one in found or []]


def visit(portal: PortalProcess, name: str) -> str:
    return portal.fetch(name, "/cgi-bin/visit").text.strip()


def change(portal: PortalProcess, name: str, action: str, **variables: str) -> dict[str, Any]:
    with portal.api() as api:
        if variables:
            api.patch(f"/api/services/{name}", json={"variables": variables}).raise_for_status()
        answer = api.post(f"/api/services/{name}/{action}")
        assert answer.status_code == 200, answer.text
    return dict(portal.wait(answer.json()["deploy_job_id"], seconds=90))


def test_a_compose_stack_with_a_database_keeps_its_data_over_redeploy_and_rollback(
    portal: PortalProcess, engine: DockerEngine
) -> None:  # A05, A10, A02
    made = deploy(portal, "shop")
    assert made["status"] == "deploying"
    assert visit(portal, "shop") == "one 1"
    before = containers(engine, made["id"])
    assert set(before) == {"db", "worker", "web"}

    assert change(portal, "shop", "redeploy", GREETING="two")["status"] == "success"
    assert visit(portal, "shop") == "two 2"
    after = containers(engine, made["id"])
    assert (after["db"], after["worker"]) == (before["db"], before["worker"])  # unchanged: not recreated
    assert after["web"] != before["web"]

    assert change(portal, "shop", "rollback")["status"] == "success"
    assert visit(portal, "shop") == "one 3"

    with portal.api() as api:
        detail = api.get("/api/services/shop").json()
        assert detail["compose"] == COMPOSE
        assert detail["deploy_method"] == "compose"
        assert detail["driver"] == "compose"
        assert detail["variables"]["GREETING"] == "one"
        assert "not-so-secret-7" not in api.get("/api/services/shop").text
        parts = api.get("/api/services/shop/containers").json()["data"]
    assert parts[0]["part"] == "web"
    assert {one["state"] for one in parts} == {"running"}


def test_a_delete_leaves_no_container_volume_network_or_image_tag_behind(
    portal: PortalProcess, engine: DockerEngine
) -> None:  # A11
    made = deploy(portal, "gone")
    assert volumes(engine, made["id"])
    with portal.api() as api:
        assert api.delete("/api/services/gone").status_code == 204
        assert api.get(f"/api/services/{made['id']}").status_code == 404
    assert containers(engine, made["id"]) == {}
    assert volumes(engine, made["id"]) == []
    networks = engine.get("/networks", filters=f'{{"label":["homeport.service={made["id"]}"]}}')
    assert networks == []
    tags = [tag for image in engine.get("/images/json") for tag in image["RepoTags"] or []]
    assert not [tag for tag in tags if made["id"].lower() in tag.lower()]
    assert IMAGE in tags  # not ours to remove


def test_stop_ends_the_whole_stack_and_start_brings_it_back(portal: PortalProcess, engine: DockerEngine) -> None:
    made = deploy(portal, "pause")
    assert visit(portal, "pause") == "one 1"
    with portal.api() as api:
        assert api.post("/api/services/pause/stop").json()["status"] == "stopped"
        running = engine.get("/containers/json", filters=f'{{"label":["homeport.service={made["id"]}"]}}')
        assert running == []
        assert api.post("/api/services/pause/start").json()["status"] == "running"
    assert visit(portal, "pause") == "one 2"
    with portal.api() as api:
        assert api.delete("/api/services/pause").status_code == 204


def test_every_violation_is_named_before_anything_exists(portal: PortalProcess) -> None:  # A05
    bad = "services:\n  a:\n    image: x\n    privileged: true\n    volumes: ['/:/host']\n    pid: host\n"
    with portal.api() as api:
        answer = api.post("/api/services", json={"name": "bad", "deploy_method": "compose", "compose": bad})
        assert answer.status_code == 422
        paths = {one["path"] for one in answer.json()["details"]["violations"]}
        assert api.get("/api/services/bad").status_code == 404
    assert {"services.a.privileged", "services.a.pid"} <= paths
    assert len(paths) == 3


def test_a_release_that_does_not_answer_leaves_the_live_one_and_its_database_alone(
    portal: PortalProcess, engine: DockerEngine
) -> None:
    made = deploy(portal, "steady")
    assert visit(portal, "steady") == "one 1"
    broken = COMPOSE.replace('["httpd", "-f", "-p", "8080", "-h", "/www"]', '["sh", "-c", "exit 3"]')
    with portal.api() as api:
        api.patch("/api/services/steady", json={"compose": broken}).raise_for_status()
        job = api.post("/api/services/steady/redeploy").json()["deploy_job_id"]
    ended = portal.wait(job, seconds=90)
    assert ended["status"] == "failed"
    assert visit(portal, "steady") == "one 2"
    assert set(containers(engine, made["id"])) == {"db", "worker", "web"}


def test_logs_of_all_parts_are_read_together(portal: PortalProcess) -> None:  # A12
    deploy(portal, "talk")
    deadline = time.monotonic() + 15
    with portal.api() as api:
        while True:  # the worker says its word when it has one, and nobody waits for it
            lines = api.get("/api/services/talk/logs?tail=200").json()["logs"]
            if {"db", "worker"} <= {one["container"] for one in lines}:
                break
            assert time.monotonic() < deadline, lines
            time.sleep(0.1)
    assert any("ready to accept connections" in one["message"] for one in lines)
    assert not any("not-so-secret-7" in one["message"] for one in lines)


def test_a_killed_portal_finds_its_stack_again(portal: PortalProcess, engine: DockerEngine) -> None:
    made = deploy(portal, "again")
    before = containers(engine, made["id"])
    portal.kill()
    portal.start()
    assert visit(portal, "again") == "one 1"
    assert containers(engine, made["id"]) == before
    with portal.api() as api:
        assert api.get("/api/services/again").json()["status"] == "running"


DOCKERFILE = f"""
FROM {IMAGE}
COPY page /www/index.html
EXPOSE 8080
CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]
"""


def ended(portal: PortalProcess, body: dict[str, Any]) -> dict[str, Any]:
    """Create a service and wait for its job's end, whichever way."""
    with portal.api() as api:
        answer = api.post("/api/services", json=body)
    assert answer.status_code == 201, answer.text
    return dict(portal.wait(answer.json()["deploy_job_id"], seconds=90))


def test_a_repository_with_a_dockerfile_is_built_and_its_next_commit_too(
    portal: PortalProcess, git_server: GitServer
) -> None:  # A04, A10
    repository = git_server.repository("docker", {"Dockerfile": DOCKERFILE, "page": "first"})
    job = ended(portal, {"name": "built", "deploy_method": "git", "git_url": repository.url})
    assert job["status"] == "success", job
    assert portal.fetch("built").text == "first"
    repository.commit({"page": "second"})
    assert change(portal, "built", "redeploy")["status"] == "success"
    assert portal.fetch("built").text == "second"
    assert change(portal, "built", "rollback")["status"] == "success"
    assert portal.fetch("built").text == "first"
    with portal.api() as api:
        detail = api.get("/api/services/built").json()
    assert detail["driver"] == "compose"
    assert "Dockerfile" in detail["detection"]["reason"]


def test_a_build_sees_no_variable_and_leaves_none_in_the_image(
    portal: PortalProcess, git_server: GitServer, engine: DockerEngine
) -> None:
    dockerfile = DOCKERFILE.replace("EXPOSE", "RUN env > /www/env\nEXPOSE")
    repository = git_server.repository("quiet", {"Dockerfile": dockerfile, "page": "p"})
    variables = {"API_TOKEN": "token-that-nobody-sees"}
    job = ended(portal, {"name": "quiet", "deploy_method": "git", "git_url": repository.url, "variables": variables})
    assert job["status"] == "success", job
    assert "token-that-nobody-sees" not in portal.fetch("quiet", "/env").text
    for image in engine.get("/images/json"):
        assert "token-that-nobody-sees" not in str(engine.get(f"/images/{image['Id']}/history"))


def test_an_analysed_repository_is_shown_before_it_runs_and_runs_as_shown(
    portal: PortalProcess, git_server: GitServer
) -> None:  # A06
    repository = git_server.repository("read", {"Dockerfile": DOCKERFILE, "page": "analysed"})
    body = {"name": "read", "deploy_method": "ai", "ai_url": repository.url}
    with portal.api() as api:
        answer = api.post("/api/services", json={**body, "preview": True})
        assert answer.status_code == 200, answer.text
        analysis = answer.json()["analysis"]
        assert api.get("/api/services/read").status_code == 404
    assert analysis["findings"]
    assert 0 < analysis["confidence"] <= 1
    result = {"compose": analysis["compose"], "dockerfile": analysis["dockerfile"]}
    job = ended(portal, {**body, "result": result})
    assert job["status"] == "success", job
    assert portal.fetch("read").text == "analysed"


def test_an_analysed_repository_runs_without_a_preview(portal: PortalProcess, git_server: GitServer) -> None:  # A06
    repository = git_server.repository("auto", {"Dockerfile": DOCKERFILE, "page": "auto"})
    job = ended(portal, {"name": "auto", "deploy_method": "ai", "ai_url": repository.url})
    assert job["status"] == "success", job
    assert portal.fetch("auto").text == "auto"


def test_a_preview_of_a_python_app_with_a_database_says_what_it_inferred(
    portal: PortalProcess, git_server: GitServer
) -> None:  # A06
    files: dict[str, str | bytes | None] = {
        "requirements.txt": "fastapi\nuvicorn\npsycopg[binary]\n",
        "main.py": "from fastapi import FastAPI\napp = FastAPI()\n",
    }
    repository = git_server.repository("python", files)
    body = {"name": "python", "deploy_method": "ai", "ai_url": repository.url, "preview": True}
    with portal.api() as api:
        analysis = api.post("/api/services", json=body).raise_for_status().json()["analysis"]
        checked = api.post("/api/services", json={**body, "preview": False, "result": {"compose": "services: {}"}})
    assert analysis["language"] == "python"
    assert analysis["dependencies"] == ["postgres"]
    assert "uvicorn" in analysis["dockerfile"]
    assert any(one["generated"] for one in analysis["variables"])
    assert checked.status_code == 422  # an edited document passes the same policy
