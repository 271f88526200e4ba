"""Runs a child command to its end: argv, its own group, its output line by line, and nothing left behind."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from homeport.kit.confinement import Confinement
from homeport.kit.problems import Problem

OnLine = Callable[[str], None]

MAX_LINE = 4096  # characters handed to the callback; the rest of a longer line is dropped
_LEASH = str(Path(__file__).with_name("leash.py"))
_TERMINAL_CODES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f]"
)


class CommandFailed(Problem):
    """A command ended with another exit code than 0. `output` is the last that it said; it is not in the message."""

    code = "command_failed"
    status = 502

    def __init__(self, message: str, *, exit_code: int | None, output: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.output = output


class CommandTimedOut(CommandFailed):
    """A command was killed because it took too long."""

    code = "command_timed_out"


class CommandFlooded(CommandFailed):
    """A command was killed because it printed too much."""

    code = "command_flooded"


@dataclass(frozen=True)
class Result:
    """How a command ended: its exit code (negative: killed by that signal) and the last of its output."""

    exit_code: int
    output: str


async def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float,  # seconds
    on_line: OnLine | None = None,
    max_output: int = 16 * 1024 * 1024,
    keep_output: int = 64 * 1024,
    uid: int | None = None,
    stdin: bytes | None = None,
    memory_mb: int | None = None,
    file_mb: int | None = None,
    confinement: Confinement | None = None,
    check: bool = True,
) -> Result:
    """Run `argv` with exactly `env` in `cwd`, as user `uid` where one is given.

    Standard output and error come merged, line by line, to `on_line`, without terminal codes. All processes of the
    command are killed when it ends, on time-out (seconds), cancellation, more than `max_output` bytes, and when the
    portal dies. `memory_mb` bounds the private memory of each process, `file_mb` each file it writes, `confinement`
    which files it can reach.
    Raises CommandFailed (unless `check` is false), CommandTimedOut, CommandFlooded.
    """
    spec = {
        "argv": list(argv),
        "env": dict(env),
        "cwd": str(cwd),
        "uid": uid,
        "memory": None if memory_mb is None else memory_mb * 1024 * 1024,
        "file_size": None if file_mb is None else file_mb * 1024 * 1024,
        "confinement": confinement.as_lists() if confinement else None,
        "stdin": None if stdin is None else base64.b64encode(stdin).decode(),
    }
    lines = _Lines(on_line, max_output, keep_output)
    name = Path(argv[0]).name
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-I", "-S", "-X", "utf8", _LEASH),
        cwd="/",
        env={},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout):
            await _talk(process, json.dumps(spec).encode() + b"\n", lines)
            exit_code = await process.wait()
    except TimeoutError:
        raise CommandTimedOut(
            f"{name} was stopped: it took longer than {timeout:g} seconds.", exit_code=None, output=lines.tail()
        ) from None
    finally:
        await _let_go(process)
    if lines.flooded:
        raise CommandFlooded(
            f"{name} was stopped: it printed more than {max_output} bytes.", exit_code=None, output=lines.tail()
        )
    if check and exit_code != 0:
        raise CommandFailed(f"{name} ended with {_how(exit_code)}.", exit_code=exit_code, output=lines.tail())
    return Result(exit_code, lines.tail())


def _how(exit_code: int) -> str:
    return f"exit code {exit_code}" if exit_code >= 0 else f"signal {-exit_code}"


async def _talk(process: asyncio.subprocess.Process, spec: bytes, lines: _Lines) -> None:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the leash has no pipes")
    process.stdin.write(spec)
    await process.stdin.drain()
    while not lines.flooded and (block := await process.stdout.read(65536)):
        lines.receive(block)
    if lines.flooded:
        process.stdin.close()
        while await process.stdout.read(65536):
            pass
    lines.end()


async def _let_go(process: asyncio.subprocess.Process) -> None:
    """End what still runs: the leash kills everything below it when its input ends, and then itself ends."""
    if process.stdin is not None:
        process.stdin.close()
    if process.returncode is None:
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:  # a process that not even SIGKILL ends, such as one that waits for a dead disk
            process.kill()


class _Lines:
    """Cuts output into lines and keeps its tail."""

    def __init__(self, on_line: OnLine | None, max_output: int, keep_output: int) -> None:
        self._on_line = on_line
        self._left = max_output
        self._keep = keep_output
        self._tail = bytearray()
        self._line = bytearray()
        self.flooded = False

    def receive(self, block: bytes) -> None:
        self._left -= len(block)
        if self._left < 0:
            self.flooded = True
            return
        self._tail += block
        if len(self._tail) > 2 * self._keep:
            del self._tail[: -self._keep]
        parts = block.replace(b"\r", b"\n").split(b"\n")
        for part in parts[:-1]:
            self._append(part)
            self._send()
        self._append(parts[-1])

    def _append(self, part: bytes) -> None:
        self._line += part[: 4 * MAX_LINE - len(self._line)]

    def _send(self) -> None:
        text = _TERMINAL_CODES.sub("", self._line.decode(errors="replace"))
        self._line.clear()
        if self._on_line is not None and text.strip():
            self._on_line(text if len(text) <= MAX_LINE else text[: MAX_LINE - 1] + "…")

    def end(self) -> None:
        if self._line:
            self._send()

    def tail(self) -> str:
        return self._tail[-self._keep :].decode(errors="replace")
