"""Small trees of files, and a machine whose interpreters we choose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from homeport.services.sources.toolchain import Toolchain
from homeport.services.sources.versions import Interpreter

Tree = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Writes files below a new folder and returns it."""

    def write(files: Mapping[str, str]) -> Path:
        root = tmp_path / "release"
        root.mkdir()
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return root

    return write


@pytest.fixture
def machine() -> Toolchain:
    """Python 3.11.7 (the default), 3.13.0 and 3.9.18; Node 20.20.2 (the default) and 22.20.0; npm only."""
    return Toolchain(
        pythons=(
            Interpreter(Path("/usr/bin/python3.11"), (3, 11, 7)),
            Interpreter(Path("/usr/bin/python3.13"), (3, 13, 0)),
            Interpreter(Path("/usr/bin/python3.9"), (3, 9, 18)),
        ),
        nodes=(
            Interpreter(Path("/usr/bin/node"), (20, 20, 2)),
            Interpreter(Path("/opt/node22/bin/node"), (22, 20, 0)),
        ),
        managers={"npm": "/usr/bin/npm"},
        pip=Path("/portal/bin/python"),
        pip_serves=">=3.10",
    )
