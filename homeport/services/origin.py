"""Where a release comes from: checks the address, fetches, detects, plans and builds, whatever the method."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homeport.kit.files import atomic_write, remove_tree
from homeport.kit.guard import OutboundGuard
from homeport.kit.ids import new_id
from homeport.services.analysis.result import WRITTEN_DOCKERFILE, Analysis
from homeport.services.compose import Origin
from homeport.services.launch import Confines, Folders
from homeport.services.models import ReleaseRow, ServiceRow
from homeport.services.problems import NothingDetected, SourceUnavailable
from homeport.services.sources import Plan, Revision, Toolchain, build, detect, discover, make_plan
from homeport.services.sources.git import GitFetcher
from homeport.services.sources.templates import Resolved, Templates
from homeport.services.stacks import (
    DRIVERS,
    Stacks,
    StackSource,
    nothing_without_docker,
    written,
)
from homeport.settings import Settings

OnLine = Callable[[str], None]
MIB = 1024 * 1024


@dataclass(frozen=True)
class Needs:
    """The least that an app runs well with: cores and MiB."""

    cpu: float = 0.0
    memory_mb: int = 0


@dataclass(frozen=True)
class Built:
    size_mb: int


class Origins:
    """`source` is a release's record: deploy_method, and template, git_url and git_branch, or upload_id."""

    def __init__(
        self, settings: Settings, templates: Templates, folders: Folders, confines: Confines, stacks: Stacks,
        guard: OutboundGuard,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._templates = templates
        self._folders = folders
        self._confines = confines
        self._guard = guard
        self._git = GitFetcher.from_settings(settings, self._guard, confines.within)
        self._stacks = stacks
        self._toolchain: Toolchain | None = None

    async def check(self, method: str, git_url: str | None, git_branch: str | None, template_id: str | None) -> None:
        """What can be said at once. Raises SourceRefused, DestinationRefused or TemplateNotFound.

        A host that nobody knows is the job's matter: it may be there a minute later.
        """
        if method in ("git", "ai"):
            with contextlib.suppress(SourceUnavailable):
                await self._git.admit(git_url or "", git_branch)
        elif method == "template":
            self._templates.get(template_id or "")

    def needs(self, template_id: str | None) -> Needs:
        """What the template says that it needs; nothing for other sources."""
        if not template_id:
            return Needs()
        template = self._templates.get(template_id)
        return Needs(template.cpu, template.memory_mb)

    def resolve(self, template_id: str, name: str, given: Mapping[str, str], kept: Mapping[str, str]) -> Resolved:
        """A template's variables with what was given, generated before, or is generated now."""
        return self._templates.get(template_id).resolve(given, kept, service_name=name)

    async def fetch(self, source: Mapping[str, Any], into: Path, on_line: OnLine) -> Revision:
        """A fresh copy in `into`; what an earlier try left there is removed first."""
        await asyncio.to_thread(remove_tree, into)
        await asyncio.to_thread(into.parent.mkdir, parents=True, exist_ok=True)
        if text := self._text(source):
            await asyncio.to_thread(into.mkdir)
            return Revision(hashlib.sha256(text.encode()).hexdigest()[:12], "compose document")
        if source["deploy_method"] in ("git", "ai"):
            url = source["git_url"] if source["deploy_method"] == "git" else source["ai_url"]
            revision = await self._git.fetch(url, source["git_branch"], into, on_line)
            if source.get("dockerfile"):
                await asyncio.to_thread(atomic_write, into / WRITTEN_DOCKERFILE, source["dockerfile"])
            return revision
        if source["deploy_method"] == "upload":
            from homeport.services.sources.archive import unpack  # tarfile and zipfile: only who unpacks needs them

            archive = self._folders.uploads / source["upload_id"]
            return await unpack(archive, into, limit_mb=self._settings.clone_limit_mb, on_line=on_line)
        return await self._templates.get(source["template"]).copy(into)

    def _text(self, source: Mapping[str, Any]) -> str | None:
        """The compose text of a source that has nothing else; None for one that is fetched."""
        if source["deploy_method"] == "compose":
            return str(source["compose"])
        if source["deploy_method"] == "template":
            return self._templates.get(source["template"]).compose
        return None

    def _port(self, source: Mapping[str, Any]) -> int | None:
        return self._templates.get(source["template"]).port if source["deploy_method"] == "template" else None

    async def admit(self, service: ServiceRow, variables: Mapping[str, str]) -> None:
        """Judges a text that is known before the service is: raises ComposeRefused with everything that is wrong."""
        source = {"deploy_method": service.deploy_method, "template": service.template, "compose": service.compose}
        text = self._text(source) or service.compose
        if text:
            origin = Origin.TENANT if service.deploy_method in ("compose", "template") else Origin.CLONE
            await asyncio.to_thread(self._stacks.judge, text, origin, service, variables, self._port(source))

    async def stack(self, service: ServiceRow, release: ReleaseRow, folder: Path) -> StackSource | None:
        """What runs as containers, and why; None for what runs as processes.

        Raises NothingDetected, EngineUnavailable.
        """
        source = release.source
        if text := self._text(source):
            return written(text, self._port(source))
        if source["deploy_method"] == "ai":
            if source.get("compose"):
                return StackSource(source["compose"], "The document that you looked over.", Origin.CLONE)
            await self._stacks.require()
            return await self.analysed(folder, service.name)
        if service.driver == "process":
            return None
        found = await self._stacks.find(folder)
        if service.driver in DRIVERS:
            return found or await self.analysed(folder, service.name)
        if found is None or await self._stacks.available():
            return found
        try:
            await asyncio.to_thread(detect, folder, {})
        except NothingDetected:
            raise nothing_without_docker(found) from None
        return None

    async def analysed(self, folder: Path, name: str) -> StackSource:
        """What the analyser makes of a source: its document, and the Dockerfile that it wrote into the folder."""
        return await self._stack_source(folder, await self._analyse(folder, name))

    async def _stack_source(self, folder: Path, analysis: Analysis) -> StackSource:
        if analysis.dockerfile:
            await asyncio.to_thread(atomic_write, folder / WRITTEN_DOCKERFILE, analysis.dockerfile)
        reason = " ".join(f"{one.what} ({one.because})." for one in analysis.findings[:5])
        return StackSource(analysis.compose, reason or "Analysed.", Origin.CLONE, variables=analysis.variables)

    async def preview(self, url: str, branch: str | None, name: str) -> Analysis:
        """Fetch, analyse and forget: what an `ai` deploy would run. Raises what fetching raises."""
        folder = self._folders.previews / new_id("pre")
        await asyncio.to_thread(folder.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
        try:
            await self._git.fetch(url, branch, folder, lambda _: None)
            return await self._analyse(folder, name)
        finally:
            await asyncio.to_thread(remove_tree, folder)

    async def repaired(self, folder: Path, name: str, troubles: Sequence[str]) -> tuple[StackSource | None, str]:
        """The analysis once more, with what each failed try's log has shown; why, or why there is nothing to mend."""
        from homeport.services.analysis.repairs import repair

        analysis = await self._analyse(folder, name)
        reason = ""
        for attempt, log in enumerate(troubles, 1):
            mended = repair(analysis, log, attempt)
            reason = mended.reason
            if mended.analysis is None:
                return None, reason
            analysis = mended.analysis
        return await self._stack_source(folder, analysis), reason

    async def _analyse(self, folder: Path, name: str) -> Analysis:
        from homeport.services.analysis.analyst import Analyst  # its rules are read when somebody first asks

        return await Analyst(self._settings, self._guard).analyse(folder, name=name)

    async def detect(self, directory: Path, variables: Mapping[str, str]) -> str:
        """One sentence: what it is, and how that is known."""
        return (await asyncio.to_thread(detect, directory, variables)).sentence

    async def plan(self, directory: Path, variables: Mapping[str, str]) -> Plan:
        self._toolchain = self._toolchain or await discover()
        detected = await asyncio.to_thread(detect, directory, variables)
        return await asyncio.to_thread(make_plan, directory, detected, self._toolchain)

    def probe(self, source: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
        """The template's own, else what the plan suggests."""
        if source["deploy_method"] == "template" and (own := self._templates.get(source["template"]).probe()):
            return own
        return {"type": plan.probe.type, "path": plan.probe.path, "command": list(plan.probe.argv)}

    def stack_probe(self, source: Mapping[str, Any]) -> dict[str, Any]:
        """The template's own, else: any answer below 500."""
        if source["deploy_method"] == "template" and (own := self._templates.get(source["template"]).probe()):
            return own
        return {"type": "http"}

    async def build(
        self, plan: Plan, service_id: str, directory: Path, variables: Mapping[str, str], on_line: OnLine
    ) -> Built:
        cache = self._folders.cache(service_id)
        await asyncio.to_thread(cache.mkdir, parents=True, exist_ok=True)
        result = await build(
            plan, directory, env=variables, on_line=on_line, timeout=self._settings.build_timeout, cache=cache,
            confinement=self._confines.within(directory, cache),
        )  # fmt: skip
        return Built(-(-result.size_bytes // MIB))
