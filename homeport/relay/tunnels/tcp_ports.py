"""Public TCP ports of leases: whatever speaks TCP, without TLS or names."""

from __future__ import annotations

import socket
from typing import Any

from homeport.relay.acceptor import Acceptor
from homeport.relay.lease import Lease
from homeport.relay.tunnels.connect import seen_from
from homeport.relay.tunnels.visitors import Visitors

BACKLOG = 256  # connections that the kernel keeps for us


class TcpPorts:
    """A PortTransport. Listens on `host`, with `::` on IPv4 as well."""

    def __init__(self, visitors: Visitors, host: str, *, configured: bool = True) -> None:
        self.configured = configured
        self._visitors = visitors
        self._host = {"localhost": "127.0.0.1"}.get(host, host)
        self._acceptors: dict[Lease, Acceptor] = {}

    async def open(self, lease: Lease, port: int) -> None:
        """Raises OSError when the port cannot be had."""
        await self.close(lease)

        def arrived(sock: socket.socket, address: Any) -> None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._visitors.arrive(lease, sock, seen_from(address))

        acceptor = Acceptor(arrived)
        acceptor.listen(self._host, port, BACKLOG)
        self._acceptors[lease] = acceptor

    async def close(self, lease: Lease) -> None:
        if (acceptor := self._acceptors.pop(lease, None)) is not None:
            acceptor.close()

    async def close_all(self) -> None:
        for lease in list(self._acceptors):
            await self.close(lease)
