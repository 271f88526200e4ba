"""What is a stack's own: order, sharing, keeping, and leaving alone what is not ours."""

from __future__ import annotations

import asyncio
import io
import tarfile
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from homeport.services.compose.model import Healthcheck, Mount
from homeport.services.docker.problems import EngineUnavailable
from homeport.services.drivers import InstanceState
from homeport.services.problems import StartFailed
from homeport.testing.busybox_image import busybox_archive
from homeport.testing.docker import DockerEngine
from homeport.testing.waiting import eventually
from tests.services.drivers.compose.world import IMAGE, STEADY, ComposeWorld, one

NOW = timedelta(0)
WEB = "echo serving; mkdir /tmp/w; echo $GREETING > /tmp/w/index.html; exec httpd -f -p 80 -h /tmp/w"
CHECK = Healthcheck(("CMD-SHELL", "test -e /tmp/ready"), interval=0.2, timeout=2, retries=50)


def database(**more: Any) -> Any:
    return one("db", "sleep 0.5; echo > /tmp/ready; exec sleep 1000", healthcheck=CHECK, **more)


def web(**more: Any) -> Any:
    return one("web", WEB, **{"environment": {"GREETING": "hello"}, **more})


async def test_a_stack_starts_in_order_and_its_routed_service_is_reached(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    job = one("job", "exit 0", restart="no", depends_on={"db": "service_healthy"})
    served = web(depends_on={"db": "service_healthy", "job": "service_completed_successfully"})
    told = await driver.start(stacks.stack_spec("rel_1", database(), job, served))
    assert told.state is InstanceState.RUNNING
    begun = {each["Config"]["Labels"]["homeport.part"]: each["State"]["StartedAt"] for each in stacks.containers()}
    assert begun["db"] < begun["job"] < begun["web"]
    assert stacks.container(f"hp-{stacks.service}-db")["State"]["Health"]["Status"] == "healthy"
    async with httpx.AsyncClient() as client, asyncio.timeout(10):
        while True:  # it is started; its server listens a moment later
            try:
                answer = await client.get(f"http://127.0.0.1:{told.port}/")
                break
            except httpx.TransportError:
                await asyncio.sleep(0.02)
    assert answer.text == "hello\n"


async def test_a_dependency_that_fails_is_said_and_leaves_nothing(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    job = one("job", "exit 3", restart="no")
    with pytest.raises(StartFailed, match="job was to complete, and ended with exit code 3"):
        await driver.start(stacks.stack_spec("rel_1", job, web(depends_on={"job": "service_completed_successfully"})))
    assert stacks.containers() == []


async def test_backing_services_are_kept_over_releases_and_replaced_when_changed(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    await driver.start(stacks.stack_spec("rel_1", database(), web()))
    first = stacks.container(f"hp-{stacks.service}-db")["Id"]
    await driver.start(stacks.stack_spec("rel_2", database(), web(environment={"GREETING": "new"})))
    assert stacks.container(f"hp-{stacks.service}-db")["Id"] == first
    assert set(await driver.observe()) == {"rel_1", "rel_2"}
    await driver.remove("rel_1")
    assert stacks.container(f"hp-{stacks.service}-db")["Id"] == first
    await driver.start(stacks.stack_spec("rel_3", database(environment={"NEW": "1"}), web()))
    assert stacks.container(f"hp-{stacks.service}-db")["Id"] != first


async def test_a_backing_service_that_the_document_drops_goes(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    await driver.start(stacks.stack_spec("rel_1", one("cache", STEADY), web()))
    await driver.start(stacks.stack_spec("rel_2", web()))
    assert [each["Name"] for each in stacks.containers()] == ["/hp-rel_1", "/hp-rel_2"]


async def test_a_failed_release_gives_back_what_the_running_one_needs(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    await driver.start(stacks.stack_spec("rel_1", database(environment={"V": "1"}), web()))
    broken = web(command=("/no/such/program",), init=None)
    with pytest.raises(StartFailed):
        await driver.start(stacks.stack_spec("rel_2", database(environment={"V": "2"}), broken))
    assert "V=1" in stacks.container(f"hp-{stacks.service}-db")["Config"]["Env"]
    assert set(await driver.observe()) == {"rel_1"}


async def test_stop_stops_what_is_shared_with_the_last_release_only(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    for release in ("rel_1", "rel_2"):
        await driver.start(stacks.stack_spec(release, one("cache", STEADY), web()))
    cache = f"hp-{stacks.service}-cache"
    await driver.stop("rel_1", NOW)
    assert stacks.container(cache)["State"]["Running"]
    await driver.stop("rel_2", NOW)
    assert not stacks.container(cache)["State"]["Running"]
    await driver.start(stacks.stack_spec("rel_2", one("cache", STEADY), web()))
    assert stacks.container(cache)["State"]["Running"]


async def test_volumes_stay_on_remove_and_go_on_purge(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    keeping = one(
        "db", "echo x >> /data/kept; cat /data/kept; exec sleep 1000", mounts=(Mount("volume", "/data", "data"),)
    )
    await driver.start(stacks.stack_spec("rel_1", keeping, web(), volumes=("data",)))
    await eventually(lambda: stacks.messages("db") == ["x"])
    await driver.remove("rel_1")
    assert stacks.containers() == []
    await driver.start(stacks.stack_spec("rel_2", keeping, web(), volumes=("data",)))
    await eventually(lambda: stacks.messages("db") == ["x", "x", "x"])
    await driver.purge(stacks.service)
    volumes = stacks.docker.get("/volumes")["Volumes"] or []
    assert f"hp-{stacks.service}-data" not in {each["Name"] for each in volumes}
    assert await driver.observe() == {}


async def test_data_that_an_image_keeps_without_being_asked_outlives_its_container(stacks: ComposeWorld) -> None:
    keeper = one("db", "echo x >> /kept/it; cat /kept/it; exec sleep 1000", image="homeport-test/keeper:1")
    answer = await asyncio.to_thread(
        stacks.docker.api.post,
        "/images/create",
        params=[("fromSrc", "-"), ("repo", "homeport-test/keeper"), ("tag", "1"), ("changes", "VOLUME /kept")],
        content=_layer(),
    )
    answer.raise_for_status()
    driver = await stacks.driver()
    await driver.start(stacks.stack_spec("rel_1", keeper, web()))
    await eventually(lambda: stacks.messages("db") == ["x"])
    await driver.start(stacks.stack_spec("rel_2", replace(keeper, environment={"NEW": "1"}), web()))
    await eventually(lambda: stacks.messages("db") == ["x", "x", "x"])
    await driver.purge(stacks.service)
    assert not [one for one in stacks.docker.get("/volumes")["Volumes"] or () if stacks.service in one["Name"]]


def _layer() -> bytes:
    """The files of the test's image, as they go into another."""
    with tarfile.open(fileobj=io.BytesIO(busybox_archive("homeport-test/keeper:0"))) as archive:
        layer = archive.extractfile("layer.tar")
        assert layer is not None
        return layer.read()


async def test_only_what_is_ours_is_touched(stacks: ComposeWorld) -> None:
    docker, service = stacks.docker, stacks.service
    foreign = {"homeport.service": service, "homeport.portal": "another", "com.docker.compose.project": f"hp-{service}"}
    made = docker.post("/containers/create", {"Image": IMAGE, "Labels": foreign}, name=f"hp-{service}-other")["Id"]
    docker.post("/volumes/create", {"Name": f"hp-{service}-other", "Labels": foreign})
    network = docker.post("/networks/create", {"Name": f"hp-{service}-other", "Labels": foreign})["Id"]
    docker.post(f"/images/{IMAGE}/tag", repo=f"homeport/{service}", tag="other")
    try:
        driver = await stacks.driver()
        await driver.start(stacks.stack_spec("rel_1", one("cache", STEADY), web(), volumes=("data",)))
        await driver.purge(service)
        assert docker.get(f"/containers/{made}/json")["State"]["Status"] == "created"
        assert docker.get(f"/volumes/hp-{service}-other")["Labels"] == foreign
        assert docker.get(f"/networks/{network}")["Labels"] == foreign
        assert docker.get(f"/images/homeport/{service}:other/json")["Id"]
    finally:
        docker.api.delete(f"/containers/{made}")
        docker.api.delete(f"/volumes/hp-{service}-other")
        docker.api.delete(f"/networks/{network}")
        docker.api.delete(f"/images/homeport/{service}:other")


@pytest.mark.parametrize("kind", ["container", "volume", "network"])
async def test_a_name_that_somebody_else_has_is_refused_and_left_to_them(stacks: ComposeWorld, kind: str) -> None:
    docker, service = stacks.docker, stacks.service
    if kind == "container":
        docker.post("/containers/create", {"Image": IMAGE}, name="hp-rel_9")
        path = "/containers/hp-rel_9"
    elif kind == "volume":
        docker.post("/volumes/create", {"Name": f"hp-{service}-data"})
        path = f"/volumes/hp-{service}-data"
    else:
        path = "/networks/" + docker.post("/networks/create", {"Name": f"hp-{service}"})["Id"]
    try:
        driver = await stacks.driver()
        with pytest.raises(StartFailed, match=r"already (in use|exists)|exists already"):
            await driver.start(stacks.stack_spec("rel_9", web(), volumes=("data",)))
        await driver.purge(service)
        assert docker.get(f"{path}/json" if kind == "container" else path)
    finally:
        docker.api.delete(path)


async def test_parts_show_every_container_the_routed_one_first(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    await driver.start(stacks.stack_spec("rel_1", database(), web(depends_on={"db": "service_healthy"})))
    routed, shared = await driver.parts(stacks.service)
    assert (routed.part, routed.state, routed.release_id, routed.ports) == (
        "web", "running", "rel_1", (stacks.port("rel_1"),),
    )  # fmt: skip
    assert (shared.part, shared.health, shared.release_id, shared.image) == ("db", "healthy", None, IMAGE)
    assert routed.memory_bytes
    assert routed.cpu == 0.0


async def test_usage_counts_what_is_shared_too(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    await driver.start(stacks.stack_spec("rel_1", one("busy", "while :; do :; done", cpus=0.4), web()))
    await driver.usage(["rel_1"])
    await asyncio.sleep(1)
    assert (await driver.usage(["rel_1"]))["rel_1"].cpu > 0.1


async def test_an_app_over_its_memory_is_said_to_be(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    hungry = one("web", "sleep 0.3; exec busybox tail /dev/zero", memory_mb=16, init=None)
    await driver.start(stacks.stack_spec("rel_1", hungry))
    await eventually(lambda: any(each.state is InstanceState.BACKOFF for each in stacks.changes))
    fallen = next(each for each in stacks.changes if each.state is InstanceState.BACKOFF)
    assert (fallen.exit_code, fallen.reason) == (-9, "killed: over its memory limit of 16 MB")


async def test_what_falls_and_rises_while_it_is_taken_up_is_told_as_it_is_then(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    steady = one("web", STEADY)
    first = await driver.start(stacks.stack_spec("rel_1", steady))
    job = one("job", "trap 'exit 0' TERM; echo waits; while :; do sleep 0.05; done", restart="no")
    late = one("late", STEADY, depends_on={"job": "service_completed_successfully"})
    again = asyncio.create_task(driver.start(stacks.stack_spec("rel_1", job, late, steady)))
    name = f"hp-{stacks.service}-job"
    await eventually(lambda: "waits" in stacks.log("job"))
    stacks.crash(first)

    def risen() -> bool:
        state = stacks.container("hp-rel_1")["State"]
        return state["Running"] and not state["Restarting"] and state["Pid"] != first.pid

    await eventually(risen)
    assert not again.done()
    await asyncio.to_thread(stacks.docker.post, f"/containers/{name}/kill", signal="TERM")
    told = await again
    assert (told.state, told.restarts) == (InstanceState.RUNNING, 1)
    assert told.pid != first.pid
    assert (await driver.observe())["rel_1"] == told


async def test_what_a_person_stopped_behind_our_back_is_lost_and_told(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    await driver.start(stacks.stack_spec("rel_1", web()))
    await asyncio.to_thread(stacks.docker.post, "/containers/hp-rel_1/stop", t="0")
    await eventually(lambda: [each.state for each in stacks.changes] == [InstanceState.LOST])
    assert (await driver.observe())["rel_1"].state is InstanceState.LOST


async def test_a_killed_engine_is_said_and_what_ran_is_found_again(
    engine_with_image: DockerEngine, stacks: ComposeWorld
) -> None:
    driver = await stacks.driver()
    told = await driver.start(stacks.stack_spec("rel_1", web()))
    await asyncio.to_thread(engine_with_image.halt)
    try:
        with pytest.raises(EngineUnavailable, match="cannot be reached"):
            await driver.start(stacks.stack_spec("rel_2", web()))
        with pytest.raises(EngineUnavailable):
            await driver.observe()
    finally:
        engine_with_image.start()  # on this thread: the engine ends with the one that started it
    await eventually(lambda: bool(stacks.changes), 40)
    seen = (await driver.observe())["rel_1"]
    assert seen.state is InstanceState.RUNNING  # started again by the engine, nobody asked it to
    assert seen.pid != told.pid


async def test_no_secret_is_in_a_label_or_an_error(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    spec = stacks.stack_spec("rel_1", web(environment={"TOKEN": "hush-hush-hush"}), secret="hush-hush-hush")
    await driver.start(spec)
    assert "hush" not in str(stacks.container("hp-rel_1")["Config"]["Labels"])
    assert spec.stack is not None
    broken = replace(spec, id="rel_2", stack=spec.stack.with_images({"web": "none/hush-hush-hush:1"}))
    with pytest.raises(StartFailed) as failed:
        await driver.start(broken)
    assert "hush" not in failed.value.message
