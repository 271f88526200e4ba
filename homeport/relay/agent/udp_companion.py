"""Datagrams along with a lease, where the relay gave a UDP port."""

from __future__ import annotations

from homeport.kit.clock import Clock
from homeport.relay.agent.held import Held
from homeport.relay.agent.problems import RelayRefused
from homeport.relay.agent.targets import TcpTarget
from homeport.relay.agent.udp import UdpTunnel


class UdpCompanion:
    """Visitors' datagrams go to the UDP port of the same number as the target's."""

    def __init__(self, target: TcpTarget, clock: Clock) -> None:
        self._target = target
        self._clock = clock

    async def run(self, held: Held) -> None:
        """Raises LeaseLost, and RelayRefused when the relay gave no UDP after all."""
        if not held.udp_enabled or not held.sni_port:
            raise RelayRefused("feature_unavailable", 503, f"{held.relay.url} gave the tunnel no UDP port.")
        await UdpTunnel(held.relay, held.sni_port, lambda: held.token, self._target, self._clock).run()
