"""The portal's own unit, opened as the guide says, lets Chromium have its sandbox: with a real systemd."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeport.services.units.own_unit import ALWAYS, WITHOUT_SUDO
from homeport.testing.systemd import SystemdHost, systemd_can_run

GUIDE = Path(__file__).parents[4] / "docs" / "guide" / "relay.md"
CHROMIUM = "/usr/lib/chromium/chromium"  # the program itself, for the unit sees little of the machine

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        not systemd_can_run() or shutil.which(CHROMIUM) is None,
        reason="no systemd or no Chromium here (root, Debian packages systemd, dbus, chromium): `make test` says how",
    ),
]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemdHost]:
    with SystemdHost(tmp_path_factory.mktemp("systemd")) as host:
        yield host


def seen(host: SystemdHost, name: str, *more: str) -> bool:
    """Whether Chromium shows a page in a unit like the portal's, with these lines added."""
    lines = [
        "Type=oneshot",
        "User=daemon",
        "StateDirectory=browser",
        "Environment=HOME=/var/lib/browser",
        f"ExecStart={CHROMIUM} --headless --disable-gpu --disable-dev-shm-usage --no-first-run"
        f" --user-data-dir=/var/lib/browser/{name} --dump-dom data:text/html,<p>seen</p>",
        "TimeoutStartSec=40",
        *ALWAYS,
        *WITHOUT_SUDO,
        *more,
    ]
    host.unit(name, "\n".join(lines))
    host.systemctl("daemon-reload")
    host.systemctl("start", name, check=False)
    host.run("journalctl", "--sync")  # what a unit says is written down a moment after it has ended
    return "<p>seen</p>" in host.run("journalctl", "-u", name, "-o", "cat", "--no-pager").replace("text/html,<p>", "")


def test_the_drop_in_of_the_guide_lets_chromium_have_its_sandbox(host: SystemdHost) -> None:
    found = re.search(r"    \[Service\]\n((?:    \S.*\n)+)", GUIDE.read_text())
    assert found is not None
    assert seen(host, "opened", *map(str.strip, found[1].splitlines()))


def test_without_it_the_unit_allows_none(host: SystemdHost) -> None:
    assert not seen(host, "closed")
