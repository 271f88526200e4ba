"""Small repositories, written where a test wants them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from homeport.services import compose
from homeport.services.analysis import Analysis
from homeport.services.analysis.analyse import analyse
from homeport.services.compose import Origin, Stack

Files = Mapping[str, str | bytes]
Look = Callable[[Files], Analysis]


def write(folder: Path, files: Files) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def admitted(analysis: Analysis) -> Stack:
    """The stack, as the policy reads it with the analysis' own variables."""
    return compose.read(analysis.compose, analysis.values, origin=Origin.CLONE, name=analysis.name)


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Analyses a repository of these files."""

    def at(files: Files) -> Analysis:
        return analyse(write(tmp_path / "source", files), name="shop")

    return at
