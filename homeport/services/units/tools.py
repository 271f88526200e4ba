"""systemd's own tools as child processes: argv only, bounded output, a hard limit, and the whole group killed at it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass

KEPT = 1024 * 1024  # bytes of output that are kept
LAST_WORDS = 2.0  # seconds for a killed group to let go of its pipes


@dataclass(frozen=True)
class Outcome:
    """How a tool ended. `exit_code` is None when it ran into its limit or is not there (`missing`)."""

    exit_code: int | None
    stdout: bytes = b""
    stderr: bytes = b""
    missing: bool = False


class Tools:
    """`prefix` stands in front of every command, such as nsenter into another machine's namespaces; empty for ours.

    `elevate` stands before systemctl's actions: `sudo -n` unless the portal is root.
    """

    def __init__(self, prefix: Sequence[str] = (), elevate: Sequence[str] | None = None) -> None:
        self.prefix = tuple(prefix)
        self.elevate = tuple(elevate) if elevate is not None else () if os.geteuid() == 0 else ("sudo", "-n")

    async def run(self, argv: Sequence[str], *, limit: float, kept: int = KEPT) -> Outcome:
        """Run to the end, `limit` seconds at most; of each output the first `kept` bytes."""
        try:
            process = await self.spawn(argv)
        except OSError as problem:
            return Outcome(None, stderr=str(problem).encode(), missing=True)
        assert process.stdout is not None
        assert process.stderr is not None
        out, err = _Kept(process.stdout, kept), _Kept(process.stderr, kept)
        readers = [asyncio.create_task(one.read(), name=f"read from {argv[0]}") for one in (out, err)]
        try:
            async with asyncio.timeout(limit):
                await asyncio.gather(*readers)
                exit_code: int | None = await process.wait()
        except TimeoutError:
            exit_code = None
        finally:
            for reader in readers:
                reader.cancel()
            await end(process, signal.SIGKILL)
        return Outcome(exit_code, bytes(out.data), bytes(err.data))

    async def spawn(self, argv: Sequence[str]) -> asyncio.subprocess.Process:
        """In a session of its own, with pipes for both outputs. Raises OSError where there is no such program."""
        return await asyncio.create_subprocess_exec(
            *self.prefix,
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            cwd="/",
            env={
                "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
                "LC_ALL": "C.UTF-8",
                "SYSTEMD_COLORS": "0",
                "SYSTEMD_PAGER": "",
                "TZ": "UTC",
            },
        )


async def end(process: asyncio.subprocess.Process, first: signal.Signals, patience: float = LAST_WORDS) -> None:
    """Signal the group; SIGKILL after `patience` seconds. What sudo runs as root may live on."""
    for number in dict.fromkeys((first, signal.SIGKILL)):
        if process.returncode is not None:
            return
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            continue  # it ended by itself; only its exit code is still to be read
        except PermissionError:
            return  # sudo made it root's; it ends with systemd's job
        try:
            async with asyncio.timeout(patience):
                await process.wait()
        except TimeoutError:
            continue


class _Kept:
    """The first bytes of a stream; the rest is read and dropped, so that the writer never waits."""

    def __init__(self, stream: asyncio.StreamReader, most: int) -> None:
        self._stream = stream
        self._most = most
        self.data = bytearray()

    async def read(self) -> None:
        while block := await self._stream.read(65536):
            self.data += block[: self._most - len(self.data)]
