"""One portal for all tests of the shell that need one, and machines with systemd on which Homeport is installed."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

import homeport
from homeport.testing.portal import PortalProcess
from homeport.testing.systemd import SystemdHost, systemd_can_run

PYTHON = "/opt/homeport/bin/python"
DATA = "/var/lib/homeport"


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    """`homeport up` on a data directory of its own."""
    with PortalProcess(tmp_path_factory.mktemp("portal")) as process:
        yield process


class ServiceHost:
    """A machine with systemd, on which Homeport is installed in /opt/homeport and nothing else was done."""

    def __init__(self, host: SystemdHost) -> None:
        self.host = host

    def homeport(self, *words: str, user: str = "root", check: bool = True) -> str:
        return self.host.run("runuser", "-u", user, "--", PYTHON, "-m", "homeport", *words, check=check, timeout=120)

    def show(self, name: str) -> str:
        return self.host.systemctl("show", "homeport", f"--property={name}", "--value").strip()

    def curl(self, host: str, path: str = "/") -> str:
        """Through the portal's port 443."""
        url = f"https://{host}{path}"
        return self.host.run("curl", "-s", "--cacert", f"{DATA}/ca/ca.pem", "--resolve", f"{host}:443:127.0.0.1", url)


def installed() -> dict[Path, str]:
    """What of this machine is there: this Python, its packages, this source. A checkout may lie where a service does
    not look (/tmp, /home), so each of them has a place of its own."""
    return {
        Path(sys.base_prefix): "/opt/python",
        Path(sysconfig.get_path("purelib")): "/opt/packages",
        Path(homeport.__file__).parent: "/opt/source/homeport",
    }


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceHost]:
    if not systemd_can_run():
        pytest.skip("a systemd of the tests' own needs root and the Debian packages systemd and dbus")
    with SystemdHost(tmp_path_factory.mktemp("systemd"), folders=installed()) as host:
        programs = host.root / "opt/homeport/bin"
        programs.mkdir(parents=True)
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        site = programs.parent / "lib" / version / "site-packages"
        site.mkdir(parents=True)
        (site / "machine.pth").write_text("/opt/source\n/opt/packages\n")
        (programs / "python").symlink_to(f"/opt/python/bin/{version}")
        (programs.parent / "pyvenv.cfg").write_text("home = /opt/python/bin\ninclude-system-site-packages = false\n")
        # this Python may bring its own library, which another of the machine's must not stand in for
        (host.root / "etc/ld.so.conf.d").mkdir(exist_ok=True)
        (host.root / "etc/ld.so.conf.d/00-python.conf").write_text("/opt/python/lib\n")
        host.run("ldconfig")
        host.run("ip", "link", "set", "lo", "up")
        yield ServiceHost(host)
