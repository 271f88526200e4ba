"""A far network: a network namespace whose only way out is a line with delay, loss, and a switch.

The kernels of test machines often lack sch_netem, so the line is a pair of TUN devices and a thread between them.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import random
import select
import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_CLONE_NEWNET = 0x40000000
_LONGEST_PACKET = 2048
_FULL = 20_000  # packets under way; more are lost, as on any line


def wan_is_possible() -> bool:
    """Whether this machine lets us make namespaces and TUN devices."""
    return os.geteuid() == 0 and Path("/dev/net/tun").exists() and shutil.which("ip") is not None


class Wan:
    """Namespace `name` and this machine, as `far` and `near` (IPv4). Made on entering, gone on leaving.

    `delay` is seconds for each way, `loss` the share of packets that vanish; `cut` loses all, so that both sides keep
    connections of which the other knows nothing any more. `hosts` are names for the far side's /etc/hosts.
    """

    def __init__(
        self,
        name: str,
        number: int,
        *,
        delay: float = 0.0,
        loss: float = 0.0,
        hosts: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.near, self.far = f"10.77.{number}.1", f"10.77.{number}.2"
        self.delay = delay
        self.loss = loss
        self.cut = False
        self.carried = 0  # packets
        self._device = f"hpwan{number}"
        self.hosts = dict(hosts or {})
        self._folder = Path("/etc/netns") / name
        self._ends: list[int] = []
        self._owns_namespace = False
        self._stop_read, self._stop_write = os.pipe()
        self._line = threading.Thread(target=self._carry, name=f"wan {name}")

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        lines = ["127.0.0.1 localhost", *(f"{address} {host}" for host, address in self.hosts.items())]
        (self._folder / "hosts").write_text("\n".join([*lines, ""]))
        self._owns_namespace = not Path("/run/netns", self.name).exists()
        if self._owns_namespace:
            _ip("netns", "add", self.name)
            _ip("-n", self.name, "link", "set", "lo", "up")
        self._ends = [_tun(self._device, None), _tun(self._device, self.name)]
        for words, own, other in (((), self.near, self.far), (("-n", self.name), self.far, self.near)):
            _ip(*words, "addr", "add", own, "peer", other, "dev", self._device)
            _ip(*words, "link", "set", self._device, "mtu", "1500", "up")
        self._line.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.write(self._stop_write, b"x")
        self._line.join(10)
        for fd in (*self._ends, self._stop_read, self._stop_write):
            os.close(fd)
        if self._owns_namespace:
            _ip("netns", "del", self.name)
            shutil.rmtree(self._folder)

    def command(self, *words: str) -> list[str]:
        """To be run on the far side."""
        return ["ip", "netns", "exec", self.name, *words]

    def _carry(self) -> None:
        """Take packets from either end, and give them to the other when they are due."""
        chance = random.Random(self.name)  # reproducible, not secret  # noqa: S311
        due: list[tuple[float, int, int, bytes]] = []
        count = 0
        poll = select.poll()
        for fd in (*self._ends, self._stop_read):
            os.set_blocking(fd, False)
            poll.register(fd, select.POLLIN)
        while True:
            wait = max(0.0, due[0][0] - time.monotonic()) * 1000 if due else None
            for fd, _ in poll.poll(wait):
                if fd == self._stop_read:
                    return
                other = self._ends[0] if fd == self._ends[1] else self._ends[1]
                for packet in _packets(fd):
                    if self.cut or chance.random() < self.loss or len(due) >= _FULL:
                        continue
                    count += 1
                    heapq.heappush(due, (time.monotonic() + self.delay, count, other, packet))
            now = time.monotonic()
            while due and due[0][0] <= now:
                _, _, end, packet = heapq.heappop(due)
                if self.cut:
                    continue
                try:
                    os.write(end, packet)
                except BlockingIOError:
                    continue  # a full queue loses, as on any line
                self.carried += 1


def _packets(fd: int) -> list[bytes]:
    packets: list[bytes] = []
    try:
        while len(packets) < 64:
            packets.append(os.read(fd, _LONGEST_PACKET))
    except BlockingIOError:
        pass
    return packets


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _tun(name: str, namespace: str | None) -> int:
    """A new TUN device in a namespace (None: this one); its descriptor. A thread of its own visits the namespace."""
    made: list[int] = []
    faults: list[OSError] = []

    def make() -> None:
        try:
            if namespace is not None:
                with Path("/run/netns", namespace).open("rb") as space:
                    libc = ctypes.CDLL(None, use_errno=True)
                    if libc.setns(space.fileno(), _CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
            fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH14x", name.encode(), _IFF_TUN | _IFF_NO_PI))
            made.append(fd)
        except OSError as problem:
            faults.append(problem)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if faults:
        raise faults[0]
    return made[0]
