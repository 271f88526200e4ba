"""Chromium, started for one picture: a profile of its own, one host that it can reach, and an end that always comes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from homeport.relay.thumbnails.browser.devtools import MOST_MESSAGE, BrowserFailed
from homeport.relay.thumbnails.browser.launch import NOBODY

_LAUNCH = str(Path(__file__).with_name("launch.py"))
_ARGUMENTS = (
    "--headless",
    # There is no port that a page, or another user, could connect to; and it ends when the pipes are closed, that is,
    # with the portal at the latest.
    "--remote-debugging-pipe",
    "--window-size=1280,720",
    "--hide-scrollbars",
    "--mute-audio",
    "--ignore-certificate-errors",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pings",
    "--disable-extensions",
    "--disable-component-extensions-with-background-pages",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-client-side-phishing-detection",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-crash-reporter",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-file-system",
    "--disable-notifications",
    "--disable-speech-api",
    "--disable-quic",
    "--password-store=basic",
    "--use-mock-keychain",
    "--block-new-web-contents",
    "--js-flags=--max-old-space-size=256",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)


def arguments(hostname: str, address: str, port: int) -> tuple[str, ...]:
    """For a browser that reaches `hostname` at this address and port, whatever port it asks for, and nothing else.

    No other name resolves and no address counts as one; besides, all but that host is asked of a proxy which, by the
    same rule, does not exist: that is for connections that are made without resolving anything.
    """
    there = f"[{address}]" if ":" in address else address
    return (
        *_ARGUMENTS,
        f"--host-resolver-rules=MAP {hostname} {there}:{port}, MAP * ~NOTFOUND",
        "--proxy-server=http://nothing.invalid:1",
        f"--proxy-bypass-list=<-loopback>;{hostname}",
    )


class Pipes:
    """Messages end with a zero byte."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def send(self, message: bytes) -> None:
        if self._process.stdin is None:
            raise BrowserFailed("it has no pipe")
        try:
            self._process.stdin.write(message + b"\0")
            await self._process.stdin.drain()
        except OSError:
            raise BrowserFailed("it has ended") from None

    async def receive(self) -> bytes:
        if self._process.stdout is None:
            raise BrowserFailed("it has no pipe")
        try:
            return (await self._process.stdout.readuntil(b"\0"))[:-1]
        except asyncio.IncompleteReadError:
            raise BrowserFailed("it has ended") from None
        except asyncio.LimitOverrunError:
            raise BrowserFailed("it said too much at once") from None


@asynccontextmanager
async def started(program: str, hostname: str, address: str, port: int) -> AsyncIterator[Pipes]:
    """The browser, with a profile that is nobody else's; afterwards neither of them is there any more.

    It reaches what `arguments` says and launch.py. As root it runs as user 65534 and without Chromium's own sandbox,
    otherwise in its sandbox. Raises BrowserFailed when it cannot be started.
    """
    folder = await asyncio.to_thread(_new_profile)
    given = [*arguments(hostname, address, port), f"--user-data-dir={folder}", "about:blank"]
    if os.geteuid() == 0:
        given.append("--no-sandbox")
    try:
        process = await _process(port, [program, *given], folder)
        try:
            yield Pipes(process)
        finally:
            await _end(process)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _process(port: int, argv: Sequence[str], folder: Path) -> asyncio.subprocess.Process:
    own = str(folder)
    try:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", _LAUNCH, str(port), *argv),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=own,
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": own, "TMPDIR": own, "LANG": "C.UTF-8"},
            start_new_session=True,
            limit=MOST_MESSAGE,
        )
    except OSError as problem:
        raise BrowserFailed(f"it cannot be started: {problem.strerror}") from problem


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill all of the group, also when the browser's first process has ended by itself."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin is not None:
        process.stdin.close()
    with suppress(TimeoutError):  # somebody who has left the group may hold the pipe
        async with asyncio.timeout(5):
            await process.wait()


def _new_profile() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="homeport-browser-"))
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    return folder
