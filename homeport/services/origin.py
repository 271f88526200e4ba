"""Where a release comes from: checks the address, fetches, detects, plans and builds, whatever the method."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homeport.kit.files import remove_tree
from homeport.kit.guard import OutboundGuard
from homeport.services.launch import Confines, Folders
from homeport.services.problems import SourceUnavailable
from homeport.services.sources import Plan, Revision, Toolchain, build, detect, discover, make_plan
from homeport.services.sources.archive import unpack
from homeport.services.sources.git import GitFetcher
from homeport.services.sources.templates import Resolved, Templates
from homeport.settings import Settings

OnLine = Callable[[str], None]
MIB = 1024 * 1024


@dataclass(frozen=True)
class Built:
    size_mb: int


class Origins:
    """`source` is a release's record: deploy_method, and template, git_url and git_branch, or upload_id."""

    def __init__(self, settings: Settings, templates: Templates, folders: Folders, confines: Confines) -> None:
        self._settings = settings
        self._templates = templates
        self._folders = folders
        self._confines = confines
        self._git = GitFetcher.from_settings(settings, OutboundGuard(settings.outbound_allow), confines.within)
        self._toolchain: Toolchain | None = None

    async def check(self, method: str, git_url: str | None, git_branch: str | None, template_id: str | None) -> None:
        """What can be said at once. Raises SourceRefused, DestinationRefused or TemplateNotFound.

        A host that nobody knows is the job's matter: it may be there a minute later.
        """
        if method == "git":
            with contextlib.suppress(SourceUnavailable):
                await self._git.admit(git_url or "", git_branch)
        elif method == "template":
            self._templates.get(template_id or "")

    def resolve(self, template_id: str, name: str, given: Mapping[str, str], kept: Mapping[str, str]) -> Resolved:
        """A template's variables with what was given, generated before, or is generated now."""
        return self._templates.get(template_id).resolve(given, kept, service_name=name)

    async def fetch(self, source: Mapping[str, Any], into: Path, on_line: OnLine) -> Revision:
        """A fresh copy in `into`; what an earlier try left there is removed first."""
        await asyncio.to_thread(remove_tree, into)
        await asyncio.to_thread(into.parent.mkdir, parents=True, exist_ok=True)
        if source["deploy_method"] == "git":
            return await self._git.fetch(source["git_url"], source["git_branch"], into, on_line)
        if source["deploy_method"] == "upload":
            archive = self._folders.uploads / source["upload_id"]
            return await unpack(archive, into, limit_mb=self._settings.clone_limit_mb, on_line=on_line)
        return await self._templates.get(source["template"]).copy(into)

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
