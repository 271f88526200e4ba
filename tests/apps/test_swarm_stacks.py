"""The three-service stack on a real Swarm of three nodes: it survives the loss of one of them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from homeport.testing.portal import PortalProcess
from homeport.testing.swarm import Swarm, swarm_is_possible
from homeport.testing.three_services import COMPOSE, three_services_archive

VARIABLES = {"DB_PASSWORD": "not-so-secret-7", "GREETING": "one"}
LOSS_SECONDS = 60


@pytest.fixture(scope="module")
def swarm() -> Iterator[Swarm]:
    if not swarm_is_possible():
        pytest.skip("a swarm of its own needs root and the Debian packages docker.io, iproute2 and iptables")
    with tempfile.TemporaryDirectory(prefix="hp-sw-") as folder, Swarm(Path(folder)) as swarm:
        swarm.load(three_services_archive())
        yield swarm


@pytest.fixture(scope="module")
def portal(swarm: Swarm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    settings: dict[str, object] = {"docker_host": swarm.manager.url, "gate_timeout": 60, "stop_grace": 3}
    with PortalProcess(tmp_path_factory.mktemp("portal"), settings) as portal:
        yield portal


def parts(portal: PortalProcess, name: str) -> dict[str, Any]:
    with portal.api() as api:
        return {one["part"]: one for one in api.get(f"/api/services/{name}/containers").json()["data"]}


@pytest.mark.timeout(240)
def test_the_stack_survives_the_loss_of_a_node(portal: PortalProcess, swarm: Swarm) -> None:
    body = {
        "name": "shop", "deploy_method": "compose", "compose": COMPOSE, "variables": VARIABLES, "driver": "swarm",
    }  # fmt: skip
    with portal.api() as api:
        made = api.post("/api/services", json=body)
        assert made.status_code == 201, made.text
    job = portal.wait(made.json()["deploy_job_id"], seconds=120)
    assert job["status"] == "success", job["error"]
    assert portal.fetch("shop", "/cgi-bin/visit").text.strip() == "one 1"

    with portal.api() as api:
        again = api.post("/api/services/shop/redeploy").json()
    job = portal.wait(again["deploy_job_id"], seconds=120)
    assert job["status"] == "success", job["error"]
    assert portal.fetch("shop", "/cgi-bin/visit").text.strip() == "one 2"

    where = {part: one["node"] for part, one in parts(portal, "shop").items()}
    victims = [node for node in swarm.nodes[1:] if node.name == where["web"] and node.name != where["db"]]
    for node in victims:  # the database stays where its volume is; the page moves
        swarm.lose(node)
    if not victims:
        swarm.lose(next(node for node in swarm.nodes[1:] if node.name != where["db"]))
    deadline = time.monotonic() + LOSS_SECONDS
    answer = ""
    while time.monotonic() < deadline and answer != "one 3":
        try:
            answer = portal.fetch("shop", "/cgi-bin/visit").text.strip()
        except httpx.ReadTimeout:  # silence alone: the portal takes every connection and cuts none
            answer = ""
        time.sleep(0.5)
    assert answer.startswith("one "), answer
    assert int(answer.split()[1]) >= 3
