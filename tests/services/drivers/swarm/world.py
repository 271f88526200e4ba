"""A swarm of one node in which the swarm driver is judged by the contract."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import tempfile
import time
from collections.abc import Generator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from homeport.services.compose.model import Stack, StackService
from homeport.services.docker import Engine
from homeport.services.drivers import InstanceSpec, Limits, Observation
from homeport.services.drivers.swarm import SwarmDriver
from homeport.services.drivers.swarm.names import PORTAL
from homeport.testing.busybox_image import busybox_archive
from homeport.testing.swarm import Swarm, swarm_is_possible
from homeport.testing.waiting import runs
from tests.services.drivers.compose.world import sleeper

IMAGE = "homeport-test/busybox:1"
# Ends as its child ends, and on SIGTERM at once; an init of its own would do the same.
STEADY = "trap 'exit 143' TERM; sleep 1000 & wait $!; exit $?"


def one(name: str, script: str, *, image: str = IMAGE, **more: object) -> StackService:
    """A service that runs a shell script."""
    return StackService(name, image=image, entrypoint=("sh", "-c"), command=(script,), **more)  # type: ignore[arg-type]


def a_swarm(count: int) -> Generator[Swarm]:
    """For fixtures: up in two seconds, with the test image on every node."""
    if not swarm_is_possible():
        pytest.skip("No swarm can be made: needs root and Debian's docker.io, iproute2, iptables, busybox-static")
    # Short: a Unix socket's path may have 107 bytes, and containerd adds to it.
    with tempfile.TemporaryDirectory(prefix="hp-sw-") as folder, Swarm(Path(folder) / "c", count) as swarm:
        swarm.load(busybox_archive(IMAGE))
        yield swarm


class SwarmWorld:
    """Its portal's id is new with each test: what other tests left is nobody of ours.

    The contract's tests share one portal and its network: to make and remove that takes longer than most of them.
    """

    def __init__(self, swarm: Swarm, directory: Path, *, portal: str = "", keep_network: bool = False) -> None:
        self.keep_network = keep_network
        self.swarm = swarm
        self.directory = directory
        self.changes: list[Observation] = []
        self.portal = portal or secrets.token_hex(6)
        self.engine = Engine(swarm.manager.url)
        self.drivers: list[SwarmDriver] = []

    async def driver(self) -> SwarmDriver:
        driver = SwarmDriver(self.engine, self.portal, poll=0.3)
        await driver.open(self.changes.append)
        self.drivers.append(driver)
        return driver

    def spec(self, instance_id: str, code: str = STEADY, *, delay: float = 0.2) -> InstanceSpec:
        script = STEADY if "import" in code else code
        return self.stack_spec(instance_id, Stack((one("web", script),), (), "web", 80, "the only one"), delay=delay)

    def stack_spec(
        self, instance_id: str, stack: Stack, *, delay: float = 0.2, secret: str = "", service_id: str = "svc_1"
    ) -> InstanceSpec:
        number = int(instance_id.rpartition("_")[2])
        return InstanceSpec(
            id=instance_id,
            service_id=service_id,
            argv=(),
            cwd=self.directory,
            env={},
            port=19999 + number,
            log_dir=self.directory / "logs",
            secrets=(secret,) if secret else (),
            limits=Limits(memory_mb=64, cpu=0.5, pids=64),
            restart_delay=timedelta(seconds=delay),
            driver="swarm",
            stack=stack,
        )

    def crash(self, observation: Observation) -> None:
        """The child of its first process, which passes the signal on as its own end."""
        assert observation.pid is not None
        pid = self.swarm.manager.pid(observation.pid)
        assert pid is not None
        os.kill(sleeper(pid), signal.SIGSEGV)

    async def lose(self, instance_id: str) -> None:
        """Somebody scales its service to nothing behind the portal's back."""
        await asyncio.to_thread(self._scale_to_nothing, f"hp-{instance_id}")

    def runs(self, pid: int) -> bool:
        found = self.swarm.manager.pid(pid)
        return found is not None and runs(found)

    def refuse(self, spec: InstanceSpec) -> InstanceSpec:
        broken = StackService("web", image=IMAGE, entrypoint=("/no/such/program",))
        return self.stack_spec(spec.id, Stack((broken,), (), "web", 80, "the only one"))

    def log(self, name: str) -> str:
        path = self.directory / "logs" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    async def close(self) -> None:
        last = await self.driver()
        await asyncio.to_thread(self._remove_services)
        if not self.keep_network:
            await last.purge("svc_1")
        await self.leave()

    async def leave(self) -> None:
        """What runs goes on running."""
        for driver in self.drivers:
            await driver.close()
        await self.engine.close()

    def ours(self, kind: str) -> list[str]:
        """Names of this portal's objects: services, networks, configs."""
        found = self.swarm.manager.call("GET", f"/{kind}")
        specs = [one.get("Spec", one) for one in found]
        return [spec["Name"] for spec in specs if (spec.get("Labels") or {}).get(PORTAL) == self.portal]

    def _remove_services(self) -> None:
        """At once; their node's ports are free afterwards."""
        manager = self.swarm.manager
        ids = {
            one["ID"]: manager.call("DELETE", f"/services/{one['ID']}")
            for one in manager.call("GET", "/services")
            if one["Spec"]["Labels"].get(PORTAL) == self.portal
        }
        for node in self.swarm.nodes:
            if node.process.poll() is None:
                for container in node.call("GET", "/containers/json"):
                    if container["Labels"].get(PORTAL) == self.portal:
                        with suppress(RuntimeError):  # it was faster
                            node.call("POST", f"/containers/{container['Id']}/kill")
        deadline = time.monotonic() + 20
        while any(task["ServiceID"] in ids for task in manager.call("GET", "/tasks")):
            assert time.monotonic() < deadline, "the containers of a test do not end"
            time.sleep(0.05)

    def _scale_to_nothing(self, name: str) -> None:
        manager = self.swarm.manager
        told = manager.call("GET", f"/services/{name}")
        spec = told["Spec"]
        spec["Mode"]["Replicated"]["Replicas"] = 0
        manager.call("POST", f"/services/{told['ID']}/update?version={told['Version']['Index']}", spec)
        while any(task["ServiceID"] == told["ID"] for task in manager.call("GET", "/tasks")):
            time.sleep(0.02)
