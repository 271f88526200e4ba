"""A Docker engine of a test's own: up in a second, on a socket in a temporary directory, gone without a trace.

Needs root, and the Debian packages docker.io, iptables and iproute2. It touches neither another engine on the machine
nor the machine's packet filter: published ports go through Docker's own proxy, networks get no way out.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psutil

START_SECONDS = 30
STOP_SECONDS = 20
NETWORKS = range(64)  # how many engines there can be at a time on one machine: 10.128.0.0/16 to 10.191.0.0/16
PIECE = 256 * 1024  # bytes
NEEDED = ("dockerd", "containerd", "runc", "iptables", "ip", "setpriv")


def docker_is_installed() -> bool:
    """Whether an engine can be started here: by root, with what Debian's docker.io and iptables bring."""
    return os.geteuid() == 0 and all(shutil.which(program) for program in NEEDED)


def pieces(body: bytes) -> Iterator[bytes]:
    """For the body of a request: of one in one piece, httpx copies all that is left for each part that is sent."""
    return (body[start : start + PIECE] for start in range(0, len(body), PIECE))


class DockerEngine:
    """One dockerd with its containerd; `url` is what `Settings.docker_host` takes.

    `inside` is argv to put before dockerd, e.g. `("nsenter", "--net=/run/netns/node1")` for a machine of its own; the
    bridge and the packet filter are then that namespace's affair (`options` says so to dockerd).
    Start it on the main thread: should that end without a word, the kernel ends the engine, and it its containers.
    """

    def __init__(self, *, inside: Sequence[str] = (), options: Sequence[str] = ()) -> None:
        self._inside = tuple(inside)
        self._options = tuple(options)
        # Short: a Unix socket's path may have 107 bytes, and containerd adds to it.
        self.folder = Path(tempfile.mkdtemp(prefix="hp-docker-"))
        self.socket = self.folder / "docker.sock"
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None
        self._bridge: str | None = None
        self._network = 0
        self.api = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(self.socket)), base_url="http://docker/v1.41", timeout=60
        )

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Of dockerd. RuntimeError while it does not run."""
        if self._process is None:
            raise RuntimeError("the engine is not running")
        return self._process.pid

    def start(self) -> None:
        """Returns when it answers. After `kill` or `halt` it starts again with what it had."""
        if not self._inside and self._bridge is None:
            self._bridge = self._make_bridge()
        argv = [
            *("setpriv", "--pdeathsig", "TERM"), *self._inside,
            "dockerd", "--host", self.url, "--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec",
            "--pidfile", f"{self.folder}/pid", "--config-file", f"{self.folder}/none.json", "--log-level", "warn",
            *self._network_options(), *self._options,
        ]  # fmt: skip
        (self.folder / "none.json").write_text("{}")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"the engine did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def answers(self) -> bool:
        try:
            return self.api.get("/_ping", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """End dockerd without a word, as a crash would. Containers go on until `start`, which starts them anew where
        their restart policy says so."""
        self._end(signal.SIGKILL)
        (self.folder / "pid").unlink(missing_ok=True)
        # containerd ends with it. Where nobody buries the dead its pid stays, and would be taken for a living one.
        (self.folder / "exec/containerd/containerd.pid").unlink(missing_ok=True)

    def halt(self) -> None:
        """Stop dockerd in order, as an update of the package would; containers stop with it."""
        self._end(signal.SIGTERM)

    def stop(self) -> None:
        """Remove every container, network and volume, end the engine, and take away what it mounted."""
        if self._process is None and self._bridge is not None:  # it was killed: only an engine knows what to take away
            self._kill_leftovers()
            self.start()
        if self._process is not None and self.answers():
            self._remove_all()
        self._end(signal.SIGTERM)
        self._kill_leftovers()
        with Path("/proc/mounts").open() as mounts:
            mounted = [line.split()[1] for line in mounts if f" {self.folder}/" in line]
        for target in sorted(mounted, reverse=True):
            subprocess.run(["umount", "-l", target], check=False, capture_output=True)
        if self._bridge is not None:
            subprocess.run(["ip", "link", "delete", self._bridge], check=False, capture_output=True)
            self._bridge = None
        self.api.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def load(self, archive: bytes) -> None:
        """Take in an image's archive, as `homeport.testing.busybox_image` makes one; the same twice is quick."""
        answer = self.api.post("/images/load", params={"quiet": "true"}, content=pieces(archive))
        answer.raise_for_status()
        if '"error"' in answer.text:
            raise RuntimeError(f"the image could not be loaded: {answer.text[-500:]}")

    def get(self, path: str, **query: str) -> Any:
        """A GET of the engine's API, decoded."""
        answer = self.api.get(path, params=query)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: Any = None, **query: str) -> Any:
        """A POST of the engine's API, decoded; None where it answers nothing."""
        answer = self.api.post(path, params=query, json=body)
        answer.raise_for_status()
        return answer.json() if answer.headers.get("content-type", "").startswith("application/json") else None

    def _network_options(self) -> list[str]:
        if self._bridge is None:
            return []
        # Nothing of this may reach the machine's own filter, which another engine or the machine's owner may use.
        pool = f"base=10.{self._network}.128.0/17,size=24"
        return [
            "--bridge", self._bridge, "--default-address-pool", pool,
            "--iptables=false", "--ip-masq=false", "--ip-forward=false",
        ]  # fmt: skip

    def _make_bridge(self) -> str:
        """A bridge under the first number that is free; making it is what takes the number."""
        for number in NETWORKS:
            name = f"hptest{number}"
            made = subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=False, capture_output=True)
            if made.returncode == 0:
                self._network = 128 + number
                subprocess.run(["ip", "address", "add", f"10.{self._network}.0.1/24", "dev", name], check=True)
                subprocess.run(["ip", "link", "set", name, "up"], check=True)
                return name
        raise RuntimeError(f"no bridge could be made: {made.stderr.decode(errors='replace').strip()}")

    def _remove_all(self) -> None:
        swarm = self.get("/info")["Swarm"]
        if swarm["LocalNodeState"] == "active":
            self.api.post("/swarm/leave", params={"force": "true"})
        for container in self.get("/containers/json", all="true"):
            self.api.delete(f"/containers/{container['Id']}", params={"force": "true", "v": "true"})
        self.api.post("/networks/prune")

    def _end(self, sign: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(sign)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_SECONDS)
        self._process = None

    def _kill_leftovers(self) -> None:
        for process in self._leftovers():
            try:
                process.kill()
                process.wait(STOP_SECONDS)
            except psutil.NoSuchProcess:
                continue

    def _leftovers(self) -> list[psutil.Process]:
        """containerd and its shims are known by our folder in their command line; what shims started is ours too."""
        found: dict[int, psutil.Process] = {}
        for process in psutil.process_iter(["cmdline"]):
            if any(str(self.folder) in word for word in process.info["cmdline"] or ()):
                try:
                    found |= {one.pid: one for one in (process, *process.children(recursive=True))}
                except psutil.NoSuchProcess:
                    continue
        return list(found.values())
