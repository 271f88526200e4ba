"""The analyser as the portal uses it: rules in a thread, then a model for what the rules are not sure of."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from homeport.kit.guard import OutboundGuard
from homeport.services.analysis.analyse import analyse, rewrite
from homeport.services.analysis.dependencies import MANIFESTS
from homeport.services.analysis.inventory import ENV_FILES, READMES, Files
from homeport.services.analysis.repairs import with_port
from homeport.services.analysis.result import Analysis, Finding
from homeport.settings import Settings

if TYPE_CHECKING:
    from homeport.services.analysis.model import Suggestion

SURE = 0.75  # what the rules know this well is not up to a model
SAID = 0.55  # how far a model is believed
_EXCERPTS = (*READMES, "Procfile", "Dockerfile", *MANIFESTS, *ENV_FILES, "main.py", "app.py", "server.js", "index.js")


class Analyst:
    """`analyse` for the event loop. Without `ai_base_url` and `ai_model` nothing is sent anywhere."""

    def __init__(self, settings: Settings, guard: OutboundGuard) -> None:
        self._settings = settings
        self._guard = guard

    async def analyse(self, folder: Path, *, name: str) -> Analysis:
        """Raises NothingDetected. A model that fails, in whatever way, leaves the rules' result and a warning."""
        analysis = await asyncio.to_thread(analyse, folder, name=name)
        settings = self._settings
        if not (settings.ai_base_url and settings.ai_model) or analysis.recipe is None or analysis.confidence >= SURE:
            return analysis
        from homeport.services.analysis.model import Model, ModelFailed  # brings an HTTP client along

        model = Model(settings.ai_base_url, settings.ai_key, settings.ai_model, self._guard)
        excerpts = await asyncio.to_thread(_excerpts, folder)
        try:
            return merged(analysis, await model.suggest(excerpts))
        except ModelFailed as problem:
            return replace(analysis, warnings=(*analysis.warnings, f"No help from the model: {problem}."))


def _excerpts(folder: Path) -> dict[str, str]:
    files = Files(folder)
    found = {name: files.read(name) for name in _EXCERPTS}
    return {"file names": "\n".join(files.names(limit=200)), **{name: text for name, text in found.items() if text}}


def merged(analysis: Analysis, suggestion: Suggestion) -> Analysis:
    """What the model says, where the rules are unsure; another opinion about what they are sure of is a warning."""
    recipe = analysis.recipe
    if recipe is None:
        return analysis
    warnings = list(analysis.warnings)
    findings = list(analysis.findings)
    if suggestion.language is not None and suggestion.language != analysis.language:
        warnings.append(f"The model takes it for {suggestion.language}; the rules found {analysis.language}.")
    start = suggestion.start_command
    if start is not None and start != recipe.start:
        if _sure(analysis, "starts with"):
            warnings.append(f"The model would start it with `{start[:200]}`; the rules are sure of theirs.")
        else:
            findings = [one for one in findings if not one.what.startswith(("starts with", "no start command"))]
            findings.append(Finding(f"starts with `{start}`", "the model says so", SAID))
            recipe = replace(recipe, start=start)
    added = tuple(name for name in suggestion.packages if name not in recipe.packages) if recipe.debian else ()
    if added:
        findings.append(Finding(f"system packages {', '.join(added)}", "the model says so", SAID))
        recipe = replace(recipe, packages=(*recipe.packages, *added))
    changed = rewrite(replace(analysis, recipe=recipe, findings=tuple(findings), warnings=tuple(warnings)))
    port = suggestion.port
    if port is None or port == changed.port:
        return changed
    if _sure(analysis, "listens on port"):
        said = f"The model says port {port}; the rules are sure of {changed.port}."
        return replace(changed, warnings=(*changed.warnings, said))
    return with_port(changed, Finding(f"listens on port {port}", "the model says so", SAID), port)


def _sure(analysis: Analysis, beginning: str) -> bool:
    return any(one.what.startswith(beginning) and one.confidence >= SURE for one in analysis.findings)
