"""Images: pulled, built, pinned to releases, and taken away again. Only tags that this portal made are removed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from homeport.kit.clock import Clock
from homeport.services.docker import labels
from homeport.services.docker.bases import check_bases
from homeport.services.docker.engine import Engine, path_part
from homeport.services.docker.problems import EngineRefused, ImageUnavailable, NotEnoughSpace
from homeport.services.problems import BuildFailed

OnLine = Callable[[str], None]

PULL_SECONDS = 900.0
FIRST_WORD_SECONDS = 60.0  # a registry that says nothing for so long does not answer
FIRST_WORD_WITH_COPY_SECONDS = 15.0  # the same where an older copy is here
LEAST_INODES = 10_000
REMOVE_SECONDS = 120.0
BUILD_CPU = 1.0  # cores
_PERIOD = 100_000  # microseconds: the kernel's accounting period


class Images:
    """`portal_id` goes on everything built, so that another portal on the same engine leaves it alone."""

    def __init__(self, engine: Engine, portal_id: str, clock: Clock) -> None:
        self._engine = engine
        self._portal_id = portal_id
        self._clock = clock

    async def exists(self, reference: str) -> bool:
        """Whether the engine has it. Raises EngineUnavailable."""
        return await self._id(reference) is not None

    async def obtain(self, reference: str, on_line: OnLine) -> str:
        """The id of the newest image of that name. A registry that does not hand it out makes a copy that is here good
        enough, and `on_line` is told. Raises ImageUnavailable, EngineUnavailable."""
        here = await self._id(reference)
        if here is not None and (reference == here or "@sha256:" in reference):
            return here
        trouble = await self._pull(reference, on_line, FIRST_WORD_WITH_COPY_SECONDS if here else FIRST_WORD_SECONDS)
        found = await self._id(reference)
        if trouble is not None:
            if found is None:
                raise ImageUnavailable(f"The image {reference} cannot be had: {trouble}")
            on_line(f"The image {reference} could not be pulled ({trouble}); the copy that is here is used.")
        if found is None:
            raise ImageUnavailable(f"The image {reference} was pulled and is not here.")
        return found

    async def build(
        self,
        context: Path,
        *,
        dockerfile: str,
        target: str | None,
        args: Mapping[str, str],
        service_id: str,
        release_id: str,
        part: str,
        on_line: OnLine,
        timeout: float,  # seconds
        memory_mb: int,
    ) -> str:
        """The id of the image built from `context`. It is given `args` and nothing of the portal's environment.

        Raises BuildFailed, EngineUnavailable.
        """
        query: dict[str, Any] = {
            "dockerfile": dockerfile, "target": target or "", "rm": True, "forcerm": True, "version": "1",
            "buildargs": dict(args),
            "labels": labels.of(self._portal_id, service_id, release_id=release_id, part=part),
            "memory": memory_mb << 20, "memswap": memory_mb << 20,
            "cpuperiod": _PERIOD, "cpuquota": int(_PERIOD * BUILD_CPU),
        }  # fmt: skip
        await asyncio.to_thread(check_bases, context, dockerfile, args)
        from homeport.services.docker.context import pack  # tarfile: only who builds needs it

        packed = await asyncio.to_thread(pack, context, dockerfile)
        try:
            async with (
                asyncio.timeout(timeout),
                self._engine.stream(
                    "POST", "/build", query=query, data=packed, headers={"Content-Type": "application/x-tar"}
                ) as answer,
            ):
                found = await self._follow_build(self._engine.lines(answer), on_line)
        except TimeoutError:
            raise BuildFailed(f"The build of {part} was stopped: it took longer than {timeout:g} seconds.") from None
        except EngineRefused as refusal:
            raise BuildFailed(f"The build of {part} failed: {refusal.message}") from None
        finally:
            packed.close()
        if found is None:
            raise BuildFailed(f"The build of {part} ended without an image.")
        return found

    async def pin(self, image_id: str, service_id: str, release_id: str, part: str) -> str:
        """Give the image a name of its release's own, which it keeps until `keep_only`; returns the name."""
        repository, tag = labels.repository(service_id), labels.tag(release_id, part)
        await self._engine.ask("POST", f"/images/{path_part(image_id)}/tag", query={"repo": repository, "tag": tag})
        return f"{repository}:{tag}"

    async def keep_only(self, service_id: str, release_ids: Collection[str]) -> int:
        """Remove our names of the service's other releases, and the images that nobody else names or uses.

        Returns how many went. One that a container still uses stays until the next call.
        """
        wanted = tuple(labels.tag(release_id, "") for release_id in release_ids)
        removed = 0
        for name in await self._names(service_id):
            if name.rpartition(":")[2].startswith(wanted):
                continue
            try:
                await self._engine.ask("DELETE", f"/images/{path_part(name)}", seconds=REMOVE_SECONDS)
            except EngineRefused as refusal:
                if refusal.engine_status not in {404, 409}:
                    raise
            else:
                removed += 1
        return removed

    async def preflight(self, needed_mb: int) -> None:
        """Raises NotEnoughSpace where the engine's disk has fewer free MB than needed, or hardly any inodes.

        The disk of an engine on another machine cannot be seen and is taken to be large enough.
        """
        if not self._engine.is_local:
            return
        root = (await self._engine.ask("GET", "/info"))["DockerRootDir"]
        try:
            disk = await asyncio.to_thread(os.statvfs, root)
        except FileNotFoundError:  # the portal runs in a container of its own
            return
        free_mb = disk.f_bavail * disk.f_frsize >> 20
        if free_mb < needed_mb:
            raise NotEnoughSpace(f"Docker's disk has {free_mb} MB free; a build needs {needed_mb} MB.")
        if disk.f_files and disk.f_favail < LEAST_INODES:
            raise NotEnoughSpace(f"Docker's disk has {disk.f_favail} inodes free; a build needs {LEAST_INODES}.")

    async def _names(self, service_id: str) -> list[str]:
        """Our own names of one service's images."""
        repository = labels.repository(service_id)
        images = await self._engine.ask("GET", "/images/json", query={"filters": {"reference": [f"{repository}:*"]}})
        names = (name for image in images for name in image["RepoTags"] or ())
        return sorted(name for name in names if name.startswith(f"{repository}:rel_"))

    async def _id(self, reference: str) -> str | None:
        try:
            image = await self._engine.ask("GET", f"/images/{path_part(reference)}/json")
        except EngineRefused as refusal:
            if refusal.engine_status == 404:
                return None
            raise
        return str(image["Id"])

    async def _pull(self, reference: str, on_line: OnLine, first_word: float) -> str | None:
        """Why it did not work, or None."""
        name = reference if "@" in reference or ":" in reference.rpartition("/")[2] else f"{reference}:latest"
        try:
            async with asyncio.timeout(first_word) as patience:
                async with self._engine.stream("POST", "/images/create", query={"fromImage": name}) as answer:
                    patience.reschedule(asyncio.get_running_loop().time() + PULL_SECONDS)
                    async for told in self._engine.lines(answer):
                        if "error" in told:
                            return _one_line(told["error"])
                        if not told.get("progressDetail"):
                            on_line(" ".join(filter(None, (told.get("id"), told.get("status")))))
        except TimeoutError:
            return "the registry did not answer in time"
        except EngineRefused as refusal:
            return _one_line(refusal.message)
        return None

    async def _follow_build(self, lines: Any, on_line: OnLine) -> str | None:
        found = None
        async for told in lines:
            if "error" in told:
                raise BuildFailed(f"The build failed: {_one_line(told['error'])}")
            if "aux" in told and "ID" in told["aux"]:
                found = str(told["aux"]["ID"])
            for line in str(told.get("stream") or "").splitlines():
                if line.strip():
                    on_line(line.rstrip())
        return found


def _one_line(text: str) -> str:
    return " ".join(str(text).split())[:500]
