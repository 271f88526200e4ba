"""From a create to healthy with a cached image, and a warm rollback; beside `docker run` and `docker-compose up`."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from bench.figures import Figure, percentile
from bench.stack import VARIABLES, portal_on
from homeport.testing.docker import DockerEngine
from homeport.testing.portal import PortalProcess
from homeport.testing.three_services import IMAGE

TIMES = 10
COMPOSE = f"""
services:
  web:
    image: {IMAGE}
    command: ["httpd", "-f", "-p", "8080", "-h", "/www"]
    init: true
    stop_grace_period: 1s
    expose: ["8080"]
"""
COMMAND = ("httpd", "-f", "-p", "8080", "-h", "/www")


def measure() -> list[Figure]:
    """Goals: 5 s from create to healthy, 1 s for a warm rollback, both at the median."""
    with (
        tempfile.TemporaryDirectory(prefix="homeport-deploy-") as folder,
        portal_on("compose", Path(folder)) as (portal, engine),
    ):
        deploys, steps = _deploys(portal)
        rollbacks = _rollbacks(portal)
        runs = [_run(engine, number) for number in range(TIMES)]
        ups = [_up(engine, Path(folder), number) for number in range(TIMES)] if shutil.which("docker-compose") else []
    figures = [
        Figure("create to healthy, p50", percentile(deploys, 0.5), "s", 5),
        Figure("create to healthy, highest", max(deploys), "s"),
        *(Figure(f"  of which {name}, p50", percentile(took, 0.5) * 1000, "ms") for name, took in steps.items()),
        Figure("warm rollback to switched, p50", percentile(rollbacks, 0.5), "s", 1),
        Figure("docker run to answering, p50", percentile(runs, 0.5), "s"),
    ]
    return [*figures, Figure("docker-compose up to answering, p50", percentile(ups, 0.5), "s")] if ups else figures


def _deploys(portal: PortalProcess) -> tuple[list[float], dict[str, list[float]]]:
    took: list[float] = []
    steps: dict[str, list[float]] = {}
    with portal.api() as api:
        for number in range(TIMES):
            body = {"name": f"app-{number}", "deploy_method": "compose", "compose": COMPOSE, "variables": VARIABLES}
            began = time.perf_counter()
            made = api.post("/api/services", json=body).raise_for_status().json()
            while api.get(f"/api/jobs/{made['deploy_job_id']}").json()["step"] not in ("switch", "retire"):
                time.sleep(0.005)
            took.append(time.perf_counter() - began)
            for step in _success(portal.wait(made["deploy_job_id"]))["steps"]:
                steps.setdefault(step["name"], []).append(_seconds(step))
    return took, steps


def _rollbacks(portal: PortalProcess) -> list[float]:
    """From the order until the route has moved; stopping the other release comes after it."""
    took = []
    with portal.api() as api:
        job = api.post("/api/services/app-0/redeploy").raise_for_status().json()["deploy_job_id"]
        _success(portal.wait(job))
        for _ in range(TIMES):
            began = time.perf_counter()
            job = api.post("/api/services/app-0/rollback").raise_for_status().json()["deploy_job_id"]
            while api.get(f"/api/jobs/{job}").json()["step"] != "retire":
                time.sleep(0.005)
            took.append(time.perf_counter() - began)
            _success(portal.wait(job))
    return took


def _success(job: Any) -> Any:
    if job["status"] != "success":
        raise RuntimeError(f"a deploy failed: {job['error']}")
    return job


def _seconds(mark: dict[str, str]) -> float:
    from datetime import datetime

    return (datetime.fromisoformat(mark["finished_at"]) - datetime.fromisoformat(mark["started_at"])).total_seconds()


def _run(engine: DockerEngine, number: int) -> float:
    port = 28100 + number
    began = time.perf_counter()
    words = ["run", "-d", "--pull", "never", "--name", f"run-{number}", "-p", f"127.0.0.1:{port}:8080", IMAGE, *COMMAND]
    subprocess.run(["docker", "-H", engine.url, *words], check=True, capture_output=True)
    _until_it_answers(port)
    took = time.perf_counter() - began
    engine.api.delete(f"/containers/run-{number}", params={"force": "true"}).raise_for_status()
    return took


def _up(engine: DockerEngine, folder: Path, number: int) -> float:
    port = 28200 + number
    file = folder / "up.yaml"
    file.write_text(COMPOSE.replace('expose: ["8080"]', f'ports: ["127.0.0.1:{port}:8080"]'))
    words = ["docker-compose", "-p", f"up{number}", "-f", str(file)]
    environment = {**os.environ, "DOCKER_HOST": engine.url}
    began = time.perf_counter()
    subprocess.run([*words, "up", "-d"], check=True, capture_output=True, env=environment)
    _until_it_answers(port)
    took = time.perf_counter() - began
    subprocess.run([*words, "down", "-t", "0"], check=True, capture_output=True, env=environment)
    return took


def _until_it_answers(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/", timeout=2).raise_for_status()
            return
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
