"""What a process can still do that was launched as the browser is, asked of a real kernel."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homeport.relay.thumbnails.browser import launch

PROBE = """
import json, os, resource, socket, sys
def tried(make):
    try:
        make()
        return "done"
    except OSError as problem:
        return problem.strerror
def opened(*what):
    return tried(lambda: socket.socket(*what).close())
def connected(port):
    with socket.socket() as sock:
        return tried(lambda: sock.connect(("127.0.0.1", port)))
given = {
    "uid": os.getuid(),
    "nice": os.nice(0),
    "file": resource.getrlimit(resource.RLIMIT_FSIZE)[1],
    "stream": opened(socket.AF_INET6, socket.SOCK_STREAM),
    "unix": opened(socket.AF_UNIX, socket.SOCK_DGRAM),
    "udp": opened(socket.AF_INET, socket.SOCK_DGRAM),
    "udp6": opened(socket.AF_INET6, socket.SOCK_DGRAM),
    "raw": opened(socket.AF_INET, socket.SOCK_RAW),
    "netlink": opened(socket.AF_NETLINK, socket.SOCK_RAW),
    "mptcp": opened(socket.AF_INET, socket.SOCK_STREAM, 262),
    "allowed": connected(int(sys.argv[1])),
    "other": connected(int(sys.argv[2])),
    "read": os.read(3, 100).decode(),
}
os.write(4, json.dumps(given).encode())
"""
REFUSED = os.strerror(97)  # address family not supported


@pytest.fixture(scope="module")
def given() -> Iterator[dict[str, Any]]:
    """What the probe found. Its folder is one that any user may read."""
    python = shutil.which("python3", path="/usr/bin") or sys.executable
    with (
        tempfile.TemporaryDirectory(prefix="homeport-probe-") as folder,
        socket.create_server(("127.0.0.1", 0)) as allowed,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        Path(folder).chmod(0o755)
        probe = Path(folder, "probe.py")
        probe.write_text(PROBE)
        ports = [str(server.getsockname()[1]) for server in (allowed, other)]
        done = subprocess.run(
            [sys.executable, "-I", "-S", launch.__file__, ports[0], python, str(probe), *ports],
            input=b"through the pipe",
            capture_output=True,
            timeout=60,
            check=True,
        )
        yield json.loads(done.stdout)


def test_it_speaks_on_descriptors_three_and_four(given: dict[str, Any]) -> None:
    assert given["read"] == "through the pipe"


def test_it_is_nobody_where_the_portal_is_root(given: dict[str, Any]) -> None:
    assert given["uid"] == (launch.NOBODY if os.geteuid() == 0 else os.getuid())
    assert (given["nice"] >= 5, given["file"]) == (True, launch.MOST_FILE)


def test_it_has_streams_and_no_other_sockets(given: dict[str, Any]) -> None:  # R30
    assert (given["stream"], given["unix"]) == ("done", "done")
    assert {given[kind] for kind in ("udp", "udp6", "raw", "netlink", "mptcp")} == {REFUSED}


def test_it_connects_to_the_portals_port_and_to_no_other(given: dict[str, Any]) -> None:  # R30
    assert given["allowed"] == "done"
    if _landlock() >= 4:
        assert given["other"] == os.strerror(13)


def _landlock() -> int:
    """The kernel's version of it; before the fourth it knows no network."""
    try:
        return launch._call("syscall", 444, 0, 0, 1)
    except OSError:
        return 0
