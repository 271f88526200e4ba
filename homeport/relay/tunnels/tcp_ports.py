"""Public TCP ports of leases: whatever speaks TCP, without TLS or names."""

from __future__ import annotations

import asyncio
import errno
import socket

import structlog

from homeport.relay.lease import Lease
from homeport.relay.tunnels.connect import seen_from
from homeport.relay.tunnels.visitors import Visitors

ACCEPTS_A_TURN = 64
PAUSE_WITHOUT_DESCRIPTORS = 0.5  # seconds
_OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

log = structlog.get_logger()


class TcpPorts:
    """A PortTransport. Listens on `host`, with `::` on IPv4 as well."""

    def __init__(self, visitors: Visitors, host: str, *, configured: bool = True) -> None:
        self.configured = configured
        self._visitors = visitors
        self._host = {"localhost": "127.0.0.1"}.get(host, host)
        self._listeners: dict[Lease, _Listener] = {}

    async def open(self, lease: Lease, port: int) -> None:
        """Raises OSError when the port cannot be had."""
        await self.close(lease)
        self._listeners[lease] = _Listener(self._visitors, lease, self._host, port)

    async def close(self, lease: Lease) -> None:
        if (listener := self._listeners.pop(lease, None)) is not None:
            listener.close()

    async def close_all(self) -> None:
        for lease in list(self._listeners):
            await self.close(lease)


class _Listener:
    def __init__(self, visitors: Visitors, lease: Lease, host: str, port: int) -> None:
        is_v6 = ":" in host
        self._visitors = visitors
        self._lease = lease
        self._loop = asyncio.get_running_loop()
        self._sock = socket.create_server(
            (host, port),
            family=socket.AF_INET6 if is_v6 else socket.AF_INET,
            backlog=256,
            dualstack_ipv6=host == "::",
        )
        self._sock.setblocking(False)
        self._resume: asyncio.TimerHandle | None = None
        self._listen()

    def close(self) -> None:
        if self._resume is not None:
            self._resume.cancel()
        else:
            self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def _listen(self) -> None:
        self._resume = None
        self._loop.add_reader(self._sock.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTS_A_TURN):
            try:
                sock, address = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as problem:
                if problem.errno not in _OUT_OF_RESOURCES:
                    continue  # the peer was gone before it was accepted
                log.error("a tunnel's port cannot accept: out of resources", reason=problem.strerror)
                self._loop.remove_reader(self._sock.fileno())
                self._resume = self._loop.call_later(PAUSE_WITHOUT_DESCRIPTORS, self._listen)
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._visitors.arrive(self._lease, sock, seen_from(address))
