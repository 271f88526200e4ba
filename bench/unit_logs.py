"""Following a unit's journal: the same thousand viewers as of an app's log, on a real systemd started for this.

One of them never reads. All of them share one journalctl.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from bench import logs
from bench.figures import Figure
from homeport.testing.portal import PortalProcess
from homeport.testing.systemd import SystemdHost

FLOOD_SECONDS = 90.0
UNIT = f"""#!/usr/bin/python3 -I
import pathlib, threading, time

turn, number = threading.Lock(), 0

def say(text):
    global number
    with turn:
        number += 1
        print("line", number, time.time_ns(), text, flush=True)

def tick():
    while True:
        say("x" * 100)
        time.sleep(0.1)

threading.Thread(target=tick, daemon=True).start()
while not pathlib.Path("/opt/flood").exists():  # systemd would note a signal in the journal
    time.sleep(0.05)
for done in range({logs.FLOOD}):
    say("x" * 4096)
    if done % 10 == 0:
        time.sleep(0.01)
pathlib.Path("/opt/flooded").touch()
threading.Event().wait()
"""


def measure() -> list[Figure]:
    """Goals: those of an app's log, and one journalctl at most, none when nobody looks. About 50 seconds; as root."""
    with tempfile.TemporaryDirectory(prefix="homeport-units-") as name:
        folder = Path(name)
        (folder / "portal").mkdir()
        with SystemdHost(folder / "machine") as host:
            host.unit(logs.NAME, f"ExecStart={host.script('ticker', UNIT)}\nLogRateLimitIntervalSec=0")
            host.systemctl("start", logs.NAME)
            portal = PortalProcess(folder / "portal", {"units": logs.NAME})
            portal.environment["PATH"] = f"{host.wrappers(folder / 'tools')}:{os.environ['PATH']}"
            with portal:
                figures = logs.follow(
                    portal,
                    flood=lambda: _flood(host),
                    meanwhile=lambda: [
                        Figure("journal readers of all viewers", len(host.processes("journalctl")), "", 1)
                    ],
                    goal_ms=600,  # journald itself tells its readers four times a second (server's POST_CHANGE_TIMER)
                )
                time.sleep(1)
                left = len(host.processes("journalctl"))
            return [*figures, Figure("journal readers when all have left", left, "", 0)]


def _flood(host: SystemdHost) -> None:
    (host.root / "opt/flood").touch()
    deadline = time.monotonic() + FLOOD_SECONDS
    while not (host.root / "opt/flooded").exists():
        if time.monotonic() > deadline:
            raise TimeoutError("the unit did not print its flood")
        time.sleep(0.1)
    time.sleep(1)  # journald writes what it was handed
