"""What `homeport expose` shows while it runs: the address, a code to scan, and one line that tells how it goes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import uvloop

from homeport.cli.output import print_json_line, safe
from homeport.kit.clock import rfc3339_ms

if TYPE_CHECKING:
    from homeport.relay.agent import Agent, Status
    from homeport.relay.agent.inspect import Inspector

REFRESH_SECONDS = 1.0
_MARK = {"online": "●", "failed": "✗", "expired": "■", "stopped": "■"}
_WORD = {"waiting": "waiting for approval"}
_CLEAR = "\r\x1b[2K"


class Display:
    """Writes to stdout: lines of JSON, lines of text, or on a terminal a line that is written anew every second."""

    def __init__(self, target: str, *, as_json: bool) -> None:
        self._target = target
        self._as_json = as_json
        self._terminal = sys.stdout.isatty() and not as_json
        self._said: dict[str, tuple[object, ...]] = {}
        self._announced: set[str] = set()
        self._traffic: tuple[int, ...] = ()

    def changed(self, agent: Agent) -> None:
        """Say what is new of each tunnel."""
        for tunnel in agent.tunnels:
            status = tunnel.status()
            now = (status.state, status.error, status.url, status.tcp_addr, status.udp_addr, status.warning)
            if self._said.get(status.relay) == now:
                continue
            self._said[status.relay] = now
            if self._as_json:
                print_json_line({"event": "status", **described(status)})
            elif status.state != "failed" or len(agent.tunnels) > 1:  # of the only one, it is how the verb ends
                self._tell(status)

    def tick(self, agent: Agent) -> None:
        """Bytes and connections, once a second."""
        status = agent.status()
        traffic = (status.received, status.sent, status.connections, status.open)
        if self._terminal:
            sys.stdout.write(_CLEAR + _line(status)[: shutil.get_terminal_size().columns - 1])
            sys.stdout.flush()
        elif self._as_json and traffic != self._traffic and any(traffic):
            names = ("received", "sent", "connections", "open")
            print_json_line({"event": "traffic", **dict(zip(names, traffic, strict=True))})
        self._traffic = traffic

    def inspecting(self, url: str) -> None:
        """Where the page with the requests is."""
        if self._as_json:
            print_json_line({"event": "inspect", "url": url})
        else:
            sys.stdout.write(f"Requests  {url}\n")
            sys.stdout.flush()

    def over(self) -> None:
        """Leave the terminal as it was."""
        if self._terminal:
            sys.stdout.write("\n")
            sys.stdout.flush()

    def _tell(self, status: Status) -> None:
        start = _CLEAR if self._terminal else ""
        lines = []
        if status.state == "online" and status.relay not in self._announced:
            self._announced.add(status.relay)
            lines.append(f"{status.url}  →  {self._target}")
            for kind, address in (("TCP", status.tcp_addr), ("UDP", status.udp_addr)):
                if address:
                    lines.append(f"{kind} {address}  →  {self._target}")
            if self._terminal:
                lines.append(code(status.url))
        elif not self._terminal or status.error:
            reason = f": {status.error}" if status.error else ""
            lines.append(f"{status.relay} {_WORD.get(status.state, status.state)}{reason}")
        if status.warning and status.warning != status.error:
            lines.append(f"Warning: {status.warning}")
        if lines:
            sys.stdout.write(start + "\n".join(safe(line) for line in lines) + "\n")
            sys.stdout.flush()


def described(status: Status) -> dict[str, Any]:
    """For programs."""
    return {**asdict(status), "since": rfc3339_ms(status.since)}


def code(url: str) -> str:
    """A QR code of half blocks, dark on light as scanners want it whatever the terminal's colours are."""
    import segno

    rows = [list(row) for row in segno.make_qr(url, error="l").matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    lines = []
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        cells = "".join(" ▄▀█"[2 * (not top) + (not bottom)] for top, bottom in zip(upper, lower, strict=True))
        lines.append(f"\x1b[97;40m{cells}\x1b[0m")
    return "\n".join(lines)


def run(build: Callable[[], Agent], display: Display, inspector: Inspector | None = None) -> None:
    """Until SIGINT or SIGTERM, or nothing is left to try. Raises the Problem of the last tunnel that failed."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(build, display) if inspector is None else _inspected(build, display, inspector))


async def _inspected(build: Callable[[], Agent], display: Display, inspector: Inspector) -> None:
    display.inspecting(await inspector.open())
    try:
        await _run(build, display)
    finally:
        await inspector.close()


async def _run(build: Callable[[], Agent], display: Display) -> None:
    agent = build()
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)

    def tell(something: Callable[[Agent], None]) -> None:
        try:
            something(agent)
        except BrokenPipeError:  # nobody reads on
            asked.set()

    agent.subscribe(lambda: tell(display.changed))
    await agent.start()
    parts = [
        asyncio.create_task(asked.wait(), name="signals"),
        asyncio.create_task(agent.wait(), name="agent"),
    ]
    ticking = asyncio.create_task(_tick(lambda: tell(display.tick)), name="status line")
    try:
        await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (*parts, ticking):
            task.cancel()
        await asyncio.gather(*parts, ticking, return_exceptions=True)
        with contextlib.suppress(asyncio.CancelledError):
            await agent.stop()
        _last_word(display)
    failures = [tunnel.failure for tunnel in agent.tunnels if tunnel.failure is not None]
    if failures and len(failures) == len(agent.tunnels):
        raise failures[-1]


def _last_word(display: Display) -> None:
    """What is left to write, unless nobody reads it: then Python is kept from trying once more when it ends."""
    try:
        display.over()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def _tick(tell: Callable[[], None]) -> None:
    while True:
        tell()
        await asyncio.sleep(REFRESH_SECONDS)


def _line(status: Status) -> str:
    word = _WORD.get(status.state, status.state)
    mark = _MARK.get(status.state, "○")
    parts = [f"{mark} {word}", f"{status.open} open", f"{status.connections} so far"]
    parts += [f"↓ {_size(status.received)}", f"↑ {_size(status.sent)}"]
    return "   ".join(parts)


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
