"""What this machine offers to builds: Python and Node interpreters and the package managers beside them."""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from homeport.kit.commands import CommandFailed, run
from homeport.services.sources.versions import Interpreter

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_MANAGERS = ("npm", "yarn", "pnpm", "bun")
_ASK_PYTHON = "import sys, importlib.util as u; print(*sys.version_info[:3], int(u.find_spec('ensurepip') is not None))"


@dataclass(frozen=True)
class Toolchain:
    """`pythons` and `nodes`: the default first, then the newest. `managers`: npm, yarn… and where each is.

    `pip`: an interpreter whose pip can install into the environments of others of the versions `pip_serves`, or None.
    """

    pythons: tuple[Interpreter, ...] = ()
    nodes: tuple[Interpreter, ...] = ()
    managers: Mapping[str, str] = field(default_factory=dict)
    pip: Path | None = None
    pip_serves: str = ">=3.9"


async def discover(path: str | None = None) -> Toolchain:
    """Look at the usual places and at `path` (the portal's own PATH by default), asking each interpreter once."""
    search = [Path(part) for part in (path if path is not None else os.environ.get("PATH", "")).split(":") if part]
    search += [Path(part) for part in SYSTEM_PATH.split(":")]
    pythons, nodes = await asyncio.to_thread(_candidates, search)
    found = await asyncio.gather(*(_ask_python(python) for python in pythons), *(_ask_node(node) for node in nodes))
    kept: list[Interpreter] = [interpreter for interpreter in found if interpreter is not None]
    all_pythons = [interpreter for interpreter in kept if interpreter.path in pythons]
    all_nodes = [interpreter for interpreter in kept if interpreter.path in nodes]
    managers: dict[str, str] = {}
    for name in _MANAGERS:
        beside = str(all_nodes[0].path.parent) if all_nodes else ""
        where = shutil.which(name, path=":".join([beside, *map(str, search)]))
        if where is not None:
            managers[name] = where
    return Toolchain(
        tuple(_default_first(all_pythons)),
        tuple(_default_first(all_nodes)),
        managers,
        Path(sys.executable) if importlib.util.find_spec("pip") else None,
        (importlib.metadata.metadata("pip")["Requires-Python"] or "*") if importlib.util.find_spec("pip") else "*",
    )


def _default_first(found: list[Interpreter]) -> list[Interpreter]:
    """One of each version; the first found stays first, since it is the machine's own choice."""
    unique = list({interpreter.version: interpreter for interpreter in reversed(found)}.values())[::-1]
    return unique[:1] + sorted(unique[1:], key=lambda interpreter: interpreter.version, reverse=True)


def _candidates(search: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    home = Path.home()
    minor = f"python3.{sys.version_info.minor}"
    pythons = [Path(sys.base_prefix) / "bin" / minor]  # what the portal's own environment was made from
    nodes: list[Path] = []
    folders = [folder for folder in search if folder.is_dir() and "shims" not in folder.parts]
    folders += sorted(home.glob(".pyenv/versions/*/bin")) + sorted(home.glob(".local/share/uv/python/*/bin"))
    folders += sorted(home.glob(".nvm/versions/node/*/bin")) + sorted(Path("/opt").glob("node*/bin"))
    for folder in folders:
        if not (folder.parent / "pyvenv.cfg").exists():
            pythons += sorted(file for file in folder.glob("python3*") if re.fullmatch(r"python3(\.\d+)?", file.name))
        nodes += [folder / "node"]
    return _real(pythons), _real(nodes)


def _real(paths: Iterable[Path]) -> list[Path]:
    seen: dict[Path, Path] = {}
    for path in paths:
        if path.is_file() and os.access(path, os.X_OK):
            seen.setdefault(path.resolve(), path)
    return list(seen.values())


async def _ask_python(path: Path) -> Interpreter | None:
    answer = await _ask(path, "-I", "-S", "-c", _ASK_PYTHON)
    numbers = re.fullmatch(r"(\d+) (\d+) (\d+) ([01])\s*", answer)
    if numbers is None:
        return None
    return Interpreter(path, (int(numbers[1]), int(numbers[2]), int(numbers[3])), can_pip=numbers[4] == "1")


async def _ask_node(path: Path) -> Interpreter | None:
    numbers = re.match(r"v(\d+)\.(\d+)\.(\d+)", await _ask(path, "--version"))
    return Interpreter(path, (int(numbers[1]), int(numbers[2]), int(numbers[3]))) if numbers else None


async def _ask(path: Path, *arguments: str) -> str:
    """What it prints; nothing for an interpreter that does not work, which is then as good as not installed."""
    try:
        return (await run([str(path), *arguments], cwd=Path("/"), env={"PATH": SYSTEM_PATH}, timeout=20)).output
    except CommandFailed:
        return ""
