"""Releases that run as containers: what is a stack, its text, its images, and the stack that a driver is handed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from homeport.kit.files import Tree
from homeport.services import compose
from homeport.services.analysis.result import AskedVariable
from homeport.services.compose import Origin, StackLimits
from homeport.services.compose.model import Stack
from homeport.services.docker import Engine, Images
from homeport.services.docker.problems import EngineUnavailable
from homeport.services.models import ReleaseRow, ServiceRow
from homeport.services.problems import NothingDetected
from homeport.settings import Settings

OnLine = Callable[[str], None]
COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
DRIVERS = frozenset({"compose", "swarm"})
DEFAULT_PORT = 8080
BUILD_ROOM_MB = 1024  # what a build or a pull may well need


@dataclass(frozen=True)
class StackSource:
    """A stack's text and how it came about. `origin` tells how far the policy trusts it; `all_variables` names the
    service that gets every variable of the app, where the text was written by the portal and names none."""

    text: str
    reason: str
    origin: Origin
    all_variables: str | None = None
    variables: tuple[AskedVariable, ...] = ()  # that the text asks for, with what the portal made up for them
    port: int | None = None  # that requests go to, where the text does not say

    def plan(self) -> dict[str, Any]:
        """What a release keeps of it beside the text."""
        return {
            "kind": "stack",
            "origin": self.origin.value,
            "reason": self.reason,
            "all_variables": self.all_variables,
            "port": self.port,
        }


def is_stack(release: ReleaseRow) -> bool:
    return bool(release.plan and release.plan.get("kind") == "stack")


class Stacks:
    """What the deploy steps and the launcher ask about containers."""

    def __init__(self, settings: Settings, engine: Engine, images: Images) -> None:
        self._settings = settings
        self._engine = engine
        self._images = images

    async def available(self) -> bool:
        return await self._engine.available()

    async def require(self) -> None:
        """Raises EngineUnavailable when no Docker Engine answers."""
        if not await self._engine.available():
            where = self._settings.docker_host or "nowhere: the setting docker_host is empty"
            raise EngineUnavailable(f"Docker Engine does not answer ({where}).")

    async def find(self, folder: Path) -> StackSource | None:
        """A compose file, else a Dockerfile, at the top of a fetched source; None where there is neither."""
        return await asyncio.to_thread(_find, folder)

    def driver_for(self, asked: str) -> str:
        """`asked`, with `auto` resolved for something that needs containers."""
        for one in (asked, self._settings.default_driver):
            if one in DRIVERS:
                return one
        return "compose"

    def read(self, service: ServiceRow, release: ReleaseRow, variables: Mapping[str, str]) -> Stack:
        """The release's stack, variables filled in, images as pinned. Raises ComposeRefused."""
        plan = release.plan or {}
        stack = compose.read(
            release.compose or "",
            {**variables, **self.given(service)},
            origin=Origin(plan.get("origin", Origin.TENANT.value)),
            name=service.name,
            port=plan.get("port"),
            limits=StackLimits(memory_mb=release.memory_limit_mb, cpu=release.cpu_limit),
        )
        if service.customer_id is not None:  # a plan counts the service: its containers share what it may use
            stack = stack.within(release.memory_limit_mb, release.cpu_limit)
        if name := plan.get("all_variables"):
            extra = {**variables, "PORT": str(stack.port)}
            stack = stack.with_environment(name, extra)
        return stack.with_images(release.images or {})

    def judge(
        self, text: str, origin: Origin, service: ServiceRow, variables: Mapping[str, str], port: int | None
    ) -> None:
        """Raises ComposeRefused. Takes a while for a long text: not for the event loop."""
        limits = StackLimits(memory_mb=service.memory_limit_mb, cpu=service.cpu_limit)
        given = {**variables, **self.given(service)}
        compose.read(text, given, origin=origin, name=service.name, port=port, limits=limits)

    def given(self, service: ServiceRow) -> dict[str, str]:
        """Variables that every text may use and nobody has to set."""
        return {"HOMEPORT_SERVICE": service.name, "HOMEPORT_URL": self._settings.app_url(service.name)}

    async def make_images(
        self, service_id: str, release_id: str, stack: Stack, folder: Path, on_line: OnLine
    ) -> dict[str, str]:
        """Build or pull each image and pin it for this release: service -> reference."""
        await self._images.preflight(self._settings.disk_reserve_mb + BUILD_ROOM_MB)
        stack = await asyncio.to_thread(compose.settle_builds, stack, folder)
        pinned: dict[str, str] = {}
        by_reference: dict[str, str] = {}
        for one in stack.services:
            if one.build is not None:
                image_id = await self._images.build(
                    folder / one.build.context, dockerfile=one.build.dockerfile, target=one.build.target,
                    args=one.build.args, service_id=service_id, release_id=release_id, part=one.name, on_line=on_line,
                    timeout=self._settings.build_timeout, memory_mb=2048,
                )  # fmt: skip
            else:
                reference = one.image or ""
                image_id = by_reference.get(reference) or await self._images.obtain(reference, on_line)
                by_reference[reference] = image_id
            pinned[one.name] = await self._images.pin(image_id, service_id, release_id, one.name)
        return pinned

    async def missing_images(self, release: ReleaseRow) -> list[str]:
        """Those pinned images of a release that the engine no longer has."""
        return [one for one in (release.images or {}).values() if not await self._images.exists(one)]

    async def keep_images(self, service_id: str, release_ids: Collection[str]) -> None:
        """The images of these releases stay for rollback; the others of the service go."""
        await self._images.keep_only(service_id, release_ids)


def _find(folder: Path) -> StackSource | None:
    tree = Tree(folder)
    for name in COMPOSE_FILES:
        if (text := tree.read(name)) is not None:
            return StackSource(text, f"Found a compose file ({name}).", Origin.CLONE)
    if (dockerfile := tree.read("Dockerfile")) is not None:
        port = exposed_port(dockerfile)
        reason = f"Found a Dockerfile{f' that exposes port {port}' if port else ''}."
        return StackSource(wrap("Dockerfile", port or DEFAULT_PORT), reason, Origin.CLONE, all_variables="web")
    return None


def wrap(dockerfile: str, port: int) -> str:
    """A stack of one service, built from this Dockerfile."""
    web = {
        "build": {"context": ".", "dockerfile": dockerfile},
        "expose": [str(port)],
        "labels": {"homeport.route": "true", "homeport.port": str(port)},
    }
    return yaml.safe_dump({"services": {"web": web}}, sort_keys=False)


def exposed_port(dockerfile: str) -> int | None:
    """The first plain TCP port of its last stage's EXPOSE lines."""
    port: int | None = None
    for line in dockerfile.splitlines():
        words = line.split()
        if words and words[0].upper() == "FROM":
            port = None
        elif len(words) > 1 and words[0].upper() == "EXPOSE" and port is None:
            number = words[1].partition("/")[0]
            port = int(number) if number.isascii() and number.isdecimal() and 0 < int(number) < 65536 else None
    return port


def written(text: str, port: int | None) -> StackSource:
    """A compose text that a person or a template gave."""
    return StackSource(text, "A compose document.", Origin.TENANT, port=port)


def nothing_without_docker(found: StackSource) -> NothingDetected:
    return NothingDetected(
        f"{found.reason} It needs Docker, which does not answer here, and nothing else says how to run it."
    )
