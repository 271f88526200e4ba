"""Memory, processes and CPU of an app stay within what it was given, with control groups and without."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from homeport.services.drivers import InstanceState, Limits
from homeport.services.drivers.process import ControlGroups, ProcessDriver
from homeport.services.drivers.process.groups import find_groups
from homeport.services.drivers.process.launch import some_cpus
from homeport.testing.waiting import eventually, runs

if TYPE_CHECKING:
    from tests.services.drivers.conftest import ProcessWorld

HOG = """
import time
kept = []
for _ in range(40):
    kept.append(bytearray(b"x") * (8 << 20))
    time.sleep(0.05)
time.sleep(60)
"""
FORKS = """
import os, time
for _ in range(60):
    if os.fork() == 0: time.sleep(60)
    time.sleep(0.01)
time.sleep(60)
"""


async def driver_without_groups(world: ProcessWorld) -> ProcessDriver:
    driver = ProcessDriver(world.directory / "instances", groups=ControlGroups())
    await driver.open(world.changes.append)
    world.drivers.append(driver)
    return driver


@pytest.mark.parametrize("groups", [True, False])
async def test_a_memory_hog_is_killed_and_named(processes: ProcessWorld, groups: bool) -> None:
    driver = await processes.driver() if groups else await driver_without_groups(processes)
    spec = processes.spec("rel_1", HOG, delay=30)
    await driver.start(replace(spec, limits=Limits(memory_mb=64, cpu=1, pids=50)))
    await eventually(lambda: processes.changes)
    told = processes.changes[0]
    assert told.state is InstanceState.BACKOFF
    assert told.reason == "killed: over its memory limit of 64 MB"
    assert told.exit_code == -9
    assert "killed: over its memory limit of 64 MB; starting again in 30 s" in processes.log("rel_1")


async def test_workers_that_share_memory_are_not_counted_each_for_all(processes: ProcessWorld) -> None:
    driver = await driver_without_groups(processes)
    code = """
import os, time
shared = bytearray(b"x") * (40 << 20)
for _ in range(4):
    if os.fork() == 0: time.sleep(60)
print("ready", flush=True)
time.sleep(60)
"""
    told = await driver.start(replace(processes.spec("rel_1", code), limits=Limits(memory_mb=96, cpu=1, pids=50)))
    await eventually(lambda: (processes.logs / "rel_1.log").exists() and "ready" in processes.log("rel_1"))
    await asyncio.sleep(2)  # the supervisor looks at it twice
    assert told.pid is not None
    assert runs(told.pid)
    usage = (await driver.usage(["rel_1"]))["rel_1"]
    assert 40 << 20 < usage.memory_bytes < 80 << 20


async def test_without_groups_too_many_processes_are_killed_and_named(processes: ProcessWorld) -> None:
    driver = await driver_without_groups(processes)
    spec = processes.spec("rel_1", FORKS, delay=30)
    await driver.start(replace(spec, limits=Limits(memory_mb=512, cpu=1, pids=20)))
    await eventually(lambda: processes.changes)
    assert processes.changes[0].reason == "killed: over its limit of 20 processes and threads"


async def test_without_groups_an_app_keeps_to_as_many_cpus_as_it_has_cores(processes: ProcessWorld) -> None:
    driver = await driver_without_groups(processes)
    told = await driver.start(replace(processes.spec("rel_1"), limits=Limits(memory_mb=64, cpu=0.5, pids=20)))
    assert told.pid is not None
    ours = os.sched_getaffinity(0)
    assert len(os.sched_getaffinity(told.pid)) == 1 if len(ours) > 1 else ours


def test_apps_are_spread_over_the_cpus() -> None:
    chosen = {tuple(some_cpus(f"rel_{number}", 1.0)) for number in range(50)}
    ours = os.sched_getaffinity(0)
    assert chosen == ({(cpu,) for cpu in ours} if len(ours) > 1 else {()})
    assert some_cpus("rel_1", float(len(ours))) == []


async def test_groups_are_used_where_they_are_ours_and_removed_with_the_app(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    told = await driver.start(processes.spec("rel_1"))
    memberships = Path(f"/proc/{told.pid}/cgroup").read_text()
    held = {name for name, phrase in driver.mechanisms().items() if phrase == "control group"}
    assert (memberships.count("/rel_1\n") >= len(held) > 0) or not held
    await driver.remove("rel_1")
    await driver.close()
    own = {line.partition("/")[2] for line in memberships.splitlines() if line.endswith("/rel_1")}
    assert not [path for group in own for path in Path("/sys/fs/cgroup").glob(f"*/{group}")]


async def test_a_started_again_app_is_in_its_groups_again(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    told = await driver.start(processes.spec("rel_1", delay=0.1))
    before = Path(f"/proc/{told.pid}/cgroup").read_text()
    processes.crash(told)
    await eventually(lambda: processes.changes and processes.changes[-1].state is InstanceState.RUNNING)
    assert Path(f"/proc/{processes.changes[-1].pid}/cgroup").read_text() == before


async def test_the_user_is_changed_where_we_have_the_right(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    told = await driver.start(replace(processes.spec("rel_1", argv=("sleep", "60")), uid=65534, cwd=Path("/")))
    expected = 65534 if os.geteuid() == 0 else os.geteuid()
    assert Path(f"/proc/{told.pid}").stat().st_uid == expected
    groups = next(
        line for line in Path(f"/proc/{told.pid}/status").read_text().splitlines() if line.startswith("Groups")
    )
    assert os.geteuid() != 0 or groups.split() == ["Groups:"]
    assert await driver.usage(["rel_1"])


def hierarchy(root: Path, *names: str) -> None:
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "cgroup.procs").touch()


def test_at_the_root_of_a_hierarchy_groups_are_ours(tmp_path: Path) -> None:
    hierarchy(tmp_path, "memory", "pids", "cpu,cpuacct", "unified")
    membership = tmp_path / "membership"
    membership.write_text("8:pids:/\n4:memory:/\n1:cpu,cpuacct:/\n0::/\n")
    groups = find_groups("homeport-x", mount=tmp_path, membership=membership)
    assert groups.controllers == {"memory", "pids", "cpu"}
    values = dict(value for _, pairs in groups.of("rel_1", Limits(memory_mb=64, cpu=1.5, pids=9)) for value in pairs)
    assert values["memory.limit_in_bytes"] == str(64 << 20)
    assert values["pids.max"] == "9"
    assert values["cpu.cfs_quota_us"] == "150000"


def test_in_somebody_elses_group_we_make_none(tmp_path: Path) -> None:
    hierarchy(tmp_path, "memory/theirs/us")
    membership = tmp_path / "membership"
    membership.write_text("4:memory:/theirs/us\n")
    if os.geteuid() == 0:
        assert find_groups("homeport-x", mount=tmp_path, membership=membership) == ControlGroups()


def test_in_a_delegated_group_of_the_second_version_limits_are_written_there(tmp_path: Path) -> None:
    hierarchy(tmp_path, "homeport.service/portal")
    (tmp_path / "cgroup.procs").touch()
    os.setxattr(tmp_path / "homeport.service", "user.delegate", b"1")
    membership = tmp_path / "membership"
    membership.write_text("0::/homeport.service/portal\n")
    groups = find_groups("homeport-x", mount=tmp_path, membership=membership)
    assert groups.controllers == {"memory", "pids", "cpu"}
    [(directory, values)] = groups.of("rel_1", Limits(memory_mb=64, cpu=1.5, pids=9))
    assert directory == str(tmp_path / "homeport.service" / "homeport-x" / "rel_1")
    assert dict(values) == {
        "memory.max": str(64 << 20),
        "memory.oom.group": "1",
        "pids.max": "9",
        "cpu.max": "150000 100000",
    }
