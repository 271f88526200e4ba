"""What this machine offers to builds."""

from __future__ import annotations

import sys
from pathlib import Path

from homeport.services.sources import discover


async def test_the_python_below_the_portals_own_environment_is_the_default() -> None:
    toolchain = await discover()
    assert toolchain.pythons[0].version == sys.version_info[:3]
    assert str(toolchain.pythons[0].path).startswith(sys.base_prefix)
    assert toolchain.pythons[0].path.parent != Path(sys.prefix) / "bin"


async def test_each_version_is_there_once_and_none_is_a_virtual_environment() -> None:
    toolchain = await discover()
    for found in (toolchain.pythons, toolchain.nodes):
        assert len({one.version for one in found}) == len(found)
        assert not any((one.path.parent.parent / "pyvenv.cfg").exists() for one in found)


async def test_an_interpreter_that_does_not_work_is_as_good_as_not_there(tmp_path: Path) -> None:
    for name in ("python3.77", "node"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    toolchain = await discover(path=str(tmp_path))
    assert not any(one.path.parent == tmp_path for one in (*toolchain.pythons, *toolchain.nodes))
