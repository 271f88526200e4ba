"""The portal killed with -9 at fifty random moments of deploys of stacks: nothing lost, stuck, orphaned or harmed."""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from bench.figures import Figure, percentile
from bench.stack import VARIABLES, deploy, foreign_is_there, labelled, plant_foreign, portal_on
from homeport.testing.docker import DockerEngine
from homeport.testing.portal import PortalProcess
from homeport.testing.three_services import COMPOSE

KILLS = 50
SERVICES = 2  # existing stacks that are redeployed in turn; every fifth deploy creates a new one
LONGEST = 3.0  # seconds after the acknowledgement
SETTLED = 120.0  # seconds after a start within which every job has ended
SWEPT = 15.0  # seconds within which what was removed has to be gone
SEED = 20260329


def measure(driver: str) -> list[Figure]:
    """Goals: none lost, none stuck, none orphaned, nothing foreign touched."""
    chance = random.Random(SEED)
    lost, stuck, orphans, foreign, recovered = 0, 0, 0, 0, []
    with (
        tempfile.TemporaryDirectory(prefix="homeport-crash-") as folder,
        portal_on(driver, Path(folder)) as (portal, engine),
    ):
        plant_foreign(engine)
        for number in range(SERVICES):
            deploy(portal, f"app-{number}")
        for kill in range(KILLS):
            with portal.api() as api:
                made = _order(api, kill)
            time.sleep(chance.uniform(0, LONGEST))
            portal.kill()
            began = time.perf_counter()
            portal.start()
            job = _ended(portal, made["deploy_job_id"])
            recovered.append(time.perf_counter() - began)
            lost += job is None
            with portal.api() as api:
                status = api.get(f"/api/services/{made['id']}").json()
                if job is None or status.get("status") != "running":
                    stuck += 1
                    print(f"  stuck after kill {kill}: {status.get('status')} {status.get('error')}")
                if kill % 5 == 4:
                    api.delete(f"/api/services/{made['id']}", timeout=60).raise_for_status()
                deadline = time.monotonic() + SWEPT  # a swarm sweeps up after a removal in its own time
                while (left := _leftovers(engine, api)) and time.monotonic() < deadline:
                    time.sleep(0.2)
            orphans += len(left)
            foreign += not foreign_is_there(engine)
            for one in left:
                print(f"  left over after kill {kill}: {one}")
    return [
        Figure("kills", KILLS, ""),
        Figure("lost acknowledged writes", lost, "", 0),
        Figure("services stuck", stuck, "", 0),
        Figure("orphaned containers, volumes and networks", orphans, "", 0),
        Figure("times that foreign things were touched", foreign, "", 0),
        Figure("from exec until the job has ended, p50", percentile(recovered, 0.5), "s"),
        Figure("from exec until the job has ended, p99", percentile(recovered, 0.99), "s"),
    ]


def _order(api: httpx.Client, kill: int) -> dict[str, Any]:
    if kill % 5 == 4:
        body = {"name": f"new-{kill}", "deploy_method": "compose", "compose": COMPOSE, "variables": VARIABLES}
        made: dict[str, Any] = api.post("/api/services", json=body).raise_for_status().json()
        return made
    return dict(api.post(f"/api/services/app-{kill % SERVICES}/redeploy").raise_for_status().json())


def _ended(portal: PortalProcess, job_id: str) -> dict[str, Any] | None:
    """The job once it has ended, or as it is when it has not; None when nobody knows it."""
    deadline = time.monotonic() + SETTLED
    with portal.api() as api:
        while True:
            answer = api.get(f"/api/jobs/{job_id}")
            if answer.status_code == 404:
                return None
            job: dict[str, Any] = answer.json()
            if job["status"] not in ("queued", "running") or time.monotonic() > deadline:
                return job
            time.sleep(0.02)


def _leftovers(engine: DockerEngine, api: httpx.Client) -> list[str]:
    """What bears our label and belongs to no service, and routed containers beside the live one."""
    services = {one["id"]: one for one in api.get("/api/services").json()["services"] if one["kind"] == "app"}
    found = [
        f"{sorted(kinds)} of the unknown service {one}"
        for one, kinds in labelled(engine).items()
        if one not in services
    ]
    for service_id, service in services.items():
        parts = api.get(f"/api/services/{service_id}/containers").json()["data"]
        routed = [one["name"] for one in parts if one["release_id"] and one["state"] == "running"]
        if len(routed) != 1:
            found.append(f"{len(routed)} routed containers of {service['name']}")
    return found
