"""A build runs a stranger's code: it reaches its own release and cache, and nothing else of the portal's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from homeport.kit.confinement import Confinement, supported
from homeport.services.problems import BuildFailed
from homeport.services.sources import Command, Plan, build

pytestmark = pytest.mark.skipif(not supported(), reason="this kernel has no Landlock")


async def built(folder: Path, program: str) -> list[str]:
    release, cache, key = folder / "data/release", folder / "data/cache", folder / "data/key"
    for each in (release, cache):
        each.mkdir(parents=True)
    key.write_text("secret")
    said: list[str] = []
    plan = Plan("python", "a test", ("true",), build=(Command((sys.executable, "-c", program)),))
    await build(
        plan, release, env={}, on_line=said.append, timeout=20, cache=cache,
        confinement=Confinement([str(folder / "data")], [], [str(release), str(cache)]),
    )  # fmt: skip
    return said


async def test_it_writes_to_its_release(tmp_path: Path) -> None:
    await built(tmp_path, "open('made', 'w').write('x')")
    assert (tmp_path / "data/release/made").read_text() == "x"


async def test_it_cannot_read_the_portals_files(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed):
        await built(tmp_path, "print(open('../key').read())")


async def test_it_cannot_write_anywhere_else(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed):
        await built(tmp_path, "open('/etc/homeport-was-here', 'w')")
