"""What a confined command can and cannot reach, tried for real."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from homeport.kit.commands import Result, run
from homeport.kit.confinement import Confinement, supported

pytestmark = pytest.mark.skipif(not supported(), reason="this kernel has no Landlock")


class Place:
    """A data directory with keys and two apps, as the portal has it; the command is the first app."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.key = self.data / "keys" / "seal.key"
        self.own = self.data / "services" / "one"
        self.other = self.data / "services" / "two"
        self.outside = folder / "outside"
        for each in (self.key.parent, self.own, self.other, self.outside):
            each.mkdir(parents=True)
        self.key.write_text("secret")
        (self.other / "file").write_text("theirs")
        (self.outside / "file").write_text("readable")

    async def run(self, program: str) -> Result:
        return await run(
            [sys.executable, "-c", program, str(self.data)],
            cwd=self.own,
            env={"PATH": "/usr/bin:/bin"},
            timeout=20,
            check=False,
            confinement=Confinement([str(self.data)], [], [str(self.own)]),
        )

    async def can(self, statement: str) -> bool:
        """Whether the statement goes through; PermissionError is the only other way."""
        result = await self.run(f"import os, sys\ntry:\n    {statement}\nexcept PermissionError:\n    sys.exit(9)")
        assert result.exit_code in (0, 9), result.output
        return result.exit_code == 0


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_its_own_folder_is_its_own(place: Place) -> None:
    assert await place.can("open('new', 'w').write('x'); os.rename('new', 'newer'); os.mkdir('d'); os.listdir('.')")
    assert (place.own / "newer").read_text() == "x"


async def test_the_portals_keys_cannot_be_read_not_even_by_root(place: Place) -> None:
    assert not await place.can(f"open({str(place.key)!r}).read()")


async def test_another_apps_files_cannot_be_read(place: Place) -> None:
    assert not await place.can(f"open({str(place.other / 'file')!r}).read()")
    assert not await place.can(f"os.listdir({str(place.other)!r})")


async def test_a_link_or_a_way_through_proc_leads_nowhere_else(place: Place) -> None:
    (place.own / "link").symlink_to(place.key)
    assert not await place.can("open('link').read()")
    assert not await place.can(f"open('/proc/self/root{place.key}').read()")
    assert not await place.can(f"open('/proc/{os.getpid()}/environ').read()")


async def test_the_rest_of_the_machine_can_be_read_and_not_changed(place: Place) -> None:
    assert await place.can(f"open({str(place.outside / 'file')!r}).read()")
    assert not await place.can(f"open({str(place.outside / 'file')!r}, 'w')")
    assert not await place.can(f"os.unlink({str(place.outside / 'file')!r})")
    assert not await place.can("open('/etc/homeport-was-here', 'w')")
    assert await place.can("open('/dev/null', 'w').write('x')")


async def test_what_it_starts_is_confined_too(place: Place) -> None:
    program = f"import subprocess; subprocess.run(['cat', {str(place.key)!r}], check=True)"
    assert "secret" not in (await place.run(program)).output


async def test_other_processes_cannot_be_signalled(place: Place) -> None:
    victim = subprocess.Popen(["sleep", "30"])  # noqa: ASYNC220
    try:
        assert not await place.can(f"os.kill({victim.pid}, 15)")
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()


async def test_root_is_left_without_capabilities(place: Place) -> None:
    result = await place.run("print(open('/proc/self/status').read())")
    assert "CapEff:\t0000000000000000" in result.output
    assert "CapBnd:\t0000000000000000" in result.output or os.geteuid() != 0
    assert "NoNewPrivs:\t1" in result.output
