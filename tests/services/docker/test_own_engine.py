"""The engine that tests start for themselves: beside others, and gone without a trace."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psutil
import pytest

from homeport.testing.busybox_image import busybox_archive
from homeport.testing.docker import DockerEngine, docker_is_installed

IMAGE = "homeport-test/own:1"


@pytest.fixture(scope="module", autouse=True)
def _possible() -> None:
    if not docker_is_installed():
        pytest.skip("no Docker engine can be started here (root, Debian package docker.io): `make test` says how")


def run(engine: DockerEngine) -> int:
    """The pid of a container that runs."""
    engine.load(busybox_archive(IMAGE))
    network = engine.post("/networks/create", {"Name": "inner"})["Id"]
    made = engine.post("/containers/create", {"Image": IMAGE, "HostConfig": {"NetworkMode": network}})["Id"]
    engine.post(f"/containers/{made}/start")
    return int(engine.get(f"/containers/{made}/json")["State"]["Pid"])


def links() -> dict[str, str]:
    """Name by number: another test's engine may take the name of a link that is gone, its number nobody takes."""
    found = subprocess.run(["ip", "-o", "link"], check=True, capture_output=True, text=True).stdout
    return {line.split(": ")[0]: line.split(": ")[1].partition("@")[0] for line in found.splitlines()}


def bridges(engine: DockerEngine) -> set[str]:
    """The numbers of the machine's links of its two networks."""
    default = engine.get("/networks/bridge")["Options"]["com.docker.network.bridge.name"]
    names = {default, "br-" + engine.get("/networks/inner")["Id"][:12]}
    numbers = {number for number, name in links().items() if name in names}
    assert len(numbers) == 2
    return numbers


def traces(folder: Path, pid: int) -> list[str]:
    """What is left of an engine: mounts, processes, files."""
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if f"{folder}/" in line]
    living = [one for one in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(one.info["cmdline"] or ())]
    alive = psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return [*mounts, *map(str, living), *(["a container runs"] if alive else []), *map(str, folder.glob("*"))]


def test_two_engines_run_beside_each_other_on_networks_of_their_own() -> None:
    with DockerEngine() as first, DockerEngine() as second:
        subnets = {one.get("/networks/bridge")["IPAM"]["Config"][0]["Subnet"] for one in (first, second)}
        assert len(subnets) == 2


def test_nothing_is_left_of_an_engine_that_was_stopped() -> None:
    with DockerEngine() as engine:
        pid = run(engine)
        made = bridges(engine)
    assert traces(engine.folder, pid) == []
    assert not made & links().keys()


def test_nothing_is_left_of_an_engine_that_was_killed() -> None:
    with DockerEngine() as engine:
        pid = run(engine)
        made = bridges(engine)
        engine.kill()
    assert traces(engine.folder, pid) == []
    assert not made & links().keys()
