"""What real processes do, and what their supervisors make of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from homeport.kit.masking import MASK
from homeport.services.drivers import InstanceSpec, InstanceState, Limits, Observation
from homeport.services.drivers.process import ControlGroups, ProcessDriver
from homeport.services.drivers.process.instance import Instance
from homeport.services.problems import StartFailed
from homeport.testing.waiting import Stopwatch, eventually, runs
from homeport.wire.log_line import LONGEST_MESSAGE, parse_line

if TYPE_CHECKING:
    from tests.services.drivers.conftest import ProcessWorld

PATIENT = timedelta(seconds=10)
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True: time.sleep(60)
"""
DAEMONISES = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in (0, 1, 2): os.close(fd)
        time.sleep(600)
    os._exit(0)
os.wait()
time.sleep(0.2)
children = open(f"/proc/{os.getppid()}/task/{os.getppid()}/children").read().split()
print("daemon", next(pid for pid in children if int(pid) != os.getpid()), flush=True)
time.sleep(600)
"""


def messages(world: ProcessWorld, instance_id: str, stream: str = "stdout") -> list[str]:
    written = b""
    with suppress(FileNotFoundError):  # not yet there, or just rotated away
        written = (world.logs / f"{instance_id}.log").read_bytes()
    lines = [parse_line(line) for line in written.splitlines()]
    return [line.message for line in lines if line is not None and line.stream == stream]


async def printed(world: ProcessWorld, instance_id: str, pattern: str) -> re.Match[str]:
    path = world.logs / f"{instance_id}.log"
    found: list[re.Match[str]] = []

    def look() -> bool:
        with suppress(FileNotFoundError):  # not yet there, or just rotated away
            found.extend(re.finditer(pattern, path.read_text(errors="replace")))
        return bool(found)

    await eventually(look)
    return found[0]


def said(world: ProcessWorld, instance_id: str) -> dict[str, Any]:
    """What its supervisor wrote down last: a moment after it wrote its line in the log."""
    return Instance(instance_id, world.directory / "instances" / instance_id).read()


def in_step(world: ProcessWorld, instance_id: str, least: int) -> bool:
    """Whether, between two crashes, as many restarts are counted as the log tells of, and `least` at the least."""
    before = len(messages(world, instance_id, "system"))
    told = said(world, instance_id)
    after = len(messages(world, instance_id, "system"))
    return told.get("state") == "backoff" and least <= before == told["restarts"] == after


async def test_the_app_is_no_child_of_the_portal_and_has_a_session_of_its_own(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    told = await driver.start(processes.spec("rel_1"))
    assert told.pid is not None
    supervisor = processes.supervisor("rel_1")
    assert os.getsid(told.pid) == told.pid
    assert os.getsid(supervisor) not in {os.getsid(0), told.pid}
    assert int(Path(f"/proc/{supervisor}/stat").read_text().rpartition(") ")[2].split()[1]) != os.getpid()


async def test_the_app_gets_its_own_environment_and_none_of_the_portals(
    processes: ProcessWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTAL_SECRET", "of the portal")
    driver = await processes.driver()
    spec = processes.spec("rel_1", argv=("env",))
    await driver.start(replace(spec, env={**spec.env, "COLOUR": "blåtimen"}))
    await printed(processes, "rel_1", "COLOUR=blåtimen")
    names = {line.partition("=")[0] for line in messages(processes, "rel_1")}
    assert names == {"PATH", "COLOUR", "HOMEPORT_INSTANCE"}


async def test_neither_environment_nor_secrets_are_in_arguments_or_on_disk(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    spec = processes.spec("rel_1")
    await driver.start(replace(spec, env={**spec.env, "TOKEN": "hunter2hunter2"}, secrets=("hunter2hunter2",)))
    supervisor = processes.supervisor("rel_1")
    assert b"hunter2" not in Path(f"/proc/{supervisor}/cmdline").read_bytes()
    assert b"hunter2" not in Path(f"/proc/{supervisor}/environ").read_bytes()
    for path in processes.directory.rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes(), path


async def test_the_app_cannot_gain_privileges_or_dump_core_and_reads_nothing(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    told = await driver.start(processes.spec("rel_1"))
    assert "NoNewPrivs:\t1" in Path(f"/proc/{told.pid}/status").read_text()
    assert re.search(r"Max core file size +0 +0", Path(f"/proc/{told.pid}/limits").read_text())
    assert Path(f"/proc/{told.pid}/fd/0").readlink() == Path("/dev/null")


async def test_the_app_inherits_only_its_three_descriptors(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    code = "import os\nprint(sorted(os.listdir('/proc/self/fd'))[:-1], flush=True)\nimport time; time.sleep(60)"
    await driver.start(processes.spec("rel_1", code))
    await printed(processes, "rel_1", r"\['0', '1', '2'\]")


async def test_a_supervisor_is_small(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    await driver.start(processes.spec("rel_1"))
    status = Path(f"/proc/{processes.supervisor('rel_1')}/status").read_text()
    resident = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert resident
    assert int(resident[1]) <= 10 * 1024


async def test_an_app_that_ignores_sigterm_is_killed_after_the_grace(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    told = await driver.start(processes.spec("rel_1", STUBBORN))
    await printed(processes, "rel_1", "ready")
    before, watch = time.monotonic(), Stopwatch()
    await driver.stop("rel_1", timedelta(seconds=0.5))
    assert time.monotonic() - before > 0.4
    assert watch.seconds() < 3
    assert told.pid is not None
    assert not runs(told.pid)
    assert (await driver.observe())["rel_1"].exit_code == -9


async def test_a_shorter_grace_overtakes_a_longer_one(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    await driver.start(processes.spec("rel_1", STUBBORN))
    await printed(processes, "rel_1", "ready")
    watch = Stopwatch()
    patient = asyncio.create_task(driver.stop("rel_1", timedelta(seconds=30)))
    await asyncio.sleep(0.3)
    await driver.remove("rel_1")
    await patient
    assert watch.seconds() < 5
    assert await driver.observe() == {}


async def test_an_app_that_ends_in_time_may_finish_its_work(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    code = """
import os, signal, sys, time
def end(*_):
    time.sleep(0.4)
    print("saved", flush=True)
    sys.stdout.write("the last words have no line end")
    sys.stdout.flush()
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
os.write(1, b"ready\\n")  # print() would still hold its buffer, were SIGTERM to come at once: nobody else may print
while True: time.sleep(60)
"""
    await driver.start(processes.spec("rel_1", code))
    await printed(processes, "rel_1", "ready")
    await driver.stop("rel_1", PATIENT)
    assert messages(processes, "rel_1") == ["ready", "saved", "the last words have no line end"]
    assert messages(processes, "rel_1", "stderr") == []
    assert (await driver.observe())["rel_1"].exit_code == 0


async def test_a_grandchild_that_became_a_daemon_is_ended_by_stop(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    await driver.start(processes.spec("rel_1", DAEMONISES))
    daemon = int((await printed(processes, "rel_1", r"daemon (\d+)"))[1])
    assert runs(daemon)
    await driver.stop("rel_1", PATIENT)
    assert not runs(daemon)


async def test_a_grandchild_that_became_a_daemon_is_ended_when_the_supervisor_is_killed(
    processes: ProcessWorld,
) -> None:
    driver = await processes.driver()
    told = await driver.start(processes.spec("rel_1", DAEMONISES))
    daemon = int((await printed(processes, "rel_1", r"daemon (\d+)"))[1])
    await processes.lose("rel_1")
    await eventually(lambda: [change for change in processes.changes if change.state is InstanceState.LOST])
    assert told.pid is not None
    assert not runs(told.pid)
    assert not runs(daemon)


async def test_what_a_supervisor_left_is_found_without_control_groups_too(processes: ProcessWorld) -> None:
    driver = ProcessDriver(processes.directory / "instances", groups=ControlGroups())
    await driver.open(processes.changes.append)
    processes.drivers.append(driver)
    await driver.start(processes.spec("rel_1", DAEMONISES))
    daemon = int((await printed(processes, "rel_1", r"daemon (\d+)"))[1])
    await driver.close()
    await processes.lose("rel_1")
    await asyncio.sleep(0.1)
    assert runs(daemon)
    second = await processes.driver()
    assert (await second.observe())["rel_1"].state is InstanceState.LOST
    assert not runs(daemon)


async def test_when_the_first_process_ends_its_children_do_not_outlive_it(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    code = "import subprocess\nprint('child', subprocess.Popen(['sleep', '600']).pid, flush=True)"
    await driver.start(processes.spec("rel_1", code, delay=60))
    child = int((await printed(processes, "rel_1", r"child (\d+)"))[1])
    await eventually(lambda: not runs(child))


async def test_another_process_with_the_supervisors_number_is_left_alone(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    await driver.start(processes.spec("rel_1"))
    await driver.stop("rel_1", PATIENT)
    await driver.close()
    stranger = await asyncio.to_thread(subprocess.Popen, ["sleep", "60"])
    try:
        state = processes.directory / "instances" / "rel_1" / "state.json"
        told = json.loads(state.read_text())
        # As if the machine's numbers had come round to a stranger while nobody looked.
        state.write_text(json.dumps({**told, "state": "running", "pid": stranger.pid, "supervisor": stranger.pid}))
        second = await processes.driver()
        assert (await second.observe())["rel_1"].state is InstanceState.LOST
        await second.stop("rel_1", timedelta(0))
        await second.remove("rel_1")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_a_lock_that_nobody_holds_names_no_supervisor(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    assert Instance("rel_1", tmp_path).supervisor() is None


async def test_a_state_that_a_crash_of_the_machine_tore_means_lost(processes: ProcessWorld) -> None:
    directory = processes.directory / "instances" / "rel_1"
    directory.mkdir(parents=True)
    (directory / "state.json").write_bytes(b"")
    driver = await processes.driver()
    assert (await driver.observe())["rel_1"].state is InstanceState.LOST
    assert (await driver.start(processes.spec("rel_1"))).state is InstanceState.RUNNING


async def test_the_back_off_doubles(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    await driver.start(processes.spec("rel_1", "raise SystemExit(3)", delay=0.1))
    await eventually(lambda: len(messages(processes, "rel_1", "system")) >= 4)
    told_so = messages(processes, "rel_1", "system")[:4]
    assert told_so == [f"exited with code 3; starting again in {delay} s" for delay in ("0.1", "0.2", "0.4", "0.8")]
    await eventually(lambda: in_step(processes, "rel_1", 4))
    told = (await driver.observe())["rel_1"]
    assert told.exit_code == 3
    assert told.restarts >= 4


async def test_an_app_whose_program_vanished_is_tried_again_and_says_why(processes: ProcessWorld) -> None:
    program = processes.directory / "program"
    program.write_text("#!/bin/sh\nrm -- $0\nexit 1\n")
    program.chmod(0o755)
    driver = await processes.driver()
    await driver.start(processes.spec("rel_1", argv=(str(program),), delay=0.1))
    await printed(processes, "rel_1", "could not be started: .*No such file or directory")
    await eventually(lambda: in_step(processes, "rel_1", 2))
    assert (await driver.observe())["rel_1"].restarts >= 2


async def test_a_missing_working_directory_is_named(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    with pytest.raises(StartFailed, match="nowhere: No such file or directory"):
        await driver.start(replace(processes.spec("rel_1"), cwd=processes.directory / "nowhere"))


async def test_an_id_that_is_a_path_is_refused(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    with pytest.raises(StartFailed):
        await driver.start(processes.spec("../rel_1"))
    await driver.remove("../instances")
    assert (processes.directory / "instances").is_dir()


async def test_a_supervisor_that_does_not_answer_is_killed_with_all_it_has(
    processes: ProcessWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeport.services.drivers.process.driver.OVERTIME", 0.5)
    driver = await processes.driver()
    told = await driver.start(processes.spec("rel_1"))
    os.kill(processes.supervisor("rel_1"), signal.SIGSTOP)
    await driver.stop("rel_1", timedelta(0))
    assert told.pid is not None
    assert not runs(told.pid)
    assert (await driver.observe())["rel_1"].state is InstanceState.STOPPED


async def test_a_supervisor_that_somebody_else_stopped_is_told(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    await driver.start(processes.spec("rel_1"))
    os.kill(processes.supervisor("rel_1"), signal.SIGTERM)
    await eventually(lambda: processes.changes)
    assert [change.state for change in processes.changes] == [InstanceState.STOPPED]


async def test_many_that_are_stopped_at_once_are_no_news(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    names = [f"rel_{number}" for number in range(20)]
    await asyncio.gather(*(driver.start(processes.spec(name, argv=("sleep", "60"))) for name in names))
    assert set(await driver.usage(names)) == set(names)
    await asyncio.gather(*(driver.remove(name) for name in names))
    assert await driver.observe() == {}
    await asyncio.sleep(0.6)
    assert processes.changes == []


def cpu_seconds(told: Observation) -> float:
    """Of its first process and of its children that have ended (proc(5))."""
    fields = Path(f"/proc/{told.pid}/stat").read_text().rpartition(") ")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


async def test_usage_counts_busy_children_that_came_and_went(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    code = """
import subprocess, sys
while True:
    subprocess.run([sys.executable, "-I", "-S", "-c", "import time\\nwhile time.process_time() < 0.2: pass"])
"""
    spec = processes.spec("rel_1", code)
    told = await driver.start(replace(spec, limits=Limits(memory_mb=256, cpu=2, pids=100)))
    await driver.usage(["rel_1"])
    began, before = time.monotonic(), cpu_seconds(told)
    await eventually(lambda: cpu_seconds(told) - before > 0.6, seconds=30)  # a busy machine gives it little at a time
    usage = (await driver.usage(["rel_1"]))["rel_1"]
    spent = usage.cpu * (time.monotonic() - began)
    assert abs(spent - (cpu_seconds(told) - before)) < 0.4  # the one that runs is counted here and not yet there
    assert usage.cpu < 1.3
    assert 1 << 20 < usage.memory_bytes < 100 << 20


# What stands below is the promise of the whole: the portal may die.

COUNTER = """
import itertools, time
for number in itertools.count():
    print("number", number, flush=True)
    time.sleep(0.002)
"""
PORTAL = """
import asyncio, pickle, sys
from pathlib import Path
from homeport.services.drivers.process import ProcessDriver

async def main():
    driver = ProcessDriver(Path(sys.argv[1]))
    await driver.open(lambda change: None)
    for spec in pickle.loads(sys.stdin.buffer.read()):
        await driver.start(spec)
    print("up", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def portal(root: Path, *specs: InstanceSpec) -> subprocess.Popen[bytes]:
    import pickle

    child = subprocess.Popen([sys.executable, "-c", PORTAL, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin
    assert child.stdout
    child.stdin.write(pickle.dumps(specs))
    child.stdin.close()
    assert child.stdout.readline() == b"up\n"
    return child


async def test_a_killed_portal_loses_neither_the_app_nor_a_line_of_its_log(processes: ProcessWorld) -> None:
    root = processes.directory / "instances"
    first = await asyncio.to_thread(portal, root, processes.spec("rel_1", COUNTER))
    await asyncio.sleep(0.3)
    first.kill()
    first.wait()
    await asyncio.sleep(0.3)
    driver = await processes.driver()
    told = (await driver.observe())["rel_1"]
    assert (told.state, told.restarts) == (InstanceState.RUNNING, 0)
    await asyncio.sleep(0.3)
    await driver.stop("rel_1", PATIENT)
    numbers = [int(message.split()[1]) for message in messages(processes, "rel_1")]
    assert len(numbers) > 50
    assert numbers == list(range(len(numbers)))


async def test_apps_are_started_again_while_the_portal_is_dead(processes: ProcessWorld) -> None:
    root = processes.directory / "instances"
    first = await asyncio.to_thread(portal, root, processes.spec("rel_1", "print('hello', flush=True)", delay=0.1))
    first.kill()
    first.wait()
    await eventually(lambda: len(messages(processes, "rel_1")) >= 4)
    driver = await processes.driver()
    assert (await driver.observe())["rel_1"].restarts >= 2


async def test_an_app_lost_while_the_portal_was_dead_is_seen_as_lost(processes: ProcessWorld) -> None:
    root = processes.directory / "instances"
    first = await asyncio.to_thread(portal, root, processes.spec("rel_1"))
    first.kill()
    first.wait()
    await processes.lose("rel_1")
    driver = await processes.driver()
    assert (await driver.observe())["rel_1"].state is InstanceState.LOST


# Logs, as the supervisor writes them.


async def test_secrets_are_masked_before_they_are_written(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    code = """
import base64, sys, time
secret = "tr0ub4dor&3 ÆØÅ"
print("plain", secret); print("base64", base64.b64encode(b"user:" + secret.encode()).decode())
sys.stdout.flush()
sys.stdout.write("in two ha"); sys.stdout.write("lves " + secret[:5]); sys.stdout.flush(); time.sleep(0.1)
print(secret[5:], flush=True)
sys.stdout.write("x" * (16 * 1024 - 5)); sys.stdout.flush(); time.sleep(0.1)
print(secret, "done", flush=True)
time.sleep(60)
"""
    await driver.start(replace(processes.spec("rel_1", code), secrets=("tr0ub4dor&3 ÆØÅ",)))
    await printed(processes, "rel_1", "done")
    text = processes.log("rel_1")
    assert "tr0ub" not in text
    assert "dor&3" not in text
    assert f"plain {MASK}" in text
    assert f"in two halves {MASK}" in text
    assert text.count(MASK[0]) == 4 * len(MASK)  # the last one stands where a long line is cut


async def test_long_lines_are_cut_with_a_mark_and_lose_nothing(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    await driver.start(processes.spec("rel_1", "import time\nprint('é' * 20000 + 'end', flush=True)\ntime.sleep(60)"))
    await printed(processes, "rel_1", "end")
    raw = (processes.logs / "rel_1.log").read_bytes().splitlines()
    lines = [line for line in map(parse_line, raw) if line and line.stream == "stdout"]
    assert [line.partial for line in lines] == [True, True, False]
    assert all(len(line.message.encode()) <= LONGEST_MESSAGE for line in lines)
    assert "".join(line.message for line in lines) == "é" * 20000 + "end"


async def test_binary_output_becomes_readable_text(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    code = (
        "import os, time\nos.write(1, bytes(range(256)) * 300 + b'\\nend\\n')\nos.write(2, b'\\xff\\n')\ntime.sleep(60)"
    )
    await driver.start(processes.spec("rel_1", code))
    await printed(processes, "rel_1", "stdout F end")
    raw = (processes.logs / "rel_1.log").read_bytes()
    raw.decode("utf-8")
    assert all(parse_line(line) for line in raw.removesuffix(b"\n").split(b"\n"))
    await eventually(lambda: messages(processes, "rel_1", "stderr") == ["�"])


async def test_the_log_is_rotated_by_size_and_two_old_files_are_kept(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    code = "import time\nfor n in range(60000): print(n, 'x' * 80)\nprint('all', flush=True)\ntime.sleep(60)"
    await driver.start(replace(processes.spec("rel_1", code), log_limit_mb=1))
    await printed(processes, "rel_1", "all")
    sizes = {path.name: path.stat().st_size for path in processes.logs.iterdir()}
    assert sizes.keys() == {"rel_1.log", "rel_1.log.1", "rel_1.log.2"}
    assert all(size <= 1 << 20 for size in sizes.values())
    kept = b"".join((processes.logs / f"rel_1.log{age}").read_bytes() for age in (".2", ".1", ""))
    numbers = [int(line.message.split()[0]) for line in map(parse_line, kept.splitlines()[:-1]) if line]
    assert numbers == list(range(numbers[0], 60000))


async def test_instants_in_a_log_are_all_different_and_in_order(processes: ProcessWorld) -> None:
    driver = await processes.driver()
    await driver.start(processes.spec("rel_1", "import time\nprint('x\\n' * 2000, flush=True)\ntime.sleep(60)"))
    await eventually(lambda: len(messages(processes, "rel_1")) >= 2000)
    stamps = [line.split(b" ")[0] for line in (processes.logs / "rel_1.log").read_bytes().splitlines()]
    assert stamps == sorted(set(stamps))
