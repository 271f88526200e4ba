"""How a child command is run, and that nothing of it is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from homeport.kit.commands import CommandFailed, CommandFlooded, CommandTimedOut, run

PATH = {"PATH": "/usr/bin:/bin"}


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def gone(pid: int) -> bool:
    for _ in range(100):
        if not alive(pid):
            return True
        await asyncio.sleep(0.05)
    return False


async def written(file: Path) -> int:
    """The number that a child has put into `file`."""
    for _ in range(200):
        if file.exists() and file.read_text().strip():
            break
        await asyncio.sleep(0.05)
    return int(file.read_text())


async def test_lines_of_both_outputs_come_in_order_without_terminal_codes(tmp_path: Path) -> None:
    lines: list[str] = []
    script = r"printf '\033[31mone\033[0m\n'; echo two >&2; printf 'half\rthree'"
    result = await run(["/bin/sh", "-c", script], cwd=tmp_path, env=PATH, timeout=10, on_line=lines.append)
    assert lines == ["one", "two", "half", "three"]
    assert result.exit_code == 0


async def test_the_environment_is_exactly_the_one_given(tmp_path: Path) -> None:
    result = await run(["/usr/bin/env"], cwd=tmp_path, env={"A": "1"}, timeout=10)
    assert result.output == "A=1\n"


async def test_values_appear_in_no_argv_but_their_own(tmp_path: Path) -> None:
    seen = await run(
        ["/bin/sh", "-c", "cat /proc/$PPID/cmdline /proc/$PPID/environ | tr '\\0' ' '"],
        cwd=tmp_path,
        env=PATH | {"TOKEN": "s3cret"},
        timeout=10,
    )
    assert "s3cret" not in seen.output


async def test_the_working_directory_is_the_one_given(tmp_path: Path) -> None:
    assert (await run(["/bin/pwd"], cwd=tmp_path, env={}, timeout=10)).output.strip() == str(tmp_path)


async def test_standard_input_is_what_was_given_or_nothing(tmp_path: Path) -> None:
    assert (await run(["/bin/cat"], cwd=tmp_path, env={}, timeout=10, stdin=b"hello")).output == "hello"
    assert (await run(["/bin/cat"], cwd=tmp_path, env={}, timeout=10)).output == ""


async def test_a_failure_carries_exit_code_and_output(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed) as caught:
        await run(["/bin/sh", "-c", "echo why; exit 3"], cwd=tmp_path, env={}, timeout=10)
    assert (caught.value.exit_code, caught.value.output) == (3, "why\n")
    assert str(caught.value) == "sh ended with exit code 3."


async def test_without_check_a_failure_is_a_result(tmp_path: Path) -> None:
    assert (await run(["/bin/false"], cwd=tmp_path, env={}, timeout=10, check=False)).exit_code == 1


async def test_death_by_signal_is_told(tmp_path: Path) -> None:
    result = await run(["/bin/sh", "-c", "kill -TERM $$"], cwd=tmp_path, env={}, timeout=10, check=False)
    assert result.exit_code == -signal.SIGTERM
    result = await run(["/bin/sh", "-c", "kill -KILL $$"], cwd=tmp_path, env={}, timeout=10, check=False)
    assert result.exit_code == -signal.SIGKILL


async def test_a_missing_program_is_named(tmp_path: Path) -> None:
    result = await run(["no-such-program"], cwd=tmp_path, env=PATH, timeout=10, check=False)
    assert result.exit_code == 127
    assert "cannot run no-such-program: No such file or directory" in result.output


async def test_a_slow_command_is_killed_with_its_whole_family(tmp_path: Path) -> None:
    script = "setsid sleep 300 & echo $! > child; sleep 300"
    with pytest.raises(CommandTimedOut, match=r"longer than 2\.5 seconds"):  # by then it has begun on any machine
        await run(["/bin/sh", "-c", script], cwd=tmp_path, env=PATH, timeout=2.5)
    assert await gone(int((tmp_path / "child").read_text()))


async def test_what_a_command_leaves_in_the_background_ends_with_it(tmp_path: Path) -> None:
    script = "setsid sleep 300 >/dev/null 2>&1 & echo $! > child"
    started = time.monotonic()
    await run(["/bin/sh", "-c", script], cwd=tmp_path, env=PATH, timeout=20)
    assert await gone(int((tmp_path / "child").read_text()))
    assert time.monotonic() - started < 10


async def test_a_cancelled_command_is_killed(tmp_path: Path) -> None:
    task = asyncio.create_task(
        run(["/bin/sh", "-c", "echo $$ > pid; sleep 300"], cwd=tmp_path, env=PATH, timeout=60), name="command"
    )
    pid = await written(tmp_path / "pid")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await gone(pid)


async def test_a_flood_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(CommandFlooded, match="more than 100000 bytes"):
        await run(["/usr/bin/yes"], cwd=tmp_path, env={}, timeout=20, max_output=100_000)


async def test_an_endless_line_is_cut(tmp_path: Path) -> None:
    lines: list[str] = []
    await run(
        ["/bin/sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x; echo; echo end"],
        cwd=tmp_path,
        env=PATH,
        timeout=20,
        on_line=lines.append,
    )
    assert [len(line) for line in lines] == [4096, 3]


async def test_only_the_tail_of_the_output_is_kept(tmp_path: Path) -> None:
    result = await run(["/usr/bin/seq", "1", "20000"], cwd=tmp_path, env={}, timeout=20, keep_output=100)
    assert len(result.output) == 100
    assert result.output.endswith("\n20000\n")


async def test_memory_is_bounded(tmp_path: Path) -> None:
    result = await run(
        [sys.executable, "-c", "x = bytearray(400_000_000)"],
        cwd=tmp_path,
        env=PATH,
        timeout=20,
        memory_mb=200,
        check=False,
    )
    assert "MemoryError" in result.output


async def test_the_size_of_a_file_is_bounded(tmp_path: Path) -> None:
    result = await run(
        ["/bin/dd", "if=/dev/zero", "of=big", "bs=1M", "count=4"],
        cwd=tmp_path,
        env=PATH,
        timeout=20,
        file_mb=2,
        check=False,
    )
    assert result.exit_code != 0
    assert (tmp_path / "big").stat().st_size == 2 * 1024 * 1024


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's commands need root")
async def test_a_command_runs_as_the_user_given(tmp_path: Path) -> None:
    result = await run(["/usr/bin/id"], cwd=Path("/"), env=PATH, timeout=10, uid=65534)
    assert result.output.startswith("uid=65534")
    assert "root" not in result.output


async def test_a_command_dies_with_the_portal(tmp_path: Path) -> None:
    """The portal is killed with -9 in the middle of a build."""
    code = (
        "import asyncio, pathlib; from homeport.kit.commands import run\n"
        "asyncio.run(run(['/bin/sh', '-c', 'sleep 300 & echo $! > child; wait'],"
        f" cwd=pathlib.Path({str(tmp_path)!r}), env={{'PATH': '/bin:/usr/bin'}}, timeout=300))"
    )
    portal = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    child = await written(tmp_path / "child")
    portal.kill()
    await portal.wait()
    assert await gone(child)
