"""Public UDP ports for leases: who gets one, and which QUIC connection carries its datagrams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import structlog

from homeport.kit.clock import Clock
from homeport.relay.lease import Lease
from homeport.relay.problems import FeatureUnavailable, LeaseNotFound, TokenRefused
from homeport.relay.udp.public_port import PublicPort, UdpPolicy, bind
from homeport.wire import udp_control

if TYPE_CHECKING:
    from homeport.relay.udp.listener import AgentConnection, Listener

__all__ = ["Place", "UdpPolicy", "UdpPorts"]

log = structlog.get_logger()


class Place(Protocol):
    """Where the portal listens; the port is known once it serves."""

    @property
    def bind(self) -> str: ...

    @property
    def port(self) -> int: ...


class UdpPorts:
    """The PortTransport of UDP. The QUIC listener is there from the first lease that needs it.

    `holder` gives the live lease of a token (TokenRefused, LeaseNotFound); `place` names address and port, which QUIC
    shares with the portal's TLS; `certificate` is the relay's as PEM, key and chain, read anew for each connection.
    """

    def __init__(
        self,
        holder: Callable[[str], Lease],
        policy: UdpPolicy,
        clock: Clock,
        *,
        place: Callable[[], Place],
        certificate: Callable[[], bytes],
        configured: bool = True,
    ) -> None:
        self.configured = configured
        self._holder = holder
        self._policy = policy
        self._clock = clock
        self._place = place
        self._certificate = certificate
        self._ports: dict[str, PublicPort] = {}  # by the lease's id: a new lease's is open before the old one's closes
        self._listener: Listener | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    async def open(self, lease: Lease, port: int) -> None:
        """Listen on the public port. Raises OSError when it cannot be had, FeatureUnavailable when QUIC's cannot."""
        await self._listen()
        sock = bind(_everywhere(self._place().bind), port)
        self._ports[lease.id] = PublicPort(lease, sock, self._policy, self._clock)

    async def close(self, lease: Lease) -> None:
        """Nobody is heard on it any more. Its agent, who may hold the next lease already, connects anew to find out."""
        port = self._ports.pop(lease.id, None)
        if port is not None:
            agent = port.agent
            port.close()
            if agent is not None:
                agent.end(0, "lease ended")

    def dropped(self, lease: Lease) -> int:
        """Datagrams of the lease that were dropped, both ways, since its port is open."""
        port = self._ports.get(lease.id)
        return port.dropped if port is not None else 0

    def connected(self, lease: Lease) -> bool:
        """Whether an agent is there to take datagrams."""
        port = self._ports.get(lease.id)
        return port is not None and port.agent is not None

    async def stop(self) -> None:
        """Close every port and the listener; agents hear that the relay goes."""
        self._closed = True
        for port in self._ports.values():
            port.close()
        self._ports.clear()
        if self._listener is not None:
            await self._listener.close()
            self._listener = None

    def admit(self, token: str, address: str, connection: AgentConnection) -> str:
        """Give an agent its lease's datagrams: empty, or the error that it is told (relay digest C.8).

        An older connection of the lease is closed; bans and a denial are looked at again for each datagram.
        """
        if self._closed:
            return udp_control.BROKER_CLOSED
        if self._policy.refused(address):
            return udp_control.LEASE_REJECTED
        try:
            lease = self._holder(token)
        except TokenRefused:
            return udp_control.UNAUTHORIZED
        except LeaseNotFound:
            return udp_control.LEASE_NOT_FOUND
        if not self._policy.routable(lease.key):
            return udp_control.LEASE_REJECTED
        port = self._ports.get(lease.id)
        if port is None:
            return udp_control.TRANSPORT_MISMATCH
        older, port.agent = port.agent, connection
        if older is not None:
            older.end(0, "replaced")
        connection.carry(port)
        lease.bridges.add(connection)
        return ""

    def released(self, port: PublicPort, connection: AgentConnection) -> None:
        """The connection is over."""
        port.lease.bridges.discard(connection)
        if port.agent is connection:
            port.agent = None

    async def _listen(self) -> None:
        async with self._opening:
            if self._listener is not None:
                return
            from homeport.relay.udp.listener import Listener  # aioquic: 10 MB that most portals never need

            place = self._place()
            listener = Listener(self.admit, self.released, self._policy.refused, self._certificate)
            try:
                await listener.open(place.bind, place.port)
            except OSError as problem:
                log.warning("no UDP tunnels: QUIC's port is taken", port=place.port, reason=problem.strerror)
                raise FeatureUnavailable(f"The relay cannot listen for QUIC on UDP port {place.port}.") from problem
            self._listener = listener


def _everywhere(host: str) -> str:
    """`localhost` as an address; a portal on this machine alone gives out ports of this machine alone."""
    return "127.0.0.1" if host == "localhost" else host
