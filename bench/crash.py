"""The portal killed with -9 at a hundred random moments of deploys: nothing acknowledged is lost or left over."""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from bench import crash_stacks
from bench.figures import Figure, percentile
from homeport.testing.leftovers import leftovers
from homeport.testing.portal import PortalProcess

KILLS = 100
SERVICES = 3  # existing apps that are redeployed in turn; every fourth deploy creates a new one
LONGEST = 1.2  # seconds after the acknowledgement: longer than the example's deploy takes
SETTLED = 30.0  # seconds after a start within which every job has ended
SEED = 20260329
EXAMPLE = Path(__file__).parent.parent / "examples" / "hello"


def measure(driver: str = "process") -> list[Figure]:
    """Goals: none lost, none stuck, none orphaned."""
    if driver != "process":
        return crash_stacks.measure(driver)
    chance = random.Random(SEED)
    lost, stuck, orphans, recovered = 0, 0, 0, []
    with tempfile.TemporaryDirectory(prefix="homeport-crash-") as folder, PortalProcess(Path(folder)) as portal:
        for number in range(SERVICES):
            portal.ask("deploy", str(EXAMPLE), "--name", f"app-{number}")
        with portal.api() as api:
            upload = _source(api)
        for kill in range(KILLS):
            with portal.api() as api:
                made = _order(api, kill, upload)
            time.sleep(chance.uniform(0, LONGEST))
            portal.kill()
            began = time.perf_counter()
            portal.start()
            job = _ended(portal, made["deploy_job_id"])
            recovered.append(time.perf_counter() - began)
            lost += job is None
            with portal.api() as api:
                stuck += job is None or _is_stuck(api, made["id"])
                if kill % 4 == 3:
                    api.delete(f"/api/services/{made['id']}").raise_for_status()
                left = leftovers(portal.data_dir, api.get("/api/services").json()["services"])
            orphans += len(left)
            for one in left:
                print(f"  left over after kill {kill}: {one}")
    return [
        Figure("kills", KILLS, ""),
        Figure("lost acknowledged writes", lost, "", 0),
        Figure("services stuck", stuck, "", 0),
        Figure("orphaned processes and folders", orphans, "", 0),
        Figure("from exec until the job has ended, p50", percentile(recovered, 0.5), "s"),
        Figure("from exec until the job has ended, p99", percentile(recovered, 0.99), "s"),
    ]


def _source(api: httpx.Client) -> str:
    """The example as an upload that new services can be made from."""
    import io
    import tarfile

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(EXAMPLE, arcname=".")
    return str(api.post("/api/uploads", content=packed.getvalue()).raise_for_status().json()["id"])


def _order(api: httpx.Client, kill: int, upload: str) -> dict[str, Any]:
    if kill % 4 == 3:
        body = {"name": f"new-{kill}", "deploy_method": "upload", "upload_id": upload}
        made: dict[str, Any] = api.post("/api/services", json=body).raise_for_status().json()
        return made
    answer = api.post(f"/api/services/app-{kill % SERVICES}/redeploy").raise_for_status()
    return dict(answer.json())


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


def _is_stuck(api: httpx.Client, service_id: str) -> bool:
    return bool(api.get(f"/api/services/{service_id}").json().get("status") != "running")
