"""Visitors of tunnels: who comes by a tunnel's name, or by its port."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from socket import socket
from typing import Any

from homeport.identity.client_address import network_of
from homeport.relay.lease import Lease, Traffic
from homeport.relay.policy import Policy
from homeport.relay.tunnels.bridge import PASSTHROUGH, RAW, Bridge, keep_alive
from homeport.relay.tunnels.connect import seen_from
from homeport.relay.tunnels.sessions import ReadySessions
from homeport.wire.client_hello import ClientHello

MAX_VISITORS = 8192  # at the same time, of all tunnels
MAX_OF_ONE_TUNNEL = 2048
MAX_OF_ONE_ADDRESS = 1024  # IPv4 address or IPv6 /64, at all tunnels: nobody fills one alone


class Visitors:
    """A Handler for the names of leases (`find` gives the lease of one, if it has not expired).

    Who is banned, or asks for a tunnel that is not approved, is closed without a word. `total` counts all traffic.
    """

    def __init__(self, find: Callable[[str], Lease | None], policy: Policy) -> None:
        self._find = find
        self._policy = policy
        self.total = Traffic()
        self._bridges: set[Bridge] = set()
        self._sources: Counter[str] = Counter()

    @property
    def active(self) -> int:
        """Visitors that are connected now."""
        return len(self._bridges)

    @property
    def moved(self) -> int:
        """Of all tunnels so far, in both directions."""
        return self.total.received + self.total.sent

    async def handle(self, sock: socket, address: Any, hello: ClientHello, /) -> None:
        lease = self._find(hello.server_name or "")
        if lease is None:
            sock.close()
            return
        self.admit(lease, sock, seen_from(address), PASSTHROUGH)

    def arrive(self, lease: Lease, sock: socket, address: str) -> None:
        """A connection to the port of a lease, which may be over by now."""
        if self._find(lease.hostname) is lease:
            self.admit(lease, sock, address, RAW)
        else:
            sock.close()

    def admit(self, lease: Lease, sock: socket, address: str, marker: bytes) -> None:
        """Serve the connection by the lease's next session, or close it. The socket is taken in any case."""
        sessions = lease.sessions
        source = network_of(address)
        if (
            not isinstance(sessions, ReadySessions)
            or not self._policy.routable(lease.key)
            or self._policy.refused(address)
            or len(self._bridges) >= MAX_VISITORS
            or len(lease.bridges) >= MAX_OF_ONE_TUNNEL
            or self._sources[source] >= MAX_OF_ONE_ADDRESS
        ):
            sock.close()
            return
        keep_alive(sock)

        def ended(bridge: Bridge) -> None:
            self._bridges.discard(bridge)
            self._sources[source] -= 1
            if not self._sources[source]:
                del self._sources[source]
            sessions.ended(bridge)

        bridge = Bridge(
            lease,
            sock,
            address,
            marker,
            self._policy.bucket(lease.key),
            self.total,
            opened=sessions.opened,
            ended=ended,
        )
        self._bridges.add(bridge)
        self._sources[source] += 1
        sessions.claim(bridge)

    def cut(self, chosen: Callable[[Bridge], bool] = lambda _: True) -> None:
        """End the connections that are chosen: those whose identity or address is refused now."""
        for bridge in [each for each in self._bridges if chosen(each)]:
            bridge.cut()
