"""The agent's end of a UDP lease: a QUIC connection to the relay, and a local socket for each visitor (relay C.8)."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import structlog

from homeport.kit.clock import Clock
from homeport.relay.agent.problems import LeaseLost, RelayRefused, RelayUnreachable, RelayUntrusted
from homeport.relay.agent.relays import Relay
from homeport.relay.agent.status import Traffic
from homeport.relay.agent.targets import TcpTarget
from homeport.relay.agent.tcp import connect
from homeport.relay.agent.udp_flows import LocalFlows
from homeport.wire import udp_control

if TYPE_CHECKING:
    from homeport.relay.agent.udp_peer import RelayPeer

log = structlog.get_logger()

DIAL_SECONDS = 10.0
FIRST_DELAY = 1.0  # seconds; doubled after each failure, up to LONGEST_DELAY
LONGEST_DELAY = 30.0
_LOST = (udp_control.LEASE_NOT_FOUND, udp_control.UNAUTHORIZED)

UdpState = Literal["connecting", "online", "offline", "stopped"]


class UdpTunnel:
    """Keeps a lease's datagrams flowing until it is cancelled.

    `port` is where the relay speaks QUIC (the registration's sni_port), `token` gives the lease's newest one. Visitors'
    datagrams go to `target`, each visitor's from a socket of its own; `traffic` counts them.
    """

    def __init__(
        self,
        relay: Relay,
        port: int,
        token: Callable[[], str],
        target: TcpTarget,
        clock: Clock,
        *,
        traffic: Traffic | None = None,
        changed: Callable[[], None] = lambda: None,
        chance: random.Random | None = None,
    ) -> None:
        self.state: UdpState = "connecting"  # offline: it is tried again, and `error` says why
        self.error = ""
        self.dropped = 0  # datagrams, both ways
        self.traffic = traffic if traffic is not None else Traffic()
        self._relay = relay
        self._port = port
        self._token = token
        self._target = target
        self._clock = clock
        self._changed = changed
        self._chance = chance or random.Random()  # noqa: S311 - spreads reconnects, guards nothing

    async def run(self) -> None:
        """Connect, carry, and connect again. Raises LeaseLost when the relay no longer knows the lease or its token:
        register, and begin anew."""
        delay = FIRST_DELAY
        try:
            while True:
                try:
                    await self._carry()
                    delay = FIRST_DELAY
                except (RelayUnreachable, RelayRefused) as problem:
                    if problem.message != self.error:
                        log.info("no UDP for now", relay=self._relay.url, reason=problem.message)
                    self.error = problem.message
                self.state = "offline"
                self._changed()
                await self._clock.sleep(delay * self._chance.uniform(0.75, 1.25))
                delay = min(LONGEST_DELAY, delay * 2)
        finally:
            self.state = "stopped"

    async def _carry(self) -> None:
        """One connection, until it ends. Raises RelayUnreachable, RelayRefused, LeaseLost."""
        leaf = await self._relays_leaf()
        peer, transport = await self._dial(leaf)
        try:
            error = await peer.admitted(self._token(), DIAL_SECONDS)
            if error in _LOST:
                raise LeaseLost(f"The relay does not know the lease: {error}.")
            if error:
                raise RelayRefused(error, 403, f"The relay does not carry UDP for this tunnel: {error}.")
            flows = LocalFlows(await _resolved(self._target), peer.send_frame, self.traffic, self._clock, self._count)
            peer.carry(flows)
            self.state, self.error = "online", ""
            self._changed()
            try:
                reason = await peer.gone
            finally:
                flows.close()
            if reason in _LOST:
                raise LeaseLost(f"The relay gave the lease up: {reason}.")
            self.error = f"The relay closed the connection: {reason or 'it fell silent'}."
        finally:
            peer.close()
            await asyncio.sleep(0)
            transport.close()

    def _count(self) -> None:
        self.dropped += 1

    async def _relays_leaf(self) -> bytes:
        """The certificate (DER) that the relay shows over TLS, where it was verified: QUIC's must be the same."""
        host, port = self._relay.destination
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                sock = await connect(host, port)
                _, writer = await asyncio.open_connection(
                    sock=sock, ssl=self._relay.context, server_hostname=self._relay.host
                )
        except ssl.SSLCertVerificationError as problem:
            raise RelayUntrusted(f"{self._relay.url} shows a certificate that is not trusted: {problem}") from None
        except (OSError, TimeoutError) as problem:
            raise RelayUnreachable(f"{self._relay.url} cannot be reached: {problem or 'no answer in time'}.") from None
        leaf: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.transport.abort()
        return leaf

    async def _dial(self, leaf: bytes) -> tuple[RelayPeer, asyncio.DatagramTransport]:
        from homeport.relay.agent.udp_peer import dial  # loads aioquic

        host = self._relay.destination[0]
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                return await dial(host, self._port, self._relay.host, leaf)
        except TimeoutError:
            raise RelayUnreachable(
                f"No answer from {host} on UDP port {self._port}: does a firewall keep UDP out?"
            ) from None
        except OSError as problem:
            raise RelayUnreachable(f"QUIC to {host}:{self._port} failed: {problem}.") from None


async def _resolved(target: TcpTarget) -> tuple[socket.AddressFamily, tuple[object, ...]]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
    except OSError as problem:
        raise RelayUnreachable(f"The target {target} has no address: {problem}.") from None
    family, _, _, _, address = found[0]
    return family, address
