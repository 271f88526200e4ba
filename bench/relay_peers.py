"""What our relay is measured beside: haproxy and nginx with TLS on the far side, and OpenSSH's `-R`."""

from __future__ import annotations

import getpass
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from bench.proxy import certificate, free_port, pinned, running
from homeport.testing.portal import PortalProcess
from homeport.testing.relay_client import Relay, RelayClient

GENERATORS, RELAY = 0, 1  # processor cores
DOMAIN = "relay.localhost"  # of two labels: right below localhost each tunnel would change the relay's certificate

# nbthread 1: one core, as ours has. Without reuse each connection has a handshake of its own, as ours have.
_HAPROXY = """global
  nbthread 1
  maxconn 4000
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen relay
  bind 127.0.0.1:{port}
  server far 127.0.0.1:{far} ssl verify none no-ssl-reuse
"""
_NGINX = """load_module {module};
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 4000; }}
stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{far}; proxy_ssl on; proxy_ssl_verify off;
proxy_ssl_session_reuse off; }} }}
"""
_SSHD = """Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
GatewayPorts no
MaxSessions 2000
MaxStartups 1000
LogLevel ERROR
"""
NGINX_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")


@dataclass(frozen=True)
class Way:
    """From a visitor to the far end: the port for visitors, and the processes that carry the bytes."""

    port: int
    relay: Sequence[psutil.Process]


class Peer(Protocol):
    """One kind of relay."""

    name: str

    def way(self, mode: str) -> AbstractContextManager[Way]:
        """Runs for the length of the block; `mode` is the far end's."""
        ...


@contextmanager
def far_end(folder: Path, mode: str, *words: str, port: int = 0) -> Iterator[int]:
    """Runs `bench.relay_load far`; the port where it listens, if it does."""
    port = port or free_port()
    argv = [sys.executable, "-m", "bench.relay_load", "far", "--port", str(port), "--mode", mode, *words]
    log = folder / "far.log"
    with log.open("ab") as err:
        process = subprocess.Popen([*pinned(GENERATORS), *argv], stdout=subprocess.PIPE, stderr=err)
    assert process.stdout is not None
    try:
        if process.stdout.readline() != b"ready\n":
            raise SystemExit(f"bench: the far end did not start:\n{log.read_text()}")
        yield port
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Direct:
    """No relay, no TLS."""

    name = "direct"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def way(self, mode: str) -> Iterator[Way]:
        with far_end(self._folder, mode) as port:
            yield Way(port, [])


class Proxy:
    """haproxy or nginx: plain from the visitor, TLS to the far end, which has a P-256 certificate."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        self._cert, self._key = certificate(folder)

    @contextmanager
    def way(self, mode: str) -> Iterator[Way]:
        port = free_port()
        with far_end(self._folder, mode, "--cert", str(self._cert), "--key", str(self._key)) as far:
            file = self._folder / f"{self.name}.conf"
            if self.name == "haproxy":
                file.write_text(_HAPROXY.format(port=port, far=far))
                argv = ["haproxy", "-db", "-q", "-f", str(file)]
            else:
                file.write_text(_NGINX.format(port=port, far=far, folder=self._folder, module=NGINX_MODULE))
                argv = ["nginx", "-p", str(self._folder), "-e", "stderr", "-c", str(file)]
            with running(argv, port, self._folder, core=RELAY) as process:
                yield Way(port, [psutil.Process(process.pid)])


class Ssh:
    """OpenSSH: the far end's client asks the server for a port; by the cipher it chooses itself, or by another."""

    def __init__(self, folder: Path, cipher: str = "") -> None:
        self.name = f"openssh -R ({cipher})" if cipher else "openssh -R"
        self._folder = folder
        self._cipher = ["-c", cipher] if cipher else []
        for key in ("host", "user"):
            if (folder / key).exists():
                continue
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)],
                check=True,
                stdin=subprocess.DEVNULL,
            )
        Path("/run/sshd").mkdir(exist_ok=True)

    @contextmanager
    def way(self, mode: str) -> Iterator[Way]:
        port, public = free_port(), free_port()
        file = self._folder / "sshd.conf"
        file.write_text(_SSHD.format(port=port, folder=self._folder))
        client = [
            *("ssh", "-N", "-F", "none", "-p", str(port), "-i", str(self._folder / "user")),
            *(*self._cipher, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
            *("-o", "ExitOnForwardFailure=yes", "-o", "LogLevel=ERROR", "-R"),
        ]
        with far_end(self._folder, mode) as far:
            argv = [shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-e", "-f", str(file)]
            target = [f"127.0.0.1:{public}:127.0.0.1:{far}", f"{getpass.getuser()}@127.0.0.1"]
            with (
                running(argv, port, self._folder, core=RELAY) as server,
                running([*client, *target], public, self._folder, core=GENERATORS),
            ):
                yield Way(public, [psutil.Process(server.pid)])


class Ours:
    """A real portal; the far end keeps sessions waiting itself, so that the relay is all that is counted."""

    name = "homeport"

    def __init__(self, folder: Path, portal: PortalProcess) -> None:
        self._folder = folder
        self._portal = portal
        self._token = folder / "token"
        self._client = RelayClient(Relay(DOMAIN, portal.port, portal.ca_path), "bench")
        given = self._client.register(ttl=3600, tcp_enabled=True)
        self._port = int(str(given.answer["tcp_addr"]).rpartition(":")[2])
        self._token.write_text(given.token)

    @contextmanager
    def way(self, mode: str) -> Iterator[Way]:
        with far_end(self._folder, mode, "--token-file", str(self._token), port=self._portal.port):
            yield Way(self._port, [psutil.Process(self._portal.pid)])


class WithAgent:
    """The same portal with `homeport expose` at the far side: both are counted; they have a core each."""

    name = "homeport with its agent"

    def __init__(self, folder: Path, portal: PortalProcess) -> None:
        self._folder = folder
        self._portal = portal

    @contextmanager
    def way(self, mode: str) -> Iterator[Way]:
        with far_end(self._folder, mode) as far:
            words = ["expose", str(far), "--tcp", "--name", "bench-agent", "--json", "--ca", str(self._portal.ca_path)]
            argv = [*pinned(GENERATORS), sys.executable, "-m", "homeport", *words, "--relay", self._portal.base_url]
            log = self._folder / "agent.log"
            with log.open("ab") as err:
                agent = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=err, env=self._portal.environment)
            try:
                yield Way(_public_port(agent, log), [psutil.Process(self._portal.pid), psutil.Process(agent.pid)])
            finally:
                agent.terminate()
                agent.wait(20)
                assert agent.stdout is not None
                agent.stdout.close()


def _public_port(agent: subprocess.Popen[bytes], log: Path) -> int:
    assert agent.stdout is not None
    for line in agent.stdout:
        found = re.search(rb'"tcp[a-z_]*": ?"[^"]*:(\d+)"', line)
        if found is not None:
            return int(found[1])
    raise SystemExit(f"bench: homeport expose ended:\n{log.read_text()}")
