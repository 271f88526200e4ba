"""Accepts connections on listening sockets, and survives when the machine has no descriptor left for one."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any

import structlog

ACCEPTS_A_TURN = 64  # then the event loop sees to the others
PAUSE_WITHOUT_DESCRIPTORS = 0.5  # seconds
_OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

log = structlog.get_logger()


class Acceptor:
    """Owns the listeners that `listen` makes. `accepted` is given each connection (non-blocking) and its address."""

    def __init__(self, accepted: Callable[[socket.socket, Any], None]) -> None:
        self._accepted = accepted
        self._loop = asyncio.get_running_loop()
        self._listeners: list[socket.socket] = []
        self._resume: asyncio.TimerHandle | None = None

    def listen(self, host: str, port: int, backlog: int) -> int:
        """On `host`, an address (`::`: on IPv4 too). Gives the port; 0 picks one. Raises OSError when it is taken."""
        is_v6 = ":" in host
        listener = socket.create_server(
            (host, port),
            family=socket.AF_INET6 if is_v6 else socket.AF_INET,
            backlog=backlog,
            dualstack_ipv6=host == "::",
        )
        listener.setblocking(False)
        self._listeners.append(listener)
        self._loop.add_reader(listener.fileno(), self._accept, listener)
        return int(listener.getsockname()[1])

    def close(self) -> None:
        """Accept nothing any more; what was accepted is not ours."""
        if self._resume is not None:
            self._resume.cancel()
        for listener in self._listeners:
            self._loop.remove_reader(listener.fileno())
            listener.close()
        self._listeners.clear()

    def _go_on(self) -> None:
        self._resume = None
        for listener in self._listeners:
            self._loop.add_reader(listener.fileno(), self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTS_A_TURN):
            try:
                sock, address = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as problem:
                if problem.errno not in _OUT_OF_RESOURCES:
                    continue  # the peer was gone before it was accepted: accept(2) asks to treat these as retry
                log.error("cannot accept: out of resources", reason=problem.strerror)
                for each in self._listeners:
                    self._loop.remove_reader(each.fileno())
                self._resume = self._loop.call_later(PAUSE_WITHOUT_DESCRIPTORS, self._go_on)
                return
            sock.setblocking(False)
            self._accepted(sock, address)
