"""Ports of 127.0.0.1 that are a test's own, whatever runs beside it on this machine."""

from __future__ import annotations

import fcntl
import gc
import os
import random
import socket
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

FIRST, LAST = 10_000, 32_499  # below those that the kernel itself hands out, to any connection, from 32768 on
SIZE = 300


class PortBlock:
    """SIZE ports from `first`, for nobody else's tests until this object goes or its process ends."""

    def __init__(self) -> None:
        try:
            self.first, held = _taken()
        except LookupError:
            gc.collect()  # blocks that nobody uses any more
            self.first, held = _taken()
        weakref.finalize(self, os.close, held)

    @property
    def ports(self) -> range:
        return range(self.first, self.first + SIZE)


def free_port() -> int:
    """A port on which nobody listens, by TCP or UDP, and which nobody else is given while this process runs."""
    return next(_singles)


def free_ports(count: int) -> list[int]:
    """As many of them."""
    return [free_port() for _ in range(count)]


def _taken() -> tuple[int, int]:
    """A block that nobody holds, and the open file whose lock says so. Raises LookupError when there is none."""
    folder = Path(tempfile.gettempdir(), f"homeport-ports-{os.geteuid()}")
    folder.mkdir(exist_ok=True)
    blocks = range(FIRST, LAST - SIZE + 2, SIZE)
    for first in random.sample(blocks, len(blocks)):
        file = os.open(folder / str(first), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            continue
        if _is_free(first):  # else something that is no test has it
            return first, file
        os.close(file)
    raise LookupError("Tests hold all blocks of ports.")


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def _one_by_one() -> Iterator[int]:
    blocks = []
    while True:
        blocks.append(PortBlock())
        yield from filter(_is_free, blocks[-1].ports)


_singles = _one_by_one()
