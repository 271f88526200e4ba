"""A portal with a Docker engine of its own, and the three-service stack that the measurements deploy on it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from homeport.testing.docker import DockerEngine
from homeport.testing.portal import PortalProcess
from homeport.testing.three_services import COMPOSE, three_services_archive

VARIABLES = {"DB_PASSWORD": "a-password-for-the-bench", "GREETING": "hello"}
FOREIGN = "foreign"  # what nobody may touch: a container, a volume and a network of somebody else


@contextmanager
def portal_on(driver: str, folder: Path) -> Iterator[tuple[PortalProcess, DockerEngine]]:
    """`driver` is compose, or swarm: then the engine is a swarm of one node."""
    with DockerEngine() as engine:
        engine.api.post("/images/load", content=three_services_archive()).raise_for_status()
        if driver == "swarm":
            engine.post("/swarm/init", {"ListenAddr": "127.0.0.1:0", "AdvertiseAddr": "127.0.0.1"})
        settings = {"docker_host": engine.url, "default_driver": driver, "gate_timeout": 60}
        with PortalProcess(folder, settings) as portal:
            yield portal, engine


def deploy(portal: PortalProcess, name: str, compose: str = COMPOSE) -> dict[str, Any]:
    """Until it is live."""
    body = {"name": name, "deploy_method": "compose", "compose": compose, "variables": VARIABLES}
    with portal.api() as api:
        made: dict[str, Any] = api.post("/api/services", json=body).raise_for_status().json()
    ended = portal.wait(made["deploy_job_id"], seconds=120)
    if ended["status"] != "success":
        raise RuntimeError(f"the deploy failed: {ended['error']}")
    return {**made, "job": ended}


def labelled(engine: DockerEngine) -> dict[str, set[str]]:
    """Service id -> kinds of things that the engine still has for it, over everything that bears our label."""
    wanted = json.dumps({"label": ["homeport.service"]})
    found: dict[str, set[str]] = {}

    def saw(kind: str, labels: Mapping[str, str]) -> None:
        found.setdefault(labels["homeport.service"], set()).add(kind)

    for container in engine.get("/containers/json", all="true", filters=wanted):
        saw("container", container["Labels"])
    for volume in engine.get("/volumes", filters=wanted)["Volumes"] or []:
        saw("volume", volume["Labels"])
    for network in engine.get("/networks", filters=wanted):
        saw("network", network["Labels"])
    if engine.get("/info")["Swarm"]["LocalNodeState"] == "active":
        for service in engine.get("/services", filters=wanted):
            saw("swarm service", service["Spec"]["Labels"])
    return found


def plant_foreign(engine: DockerEngine) -> None:
    """Things of somebody else beside ours."""
    engine.post("/volumes/create", {"Name": FOREIGN})
    engine.post("/networks/create", {"Name": FOREIGN})
    engine.post("/containers/create", {"Image": "homeport-test/three:1", "Cmd": ["sleep", "100000"]}, name=FOREIGN)
    engine.post(f"/containers/{FOREIGN}/start")


def foreign_is_there(engine: DockerEngine) -> bool:
    """Untouched: the container runs, volume and network exist."""
    running = {name for one in engine.get("/containers/json") for name in one["Names"]}
    volumes = {one["Name"] for one in engine.get("/volumes")["Volumes"] or []}
    networks = {one["Name"] for one in engine.get("/networks")}
    return f"/{FOREIGN}" in running and FOREIGN in volumes and FOREIGN in networks
