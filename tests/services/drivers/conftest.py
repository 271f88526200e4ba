"""Worlds in which a driver is judged: real processes, and the fake."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import pytest

from homeport.services.drivers import InstanceSpec, Observation, ServiceDriver
from homeport.services.drivers.process import ProcessDriver
from homeport.services.drivers.process.instance import Instance
from homeport.testing.busybox_image import busybox_archive
from homeport.testing.docker import DockerEngine
from homeport.testing.driver import FakeDriver, FakeMachine
from homeport.testing.swarm import Swarm
from homeport.testing.waiting import eventually, runs
from tests.services.drivers.compose.world import IMAGE, ComposeWorld
from tests.services.drivers.swarm.world import SwarmWorld, a_swarm

STEADY = "import time\nwhile True: time.sleep(60)"


class World(Protocol):
    """What is the same for every driver: a machine on which drivers come and go."""

    changes: list[Observation]

    async def driver(self) -> ServiceDriver: ...

    def spec(self, instance_id: str, code: str = STEADY, *, delay: float = 0.2) -> InstanceSpec: ...

    def crash(self, observation: Observation) -> None: ...

    async def lose(self, instance_id: str) -> None: ...

    def runs(self, pid: int) -> bool: ...

    def refuse(self, spec: InstanceSpec) -> InstanceSpec: ...


class ProcessWorld:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.changes: list[Observation] = []
        self.drivers: list[ProcessDriver] = []
        self.logs = directory / "logs"

    async def driver(self) -> ProcessDriver:
        driver = ProcessDriver(self.directory / "instances")
        await driver.open(self.changes.append)
        self.drivers.append(driver)
        return driver

    def spec(
        self, instance_id: str, code: str = STEADY, *, delay: float = 0.2, argv: tuple[str, ...] = ()
    ) -> InstanceSpec:
        return InstanceSpec(
            id=instance_id,
            service_id="svc_1",
            argv=argv or (sys.executable, "-I", "-S", "-c", code),
            cwd=self.directory,
            env={"PATH": os.environ["PATH"]},
            port=20000,
            log_dir=self.logs,
            restart_delay=timedelta(seconds=delay),
        )

    def crash(self, observation: Observation) -> None:
        assert observation.pid is not None
        os.kill(observation.pid, signal.SIGSEGV)

    async def lose(self, instance_id: str) -> None:
        supervisor = self.supervisor(instance_id)
        os.kill(supervisor, signal.SIGKILL)
        await eventually(lambda: not runs(supervisor))  # on a busy machine its end comes a moment after the signal

    def supervisor(self, instance_id: str) -> int:
        pid = Instance(instance_id, self.directory / "instances" / instance_id).holder()
        assert pid is not None
        return pid

    def runs(self, pid: int) -> bool:
        return runs(pid)

    def refuse(self, spec: InstanceSpec) -> InstanceSpec:
        return self.spec(spec.id, argv=("/no/such/program",))

    def log(self, instance_id: str) -> str:
        return (self.logs / f"{instance_id}.log").read_text()

    async def close(self) -> None:
        last = await self.driver()
        for instance_id in await last.observe():
            await last.remove(instance_id)
        for driver in self.drivers:
            await driver.close()


class FakeWorld:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.changes: list[Observation] = []
        self.machine = FakeMachine()
        self.last: FakeDriver | None = None

    async def driver(self) -> FakeDriver:
        self.last = FakeDriver(self.machine)
        await self.last.open(self.changes.append)
        return self.last

    def spec(self, instance_id: str, code: str = STEADY, *, delay: float = 0.2) -> InstanceSpec:
        return InstanceSpec(
            id=instance_id,
            service_id="svc_1",
            argv=("app",),
            cwd=self.directory,
            env={},
            port=20000,
            log_dir=self.directory,
            restart_delay=timedelta(seconds=delay),
        )

    def crash(self, observation: Observation) -> None:
        assert self.last is not None
        self.last.exit(observation.id, -11)

    async def lose(self, instance_id: str) -> None:
        assert self.last is not None
        self.last.lose(instance_id)

    def runs(self, pid: int) -> bool:
        return pid in {seen.pid for seen in self.machine.seen.values()}

    def refuse(self, spec: InstanceSpec) -> InstanceSpec:
        assert self.last is not None
        self.last.refuse = "no such program"
        return spec


@pytest.fixture(scope="session")
def swarm_of_one() -> Iterator[Swarm]:
    """A real swarm with one node, and a small image on it."""
    yield from a_swarm(1)


@pytest.fixture(scope="session")
def engine_with_image(docker_engine: DockerEngine) -> DockerEngine:
    """A real Docker engine with a small image in it."""
    docker_engine.load(busybox_archive(IMAGE))
    return docker_engine


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[ProcessWorld]:
    world = ProcessWorld(tmp_path)
    yield world
    await world.close()


@pytest.fixture(params=["process", "fake", "compose", "swarm"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param == "fake":
        yield FakeWorld(tmp_path)
        return
    if request.param == "swarm":
        swarm = SwarmWorld(request.getfixturevalue("swarm_of_one"), tmp_path, portal="contract", keep_network=True)
        yield swarm
        await swarm.close()
        return
    if request.param == "compose":
        compose = ComposeWorld(request.getfixturevalue("engine_with_image"), tmp_path)
        yield compose
        await compose.close()
        return
    processes = ProcessWorld(tmp_path)
    yield processes
    await processes.close()
