"""Stacks on three real nodes: placed, reached, updated, moved, and taken away."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from homeport.kit.masking import MASK
from homeport.services.compose.model import Healthcheck, Mount, Stack
from homeport.services.docker import Engine
from homeport.services.docker.problems import EngineUnavailable
from homeport.services.drivers import InstanceState, Observation
from homeport.services.drivers.swarm import SwarmDriver
from homeport.services.problems import StartFailed
from homeport.testing.waiting import eventually
from tests.services.drivers.swarm.world import STEADY, SwarmWorld, a_swarm, one

PATIENT = timedelta(seconds=10)
WEB = "mkdir -p /tmp/www; echo hello > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"
DATA = Mount("volume", "/data", "files")


def page(seen: Observation) -> str:
    """What the routed service answers where the driver says that it listens."""
    with urllib.request.urlopen(f"http://{seen.host}:{seen.port}/", timeout=3) as answer:
        return str(answer.read().decode())


async def answers(seen: Observation) -> str:
    deadline = time.monotonic() + 10
    while True:
        try:
            return await asyncio.to_thread(page, seen)
        except OSError:
            assert time.monotonic() < deadline, f"{seen.host}:{seen.port} does not answer"
            await asyncio.sleep(0.1)


def web_with(*backing: object, script: str = WEB) -> Stack:
    waits = {service.name: "service_healthy" for service in backing}  # type: ignore[attr-defined]
    web = one("web", script, stop_grace=1.0, depends_on=waits)
    return Stack((*backing, web), ("files",), "web", 8080, "label homeport.route")  # type: ignore[arg-type]


DB = one("db", f"echo up > /data/up; {STEADY}", mounts=(DATA,), stop_grace=1.0,
         healthcheck=Healthcheck(("CMD-SHELL", "cat /data/up"), interval=0.5, timeout=2.0))  # fmt: skip


async def test_a_stack_runs_and_is_reached_at_the_address_of_its_node(three: SwarmWorld) -> None:
    driver = await three.driver()
    script = WEB.replace("echo hello", "{ echo hello; nslookup db; }")
    seen = await driver.start(three.stack_spec("rel_1", web_with(DB, script=script)))
    assert seen.state is InstanceState.RUNNING
    assert seen.host in {node.address for node in three.swarm.nodes}
    text = await answers(seen)
    assert "hello" in text
    assert "can't resolve" not in text
    web, db = await driver.parts("svc_1")
    assert (web.part, web.state, web.release_id, web.ports) == ("web", "running", "rel_1", (20000,))
    assert (db.part, db.state, db.health, db.release_id) == ("db", "running", "healthy", None)
    assert {web.node, db.node} <= {"node1", "node2", "node3"}


async def test_a_second_release_shares_what_did_not_change(three: SwarmWorld) -> None:
    driver = await three.driver()
    first = await driver.start(three.stack_spec("rel_1", web_with(DB)))
    before = {part.part: part.started_at for part in await driver.parts("svc_1")}
    second = await driver.start(three.stack_spec("rel_2", web_with(DB, script=WEB.replace("hello", "again"))))
    assert ("hello" in await answers(first), "again" in await answers(second)) == (True, True)
    await driver.remove("rel_1")
    after = {part.part: part.started_at for part in await driver.parts("svc_1")}
    assert after["db"] == before["db"]
    assert set(await driver.observe()) == {"rel_2"}
    assert "again" in await answers(second)


async def test_volumes_bind_their_services_to_the_node_where_they_first_ran(three: SwarmWorld) -> None:
    driver = await three.driver()
    stack = web_with(one("db", f"echo x >> /data/runs; cat /data/runs; {STEADY}", mounts=(DATA,), stop_grace=1.0))
    stack = replace(stack, services=tuple(replace(service, depends_on={}) for service in stack.services))
    await driver.start(three.stack_spec("rel_1", stack))
    (_, first) = await driver.parts("svc_1")
    assert first.restarts == 0  # binding it did not start it again
    await eventually(lambda: three.log("db").count(" x\n") == 1)
    await driver.remove("rel_1")
    assert three.ours("services") == []
    assert three.ours("networks") == []
    await driver.start(three.stack_spec("rel_2", stack))
    (_, again) = await driver.parts("svc_1")
    assert again.node == first.node
    await eventually(lambda: three.log("db").count(" x\n") == 3)  # the second run found what the first one wrote


async def test_a_failed_update_of_a_backing_service_goes_back_by_itself(three: SwarmWorld) -> None:
    driver = await three.driver()
    await driver.start(three.stack_spec("rel_1", web_with(DB)))
    broken = replace(DB, command=("exit 3",), healthcheck=None)
    with pytest.raises(StartFailed, match="db: its update failed and went back to what it was"):
        await driver.start(three.stack_spec("rel_2", web_with(broken)))
    assert set(await driver.observe()) == {"rel_1"}
    deadline = time.monotonic() + 20
    while (db := (await driver.parts("svc_1"))[1]).health != "healthy":
        assert time.monotonic() < deadline, db
        await asyncio.sleep(0.2)


async def test_a_backing_service_that_never_comes_up_leaves_nothing(three: SwarmWorld) -> None:
    driver = await three.driver()
    with pytest.raises(StartFailed, match=r"db.*no such|db.*No such"):
        await driver.start(three.stack_spec("rel_1", web_with(replace(DB, entrypoint=("/no/such/program",)))))
    assert await driver.observe() == {}
    assert three.ours("services") == []


async def test_logs_of_every_node_arrive_once_and_without_secrets(three: SwarmWorld) -> None:
    driver = await three.driver()
    script = "i=0; while true; do i=$((i+1)); echo line $i hunter22; echo oops >&2; sleep 1; done"
    web = replace(one("web", script), stop_grace=0.0)
    spec = three.stack_spec("rel_1", Stack((web,), (), "web", 80, "the only one"), secret="hunter22")
    await driver.start(spec)
    await eventually(lambda: "line 2 " in three.log("rel_1"))
    await driver.close()
    second = await three.driver()
    await asyncio.sleep(1)  # lines that nobody reads meanwhile
    await second.start(spec)  # as the portal does after its own start
    await eventually(lambda: "line 5 " in three.log("rel_1"))
    text = three.log("rel_1")
    assert "hunter22" not in text
    assert f" stdout F line 1 {MASK}\n" in text
    assert " stderr F oops\n" in text
    assert [text.count(f"line {number} ") for number in range(1, 6)] == [1] * 5


async def test_what_somebody_else_removed_is_lost_until_it_is_removed_here(three: SwarmWorld) -> None:
    driver = await three.driver()
    await driver.start(three.spec("rel_1"))
    await asyncio.to_thread(three.swarm.manager.call, "DELETE", "/services/hp-rel_1")
    await eventually(lambda: [seen.state for seen in three.changes] == [InstanceState.LOST])
    assert (await driver.observe())["rel_1"].state is InstanceState.LOST
    await driver.remove("rel_1")
    assert await driver.observe() == {}


async def test_purge_takes_everything_of_the_service_and_nothing_of_others(three: SwarmWorld) -> None:
    driver = await three.driver()
    manager = three.swarm.manager
    foreign = {
        "Name": "hp-svc_1-foreign",
        "Labels": {"homeport.portal": "another", "homeport.service": "svc_1", "homeport.release": "rel_9"},
        "TaskTemplate": {"ContainerSpec": {"Image": manager.call("GET", "/images/json")[0]["Id"]}},
        "Mode": {"Replicated": {"Replicas": 0}},
    }
    await asyncio.to_thread(manager.call, "POST", "/services/create", foreign)
    volume = {"Name": "hp-svc_1-foreign", "Labels": {"homeport.service": "svc_1"}}
    await asyncio.to_thread(manager.call, "POST", "/volumes/create", volume)
    try:
        await driver.start(three.stack_spec("rel_1", web_with(DB)))
        assert set(await driver.observe()) == {"rel_1"}
        await driver.purge("svc_1")
        assert [three.ours(kind) for kind in ("services", "networks", "configs")] == [[], [], []]
        names = [one["Spec"]["Name"] for one in manager.call("GET", "/services")]
        assert "hp-svc_1-foreign" in names
        assert [one["Name"] for one in manager.call("GET", "/volumes")["Volumes"] or []] == ["hp-svc_1-foreign"]
    finally:
        manager.call("DELETE", "/services/hp-svc_1-foreign")
        manager.call("DELETE", "/volumes/hp-svc_1-foreign")


async def test_an_engine_that_is_no_manager_says_so(three: SwarmWorld) -> None:
    engine = Engine(three.swarm.nodes[1].url)
    driver = SwarmDriver(engine, three.portal)
    await driver.open(three.changes.append)
    try:
        with pytest.raises(EngineUnavailable, match="no manager of its swarm"):
            await driver.observe()
        with pytest.raises(StartFailed, match="no manager of its swarm"):
            await driver.start(three.spec("rel_1"))
    finally:
        await driver.close()
        await engine.close()


@pytest.fixture
async def doomed(tmp_path: Path) -> AsyncIterator[SwarmWorld]:
    """Three nodes of a test's own, for it burns one."""
    swarms = a_swarm(3)
    world = SwarmWorld(next(swarms), tmp_path)
    yield world
    await world.leave()
    swarms.close()


async def test_a_lost_node_s_service_is_told_at_its_new_address_within_25_seconds(doomed: SwarmWorld) -> None:
    swarm = doomed.swarm
    manager_id = swarm.manager.call("GET", "/info")["Swarm"]["NodeID"]
    told = swarm.manager.call("GET", f"/nodes/{manager_id}")
    drained = {**told["Spec"], "Availability": "drain"}  # so that it runs on a node that can be lost
    swarm.manager.call("POST", f"/nodes/{manager_id}/update?version={told['Version']['Index']}", drained)
    driver = await doomed.driver()
    seen = await driver.start(doomed.stack_spec("rel_1", web_with()))
    await answers(seen)
    await asyncio.to_thread(swarm.lose, swarm.at(seen.host))

    def moved() -> list[Observation]:
        return [one for one in doomed.changes if one.state is InstanceState.RUNNING and one.host != seen.host]

    await eventually(moved, seconds=25)
    assert "hello" in await answers(moved()[0])
    assert (await driver.observe())["rel_1"].host == moved()[0].host
    assert any(one.state is InstanceState.BACKOFF and "lost" in (one.reason or "") for one in doomed.changes)
