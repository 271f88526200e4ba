"""Reads the manifests of an app: TOML, JSON, and the files that name versions."""

from __future__ import annotations

import json
import tomllib
from typing import Any

from homeport.kit.files import Tree
from homeport.services.problems import NothingDetected


def read_toml(tree: Tree, file: str) -> dict[str, Any]:
    """Empty where there is no such file. Raises NothingDetected for what is not TOML."""
    text = tree.read(file)
    if text is None:
        return {}
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise NothingDetected(f"{file} is not valid TOML: {error}.") from None


def read_json(tree: Tree, file: str) -> dict[str, Any] | None:
    """None where there is no such file. Raises NothingDetected for what is not a JSON object."""
    text = tree.read(file)
    if text is None:
        return None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NothingDetected(f"{file} is not valid JSON: {error}.") from None
    if not isinstance(data, dict):
        raise NothingDetected(f"{file} is not a JSON object.")
    return data


def table(data: dict[str, Any], *keys: str) -> dict[str, Any]:
    """The table below `keys`; empty where there is none, or something else."""
    found: Any = data
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def text_of(data: dict[str, Any], key: str) -> str | None:
    """A string that is not empty, or None."""
    value = data.get(key)
    return value.strip() if isinstance(value, str) and value.strip() else None


def first_line(tree: Tree, file: str) -> str | None:
    """The first line that says something, without comments."""
    lines = (line.split("#")[0].strip() for line in (tree.read(file) or "").splitlines())
    return next((line for line in lines if line), None)


def from_tool_versions(tree: Tree, *names: str) -> str | None:
    """The version that asdf's `.tool-versions` names first for one of `names`."""
    for line in (tree.read(".tool-versions") or "").splitlines():
        words = line.split("#")[0].split()
        if len(words) > 1 and words[0] in names:
            return words[1]
    return None


def from_mise(tree: Tree, *names: str) -> str | None:
    """The version that mise's configuration names for one of `names`."""
    for file in ("mise.toml", ".mise.toml"):
        tools = table(read_toml(tree, file), "tools")
        for name in names:
            spec = tools.get(name)
            spec = spec[0] if isinstance(spec, list) and spec else spec
            spec = spec.get("version") if isinstance(spec, dict) else spec
            if isinstance(spec, str | int | float):
                return str(spec)
    return None
