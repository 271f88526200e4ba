"""The agent's service in the foreground: one on a state directory, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from homeport.cli.output import print_json_line
from homeport.cli.problems import UsageWrong
from homeport.kit.lockfile import AlreadyLocked, Lockfile
from homeport.kit.notify import tell_systemd
from homeport.kit.problems import Conflict
from homeport.relay.agent.daemon import AgentState, Daemon


def run(folder: Path, port: int, wallets: Sequence[str], acme: str, acme_email: str, *, as_json: bool) -> None:
    """Raises Conflict when an agent runs on this directory already, UsageWrong for a port or wallet that cannot be."""
    state = AgentState(folder)
    try:
        with state.lock as lock, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(state, lock, port, wallets, acme, acme_email, as_json=as_json))
    except AlreadyLocked as taken:
        raise Conflict(f"The agent of {folder} runs already (process {taken.holder.get('pid', '?')}).") from None


async def _run(
    state: AgentState,
    lock: Lockfile,
    port: int,
    wallets: Sequence[str],
    acme: str,
    acme_email: str,
    *,
    as_json: bool,
) -> None:
    try:
        daemon = Daemon(state, wallets=wallets, acme=acme, acme_email=acme_email)
    except ValueError as problem:
        raise UsageWrong(f"A wallet cannot be: {problem}.") from None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, daemon.stopping.set)
    try:
        try:
            chosen = await daemon.open(port)
        except OSError as problem:
            raise UsageWrong(f"Port {port} of 127.0.0.1 is not to be had ({problem.strerror}): name another.") from None
        url = f"http://127.0.0.1:{chosen}"
        lock.describe({"url": url})
        if as_json:
            print_json_line({"url": url, "state_dir": str(state.folder), "tunnels": len(daemon.tunnels)})
        else:
            sys.stdout.write(f"The agent keeps {len(daemon.tunnels)} tunnels up; it can be asked at {url}\n")
            sys.stdout.flush()
        tell_systemd("READY=1")
        await daemon.stopping.wait()
        tell_systemd("STOPPING=1")
    finally:
        with contextlib.suppress(asyncio.CancelledError):
            await daemon.close()
