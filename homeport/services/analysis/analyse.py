"""From a folder to an analysis: an own compose file, else an own Dockerfile, else a generated one, by rules alone."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from homeport.kit.problems import Problem
from homeport.services import compose
from homeport.services.analysis import (
    compiled_rules,
    dependencies,
    document,
    node_rules,
    python_rules,
    scripted_rules,
    static_rules,
)
from homeport.services.analysis.dockerfile import render
from homeport.services.analysis.found import Found
from homeport.services.analysis.inventory import EnvName, Files, Inventory, exposed_port, take
from homeport.services.analysis.ports import Listening, decide
from homeport.services.analysis.result import WRITTEN_DOCKERFILE, Analysis, Finding, Need, Recipe
from homeport.services.compose import ComposeRefused, Origin
from homeport.services.problems import NothingDetected
from homeport.services.sources.plan import Procfile, parse_procfile

DEFAULT_PORT = 8080
# In this order; the first that can be started wins, and the first of all where none can.
RULES: tuple[tuple[str, Callable[[Files], Found | None]], ...] = (
    ("PHP", scripted_rules.find_php),
    ("Go", compiled_rules.find_go),
    ("Java", compiled_rules.find_java),
    ("Rust", compiled_rules.find_rust),
    ("Ruby", scripted_rules.find_ruby),
    ("Python", python_rules.find),
    (".NET", compiled_rules.find_dotnet),
    ("Node", node_rules.find),
    ("static files", static_rules.find),
    ("shell", static_rules.find_script),
)
_CONTROLS = re.compile(r"[^\x20-\x7e\u00a0-\ud7ff\ue000-\uffff\U00010000-\U0010ffff]")


def secret() -> str:
    """160 random bits, in characters that mean nothing in a URL, a shell or YAML."""
    return secrets.token_hex(20)


def analyse(folder: Path, *, name: str, secret: Callable[[], str] = secret) -> Analysis:
    """How the source in `folder` can run as containers, and why. Blocks: run it in a thread.

    Raises NothingDetected where nothing says how to run it; nothing that lies in the folder raises anything else.
    """
    files = Files(folder)
    inventory = take(files)
    needs = dependencies.sniff(files, inventory)
    found = _language(files)
    warnings = list(found.warnings if found else ())
    extra: list[Finding] = []
    if inventory.compose is not None:
        own = _own_compose(inventory, name, found, secret)
        if isinstance(own, Analysis):
            return _tidy(replace(own, warnings=(*own.warnings, *files.warnings)))
        if inventory.dockerfile is None and (found is None or found.recipe.start is None):
            raise NothingDetected(
                f"{inventory.compose[0]} is not accepted ({own}), and nothing else says how to run it."
            )
        extra.append(Finding(f"{inventory.compose[0]} is not used", own, 0.9))
        warnings.append(f"{inventory.compose[0]} is not used: {own}")
    if inventory.dockerfile is not None:
        analysis = _own_dockerfile(files, inventory, name, found, needs, secret)
    elif found is not None:
        analysis = _generated(files, inventory, name, found, needs, secret)
    else:
        raise NothingDetected(_nothing(files))
    return _tidy(replace(
        analysis, findings=(*extra, *analysis.findings), warnings=(*warnings, *analysis.warnings, *files.warnings)
    ))  # fmt: skip


def _language(files: Files) -> Found | None:
    first: Found | None = None
    for language, rule in RULES:
        try:
            found = rule(files)
        except Problem as problem:  # a manifest that says nothing sensible
            files.warnings.append(f"{language}: {problem.message}"[:300])
            continue
        except (ValueError, RecursionError, AttributeError, TypeError) as problem:
            files.warnings.append(f"{language}: a manifest has an unexpected shape ({type(problem).__name__}).")
            continue
        if found is not None and found.recipe.start is not None:
            return _with_procfile(files, found)
        first = first or found
    return _with_procfile(files, first) if first is not None else _only_procfile(files)


def _with_procfile(files: Files, found: Found) -> Found:
    """A Procfile's line takes the place of the start that the rules found; a page that is only files needs none."""
    entry = _procfile(files)
    if entry is None or not found.recipe.debian:
        return found
    kept = tuple(one for one in found.findings if not one.what.startswith("starts with"))
    start = Finding(f"starts with `{entry.line}`", f"the {entry.entry} line of the Procfile", 0.95)
    return replace(found, recipe=replace(found.recipe, start=entry.line), obeys_port=False, findings=(*kept, start),
                   warnings=(*found.warnings, *_other_entries(files, entry)))  # fmt: skip


def _only_procfile(files: Files) -> Found | None:
    entry = _procfile(files)
    if entry is None:
        return None
    start = Finding(f"starts with `{entry.line}`", f"the {entry.entry} line of the Procfile", 0.9)
    recipe = Recipe(language="shell", image="debian:bookworm-slim", start=entry.line)
    unknown = Finding("no language that is known", "no manifest is there", 0.4)
    return Found(recipe, DEFAULT_PORT, "nothing says another", False, (), (unknown, start))


def _procfile(files: Files) -> Procfile | None:
    text = files.read("Procfile")
    return parse_procfile(text) if text else None


def _other_entries(files: Files, used: Procfile) -> tuple[str, ...]:
    names = re.findall(r"^([A-Za-z0-9_-]{1,40}):", files.read("Procfile") or "", re.MULTILINE)
    others = [name for name in dict.fromkeys(names) if name != used.entry]
    return (f"Only the {used.entry} line of the Procfile runs; {', '.join(others[:8])} does not.",) if others else ()


def _own_compose(inventory: Inventory, name: str, found: Found | None, secret: Callable[[], str]) -> Analysis | str:
    """The analysis of a compose file that the policy admits, or the reason why it does not."""
    assert inventory.compose is not None
    file, text = inventory.compose
    try:
        asked = compose.variables_of(text)
        known = {one.name: one for one in inventory.environment}
        env = document.environment([known.get(each, EnvName(each, "", file)) for each in asked], (), secret)
        values = {one.name: one.value or "" for one in env.variables}
        stack = compose.read(text, values, origin=Origin.CLONE, name=name)
    except ComposeRefused as refused:
        return "; ".join(f"{one.path or 'the document'}: {one.reason}" for one in refused.violations[:3])
    findings = (
        Finding("its own compose file is used", f"{file} is there", 0.95),
        Finding(f"requests go to {stack.routed} at port {stack.port}", stack.reason, 0.85),
    )
    needs = dependencies.from_compose(inventory)
    return Analysis(
        name=name, language=found.recipe.language if found else None, start=None, port=stack.port, findings=findings,
        needs=needs, confidence=0.85, dockerfile=None, compose=text, variables=env.variables, warnings=env.warnings,
        own_compose=file,
    )  # fmt: skip


def _own_dockerfile(
    files: Files,
    inventory: Inventory,
    name: str,
    found: Found | None,
    needs: tuple[Need, ...],
    secret: Callable[[], str],
) -> Analysis:
    assert inventory.dockerfile is not None
    file, text = inventory.dockerfile
    exposed = exposed_port(text)
    if exposed is not None:
        listening = Listening(exposed[0], f"{file}:{exposed[1]} exposes it", 0.9)
    elif found is not None:
        listening = decide(files, inventory, found, found.recipe.start, replaced=False)
        listening = replace(listening, confidence=min(listening.confidence, 0.7))
    elif inventory.readme_port is not None:
        listening = Listening(inventory.readme_port[0], f"{inventory.readme_port[1]} shows that address", 0.6)
    else:
        listening = Listening(DEFAULT_PORT, "nothing says another, and PORT is set to it", 0.3)
    findings = [
        Finding("its own Dockerfile is used", f"{file} is there", 0.95),
        Finding(f"listens on port {listening.port}", listening.because, listening.confidence),
    ]
    return assemble(Analysis(
        name=name, language=found.recipe.language if found else None, start=None, port=listening.port,
        findings=(*findings, *map(_needed, needs)), needs=needs, confidence=0, dockerfile=None, compose="",
        variables=(),
        warnings=(), own_dockerfile=file,
        asked=inventory.environment,
    ), secret)  # fmt: skip


def _generated(
    files: Files, inventory: Inventory, name: str, found: Found, needs: tuple[Need, ...], secret: Callable[[], str]
) -> Analysis:
    start = found.recipe.start
    findings = list(found.findings)
    warnings: list[str] = []
    if start is None:
        findings.append(Finding("no start command", "nothing says how to start it", 0.1))
        warnings.append("Nothing says how to start it: add a Procfile with a line such as 'web: <command>'.")
    listening = decide(files, inventory, found, start, replaced=not found.obeys_port)
    if listening.warning:
        warnings.append(listening.warning)
    findings.append(Finding(f"listens on port {listening.port}", listening.because, listening.confidence))
    if start is None and not found.recipe.layer and not found.recipe.steps:
        raise NothingDetected(_nothing(files))
    return assemble(Analysis(
        name=name, language=found.recipe.language, start=start, port=listening.port,
        findings=(*findings, *map(_needed, needs)), needs=needs, confidence=0, dockerfile=None, compose="",
        variables=(),
        warnings=tuple(warnings), recipe=found.recipe,
        asked=inventory.environment,
    ), secret)  # fmt: skip


def assemble(analysis: Analysis, secret: Callable[[], str] = secret) -> Analysis:
    """Both texts and the variables, from the recipe, the port, the needs and the names that the app reads."""
    framework = analysis.recipe.framework if analysis.recipe else None
    wanted = {"Rails": {"SECRET_KEY_BASE": 40}, "Laravel": {"APP_KEY": 32}}.get(framework or "", {})
    env = document.environment(analysis.asked, analysis.needs, secret, wanted=wanted)
    file = analysis.own_dockerfile or WRITTEN_DOCKERFILE
    return rewrite(replace(
        analysis,
        compose=document.compose_text(analysis.port, file, analysis.needs, env.values),
        variables=env.variables,
        warnings=(*analysis.warnings, *env.warnings),
    ))  # fmt: skip


def rewrite(analysis: Analysis) -> Analysis:
    """The Dockerfile once more, and how sure all of it is: as sure as what is least sure."""
    dockerfile = render(analysis.recipe, analysis.port) if analysis.recipe else None
    start = analysis.recipe.start if analysis.recipe else analysis.start
    confidence = min((one.confidence for one in analysis.findings), default=0.0)
    return replace(analysis, dockerfile=dockerfile, start=start, confidence=confidence)


def _needed(need: Need) -> Finding:
    return Finding(f"needs {need.kind}", need.because, need.confidence)


def _nothing(files: Files) -> str:
    names = [name for name in files.names(limit=200) if not name.startswith(".")]
    shown = ", ".join(name[:60] for name in names[:8])
    return (
        "Nothing here says how to run it. Add a Dockerfile, a compose file, a Procfile ('web: <command>') or the "
        f"manifest of a language at the top. Found: {shown or 'nothing'}{'…' if len(names) > 8 else ''}."
    )


def _tidy(analysis: Analysis) -> Analysis:
    """Text for people: no control characters of a source ever reach a terminal or a page."""
    findings = tuple(replace(one, what=_plain(one.what), because=_plain(one.because)) for one in analysis.findings)
    return replace(analysis, findings=findings, warnings=tuple(dict.fromkeys(map(_plain, analysis.warnings)))[:40],
                   start=_plain(analysis.start, 2000) if analysis.start else None)  # fmt: skip


def _plain(text: str, most: int = 400) -> str:
    text = _CONTROLS.sub("�", text)
    return text if len(text) <= most else text[: most - 1] + "…"
