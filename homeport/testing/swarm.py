"""A real Docker Swarm for tests: each node a dockerd in namespaces of its own, all gone when the test process is."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

START_SECONDS = 30
CGROUPS = Path("/sys/fs/cgroup")
LOCKS = Path("/run/lock")
# One heartbeat a second: a dead node is noticed after a few seconds rather than fifteen.
HEARTBEAT_NS = 1_000_000_000


def swarm_is_possible() -> bool:
    """Root, Docker Engine and the tools that make networks."""
    return os.geteuid() == 0 and all(shutil.which(name) for name in ("dockerd", "ip", "iptables", "nsenter"))


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass
class SwarmNode:
    """One machine of the cluster. `socket` is its Engine API, `address` where its published ports listen."""

    name: str
    address: str
    folder: Path
    process: subprocess.Popen[bytes]
    group: str  # the control group of its containers

    @property
    def socket(self) -> Path:
        return self.folder / "docker.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def call(self, method: str, path: str, body: object = None, *, raw: bytes | None = None) -> Any:
        """The decoded answer of the Engine API; RuntimeError with its words where it refuses."""
        connection = _UnixConnection(self.socket, 60)
        try:
            data = raw if raw is not None else (json.dumps(body).encode() if body is not None else None)
            kind = "application/x-tar" if raw is not None else "application/json"
            connection.request(method, path, data, {"Content-Type": kind} if data is not None else {})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status} {text.decode('utf-8', 'replace')[:500]}")
            is_json = answer.headers.get_content_type() == "application/json"
            return json.loads(text) if text and is_json and raw is None else text
        finally:
            connection.close()

    def pid(self, inner: int) -> int | None:
        """Of a process, by the number that it has on the node; None where there is none."""
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                text = status.read_text()
                numbers = text.partition("NSpid:")[2].partition("\n")[0].split()
                groups = (status.parent / "cgroup").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if len(numbers) > 1 and numbers[1] == str(inner) and self.group in groups:
                return int(status.parent.name)
        return None

    def load(self, archive: bytes) -> None:
        """Images from what `docker save` (or `homeport.testing.busybox_image`) wrote."""
        self.call("POST", "/images/load?quiet=1", raw=archive)


class Swarm:
    """`count` nodes, the first one the manager. The test's own network namespace reaches every node's address.

    Every process dies with this one (parent-death signals, PID namespaces); networks die with their processes.
    `close()` also removes the folder and the control groups.
    """

    def __init__(self, folder: Path, count: int = 3) -> None:
        self.folder = folder
        self.count = count
        self.id = secrets.token_hex(3)
        self.nodes: list[SwarmNode] = []
        self._switch: subprocess.Popen[bytes] | None = None
        self._lock = -1
        self._net = ""

    @property
    def manager(self) -> SwarmNode:
        return self.nodes[0]

    def node(self, name: str) -> SwarmNode:
        """Raises KeyError."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def at(self, address: str) -> SwarmNode:
        """The node with that address. Raises KeyError."""
        for node in self.nodes:
            if node.address == address:
                return node
        raise KeyError(address)

    def __enter__(self) -> Self:
        try:
            self._take_subnet()
            self._make_switch()
            for number in range(1, self.count + 1):
                self._boot(number)
            for node in self.nodes:
                self._await(node)
            self._join()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def load(self, archive: bytes) -> None:
        """The image on every node, as if each had pulled it."""
        for node in self.nodes:
            node.load(archive)

    def lose(self, node: SwarmNode) -> None:
        """The machine burns: its link goes down and everything on it is killed."""
        number = self.nodes.index(node) + 1
        self._in_switch("ip", "link", "set", f"p{number}", "down")
        _kill(node.process)

    def unplug(self, node: SwarmNode) -> None:
        """Its link goes down; what runs on it goes on running."""
        self._in_switch("ip", "link", "set", f"p{self.nodes.index(node) + 1}", "down")

    def plug(self, node: SwarmNode) -> None:
        """Its link comes up again."""
        self._in_switch("ip", "link", "set", f"p{self.nodes.index(node) + 1}", "up")

    def close(self) -> None:
        """Nothing of it is left. Can be called again."""
        for node in self.nodes:
            _kill(node.process)
        if self._switch is not None:
            self._switch.kill()
            self._switch.wait(10)
        _until(self._remove_groups, "control groups are in use")
        _until(lambda: not Path(f"/sys/class/net/h{self.id}").exists(), "the test network is still there")
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _take_subnet(self) -> None:
        """A small subnet that no other test run has: whoever holds the lock of its number."""
        LOCKS.mkdir(parents=True, exist_ok=True)
        for number in range(256):
            lock = os.open(LOCKS / f"homeport-swarm-{number}", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            self._lock, self._net = lock, f"10.231.{number}"
            return
        raise RuntimeError("256 swarms at the same time are too many")

    def _make_switch(self) -> None:
        """A bridge in a namespace of its own, and a cable from here into it."""
        argv = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"]
        self._switch = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        _until(lambda: self._apart(self._switch), "the switch has no namespace")
        self._in_switch("ip", "link", "add", "br0", "type", "bridge")
        self._in_switch("ip", "link", "set", "br0", "up")
        cable = f"h{self.id}"
        _run("ip", "link", "add", cable, "type", "veth", "peer", "name", "p0", "netns", str(self._switch.pid))
        self._in_switch("ip", "link", "set", "p0", "master", "br0", "up")
        _run("ip", "addr", "add", f"{self._net}.254/24", "dev", cable)
        _run("ip", "link", "set", cable, "up")

    def _boot(self, number: int) -> None:
        assert self._switch is not None
        name, address = f"node{number}", f"{self._net}.{number}"
        folder = self.folder / name
        folder.mkdir(parents=True)
        dockerd = [
            "dockerd", "--data-root", str(folder / "data"), "--exec-root", str(folder / "exec"),
            "--pidfile", str(folder / "pid"), "--host", f"unix://{folder / 'docker.sock'}",
            "--cgroup-parent", f"/homeport-swarm-{self.id}/{name}", "--log-level", "warn",
        ]  # fmt: skip
        argv = [
            "setpriv", "--pdeathsig", "KILL",
            "unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
            "sh", "-c", 'hostname "$0" && ip link set lo up && exec "$@"', name, *dockerd,
        ]  # fmt: skip
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.nodes.append(SwarmNode(name, address, folder, process, f"homeport-swarm-{self.id}/{name}"))
        _until(lambda: self._apart(process), f"{name} has no namespace")
        enter = ("nsenter", "-t", str(process.pid), "--net")
        port = ("peer", "name", f"p{number}", "netns", str(self._switch.pid))
        _run("ip", "link", "add", "eth0", "netns", str(process.pid), "type", "veth", *port)
        self._in_switch("ip", "link", "set", f"p{number}", "master", "br0", "up")
        _run(*enter, "ip", "addr", "add", f"{address}/24", "dev", "eth0")
        _run(*enter, "ip", "link", "set", "eth0", "up")

    def _join(self) -> None:
        first = self.manager
        spec = {"Dispatcher": {"HeartbeatPeriod": HEARTBEAT_NS}}
        here = {"ListenAddr": f"{first.address}:2377", "AdvertiseAddr": first.address, "Spec": spec}
        first.call("POST", "/swarm/init", here)
        token = first.call("GET", "/swarm")["JoinTokens"]["Worker"]
        for node in self.nodes[1:]:
            there = {
                "ListenAddr": f"{node.address}:2377", "AdvertiseAddr": node.address,
                "RemoteAddrs": [f"{first.address}:2377"], "JoinToken": token,
            }  # fmt: skip
            node.call("POST", "/swarm/join", there)
        _until(self._all_ready, "not every node became ready")

    def _all_ready(self) -> bool:
        nodes = self.manager.call("GET", "/nodes")
        return [node["Status"]["State"] for node in nodes] == ["ready"] * self.count

    def _await(self, node: SwarmNode) -> None:
        def answers() -> bool:
            if node.process.poll() is not None:
                raise RuntimeError(f"{node.name} ended: {(node.folder / 'log').read_text()[-2000:]}")
            try:
                return bool(node.call("GET", "/_ping"))
            except OSError:
                return False

        _until(answers, f"{node.name} does not answer")

    def _remove_groups(self) -> bool:
        """The control groups that the containers had; killed processes leave theirs a moment later."""
        tops = [*CGROUPS.glob(f"homeport-swarm-{self.id}"), *CGROUPS.glob(f"*/homeport-swarm-{self.id}")]
        for top in tops:
            for folder, _, _ in os.walk(top, topdown=False):
                try:
                    Path(folder).rmdir()
                except FileNotFoundError:
                    continue
                except OSError:
                    return False
        return True

    def _apart(self, process: subprocess.Popen[bytes] | None) -> bool:
        assert process is not None
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        here = Path("/proc/self/ns/net").readlink()
        return Path(f"/proc/{process.pid}/ns/net").readlink() != here

    def _in_switch(self, *argv: str) -> None:
        assert self._switch is not None
        _run("nsenter", "-t", str(self._switch.pid), "--net", *argv)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """dockerd is PID 1 of its namespace: every container goes with it. `unshare`, its parent, takes note and ends."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def _run(*argv: str) -> None:
    done = subprocess.run(argv, check=False, capture_output=True, timeout=30)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.decode('utf-8', 'replace')}")


def _until(true: Callable[[], object], otherwise: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.02)
