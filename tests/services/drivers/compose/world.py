"""A Docker engine in which the compose driver is judged: by the contract, and by what is its own."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from homeport.kit.clock import SystemClock
from homeport.services.compose.model import Stack, StackService
from homeport.services.docker import Engine, labels
from homeport.services.drivers import InstanceSpec, Limits, Observation
from homeport.services.drivers.compose import ComposeDriver
from homeport.testing.docker import DockerEngine
from homeport.testing.ports import free_port
from homeport.testing.waiting import runs

IMAGE = "homeport-test/compose:1"
STEADY = "exec sleep 1000"
ONCE = "if test -e /ran; then exit 1; fi; echo > /ran; exec sleep 1000"  # after a crash it stays down


def one(name: str, script: str, **more: Any) -> StackService:
    """A service that runs a shell script, and ends on SIGTERM."""
    return StackService(name, **{"image": IMAGE, "command": ("sh", "-c", script), "init": True, **more})


def sleeper(pid: int) -> int:
    """The child of this process that sleeps, once it does: a container runs a moment before its script gets there."""
    deadline = time.monotonic() + 10
    while True:
        for child in psutil.Process(pid).children():
            with suppress(psutil.NoSuchProcess):
                if child.cmdline()[:1] == ["sleep"]:
                    return child.pid
        assert time.monotonic() < deadline, "it does not sleep"
        time.sleep(0.005)


class ComposeWorld:
    """Its portal's id is new with each test: what other tests left is nobody of ours."""

    def __init__(self, docker: DockerEngine, directory: Path) -> None:
        self.docker = docker
        self.directory = directory
        self.logs = directory / "logs"
        self.changes: list[Observation] = []
        self.portal = secrets.token_hex(6)
        self.service = f"svc_{secrets.token_hex(4)}"
        self.engine = Engine(docker.url)
        self.drivers: list[ComposeDriver] = []
        self.ports: dict[str, int] = {}

    async def driver(self) -> ComposeDriver:
        driver = ComposeDriver(self.engine, self.portal, 10, SystemClock())
        await driver.open(self.changes.append)
        self.drivers.append(driver)
        return driver

    def spec(self, instance_id: str, code: str = STEADY, *, delay: float = 0.2) -> InstanceSpec:
        """The engine's first back-off is a tenth of a second: a longer one means that it does not come up again."""
        script = (ONCE if delay > 10 else STEADY) if "import" in code else code
        return self.stack_spec(instance_id, one("web", script), service_id="svc_1")

    def stack_spec(
        self, instance_id: str, *services: StackService, volumes: tuple[str, ...] = (), secret: str = "",
        service_id: str | None = None,
    ) -> InstanceSpec:  # fmt: skip
        """The last one is routed."""
        stack = Stack(services, volumes, services[-1].name, 80, "the last one")
        return InstanceSpec(
            id=instance_id, service_id=service_id or self.service, argv=(), cwd=self.directory, env={},
            port=self.port(instance_id), log_dir=self.logs, secrets=(secret,) if secret else (),
            limits=Limits(memory_mb=64, cpu=0.5, pids=64), driver="compose", stack=stack,
        )  # fmt: skip

    def port(self, instance_id: str) -> int:
        """A free one of this machine, the same for the same instance."""
        if instance_id not in self.ports:
            self.ports[instance_id] = free_port()
        return self.ports[instance_id]

    def crash(self, observation: Observation) -> None:
        """What its init started: a signal from outside does not end an init."""
        assert observation.pid is not None
        os.kill(sleeper(observation.pid), signal.SIGSEGV)

    async def lose(self, instance_id: str) -> None:
        answer = await asyncio.to_thread(
            self.docker.api.delete, f"/containers/hp-{instance_id}", params={"force": "true"}
        )
        answer.raise_for_status()

    def runs(self, pid: int) -> bool:
        return runs(pid)

    def refuse(self, spec: InstanceSpec) -> InstanceSpec:
        return self.stack_spec(spec.id, one("web", STEADY, image="homeport-test/none:1"))

    def containers(self, **wanted: str) -> list[dict[str, Any]]:
        """Of this portal, inspected, by name."""
        filters = f'{{"label": ["{labels.PORTAL}={self.portal}"]}}'
        listed = self.docker.get("/containers/json", all="true", filters=filters)
        found = [self.docker.get(f"/containers/{each['Id']}/json") for each in listed]
        return sorted(found, key=lambda each: str(each["Name"]))

    def said(self, name: str) -> str:
        """What the engine has of a container's output, whether it was collected or not."""
        answer = self.docker.api.get(f"/containers/{name}/logs", params={"stdout": "true", "stderr": "true"})
        answer.raise_for_status()
        return answer.content.decode("utf-8", "replace")

    def container(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.docker.get(f"/containers/{name}/json")
        return found

    def log(self, name: str) -> str:
        path = self.logs / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def messages(self, name: str) -> list[str]:
        return [line.split(" ", 3)[3] for line in self.log(name).splitlines()]

    async def close(self) -> None:
        last = await self.driver()
        for service in {each["Config"]["Labels"][labels.SERVICE] for each in self.containers()} | {
            "svc_1",
            self.service,
        }:
            await last.purge(service)
        for driver in self.drivers:
            await driver.close()
        await self.engine.close()
