"""Datagrams along with a lease, where the relay gave a UDP port."""

from __future__ import annotations

from collections.abc import Callable

from homeport.kit.clock import Clock
from homeport.relay.agent.held import Held
from homeport.relay.agent.problems import RelayRefused
from homeport.relay.agent.status import Traffic
from homeport.relay.agent.targets import TcpTarget
from homeport.relay.agent.udp import UdpTunnel


class UdpCompanion:
    """Visitors' datagrams go to the UDP port of the same number as the target's."""

    def __init__(self, target: TcpTarget, clock: Clock) -> None:
        self._target = target
        self._clock = clock
        self._tunnels: dict[str, UdpTunnel] = {}
        self._traffic: dict[str, Traffic] = {}  # goes on over registrations

    async def run(self, held: Held, changed: Callable[[], None]) -> None:
        """Raises LeaseLost, and RelayRefused when the relay gave no UDP after all."""
        relay = held.relay
        if not held.udp_enabled or not held.sni_port:
            raise RelayRefused("feature_unavailable", 503, f"{relay.url} gave the tunnel no UDP port.")
        tunnel = UdpTunnel(
            relay, held.sni_port, lambda: held.token, self._target, self._clock,
            traffic=self.traffic(relay.url), changed=changed,
        )  # fmt: skip
        self._tunnels[relay.url] = tunnel
        await tunnel.run()

    def warning(self, relay: str) -> str:
        """Why no datagrams come at this relay just now."""
        tunnel = self._tunnels.get(relay)
        return f"No UDP: {tunnel.error}" if tunnel is not None and tunnel.state == "offline" and tunnel.error else ""

    def traffic(self, relay: str) -> Traffic:
        """A visitor's datagrams count as one connection."""
        return self._traffic.setdefault(relay, Traffic())
