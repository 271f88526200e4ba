"""A real systemd in a zone that is not UTC, units in every state, and a portal that manages it."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from homeport.kit.clock import SystemClock
from homeport.services.units import Tools, Units
from homeport.testing.portal import PortalProcess
from homeport.testing.systemd import SystemdHost, systemd_can_run

NAMES = ("web", "idle", "broken", "slow", "rereading", "stubborn", "talker", "homeport")
SLEEP = "ExecStart=/bin/sleep infinity"
TALKER = "ExecStart=/bin/sh -c 'exec cat 0<>/opt/talk'"  # prints what is written into the pipe
# Ignores SIGTERM for 40 seconds, as digest F's item 13 has it.
STUBBORN = "#!/bin/sh\ntrap '' TERM\ni=0\nwhile [ $i -lt 400 ]; do sleep 0.1; i=$((i+1)); done\n"


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemdHost]:
    """Its zone's abbreviation (JST) is one that the reference product could not read."""
    if not systemd_can_run():
        pytest.skip("a systemd of the tests' own needs root and the Debian packages systemd and dbus")
    with SystemdHost(tmp_path_factory.mktemp("systemd"), zone="Asia/Tokyo") as host:
        host.unit("web", f"{SLEEP}\nExecReload=/bin/true")
        host.unit("idle", SLEEP)
        host.unit("broken", "ExecStart=/bin/sh -c 'exit 3'")
        host.unit("slow", f"ExecStartPre=/bin/sleep infinity\n{SLEEP}\nTimeoutStartSec=infinity")
        host.unit("rereading", f"{SLEEP}\nExecReload=/bin/sleep infinity\nTimeoutSec=infinity")
        host.unit("stubborn", f"ExecStart={host.script('stubborn', STUBBORN)}\nTimeoutStopSec=120\nKillMode=process")
        os.mkfifo(host.root / "opt/talk")
        host.unit(
            "talker", "ExecStart=/bin/sh -c 'exec cat 0<>/opt/talk'\nSyslogIdentifier=say\nLogRateLimitIntervalSec=0"
        )
        host.unit("homeport", SLEEP)
        host.unit("secretive", SLEEP)
        host.systemctl("start", "web", "talker", "stubborn", "homeport", "secretive")
        host.systemctl("start", "broken", check=False)
        host.systemctl("start", "rereading")
        host.systemctl("start", "--no-block", "slow")
        host.systemctl("reload", "--no-block", "rereading")
        states = {"broken": "failed", "slow": "activating", "rereading": "reloading"}
        until(lambda: all(host.systemctl("is-active", name, check=False) == f"{states[name]}\n" for name in states))
        yield host


@pytest.fixture
async def units(host: SystemdHost) -> AsyncIterator[Units]:
    """The allow-list on that machine, as root."""
    units = Units(NAMES, own="homeport", clock=SystemClock(), tools=Tools(host.tools, elevate=()))
    yield units
    await units.close()


@pytest.fixture(scope="session")
def portal(host: SystemdHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    """A whole portal whose systemctl and journalctl are that machine's."""
    folder = tmp_path_factory.mktemp("portal")
    settings = {"units": ",".join(NAMES), "own_unit": "homeport", "unit_timeout": 5}
    portal = PortalProcess(folder, settings)
    portal.environment["PATH"] = f"{host.wrappers(folder / 'tools')}:{os.environ['PATH']}"
    with portal:
        yield portal


@pytest.fixture
def client(portal: PortalProcess) -> Iterator[httpx.Client]:
    with portal.api() as client:
        yield client


def say(host: SystemdHost, *lines: str | bytes) -> None:
    """Into talker's journal, as the unit itself prints it; returns when the last line is there."""
    data = b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines)
    with (host.root / "opt/talk").open("wb") as pipe:
        pipe.write(data)
    last = data.splitlines()[-1].decode("utf-8", "replace").strip()
    until(lambda: last in host.run("journalctl", "-u", "talker", "-n", "1", "--output=cat", "--all"))


def until(true: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


Logs = Callable[..., ClientConnection]


@pytest.fixture
def logs(portal: PortalProcess) -> Iterator[Logs]:
    """Opens WS /api/services/{name}/logs."""
    opened: list[ClientConnection] = []

    def open_one(name: str, query: str = "", **headers: str) -> ClientConnection:
        address = f"wss://localhost:{portal.port}/api/services/{name}/logs{query}"
        given = {"Authorization": f"Bearer {portal.key}", **headers}
        one = connect(address, ssl=portal.tls, additional_headers=given, proxy=None, max_queue=None)
        opened.append(one)
        return one

    yield open_one
    for one in opened:
        one.close()
