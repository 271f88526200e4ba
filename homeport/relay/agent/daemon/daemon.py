"""The agent's service: every tunnel of the state directory is kept up, more are taken and given up while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from homeport.kit.clock import Clock, SystemClock
from homeport.kit.guard import OutboundGuard
from homeport.relay.agent.agent import Agent
from homeport.relay.agent.certificates import LETS_ENCRYPT, Automatic, FromAcme, FromTheRelay
from homeport.relay.agent.daemon.http import local_api
from homeport.relay.agent.daemon.kept_tunnel import KeptTunnel
from homeport.relay.agent.daemon.specs import TunnelSpec
from homeport.relay.agent.daemon.state import AgentState, TunnelUnknown
from homeport.relay.agent.daemon.wallets import AgentWallets
from homeport.relay.agent.local_server import LocalServer
from homeport.relay.agent.targets import TcpTarget, parse_target
from homeport.relay.agent.udp_companion import UdpCompanion


class Daemon:
    """`open` before anything else, `close` at the end; `stopping` is set when somebody asked it to end.

    `wallets` (0x…) may read its status, besides the wallets of its own tunnels' keys. `acme` is the directory that
    gives certificates for public names.
    """

    def __init__(
        self,
        state: AgentState,
        *,
        clock: Clock | None = None,
        wallets: Iterable[str] = (),
        acme: str = "",
        acme_email: str = "",
    ) -> None:
        self.state = state
        self.stopping = asyncio.Event()
        self.clock = clock or SystemClock()
        self.began_at = self.clock.now()
        self.tunnels: dict[str, KeptTunnel] = {}
        self.wallets = AgentWallets(wallets, self._own_wallets, self.clock)
        self.token = ""
        self._acme = acme
        self._acme_email = acme_email
        self._server: LocalServer | None = None
        self._changing = asyncio.Lock()

    async def open(self, port: int) -> int:
        """Serve the local API on 127.0.0.1 and start every tunnel; the port (0 picks one).

        Raises OSError when the port is taken, StateUnreadable.
        """
        self.token = await asyncio.to_thread(self.state.token)
        specs = await asyncio.to_thread(self.state.tunnels)
        self._server = LocalServer(local_api(self))
        chosen = await self._server.open(port)
        for spec in specs.values():
            self._start(spec)
        return chosen

    async def close(self) -> None:
        """Every tunnel says goodbye to its relays: some seconds at most."""
        await asyncio.gather(*(tunnel.stop() for tunnel in self.tunnels.values()))
        if self._server is not None:
            await self._server.close()

    async def add(self, spec: TunnelSpec) -> dict[str, Any]:
        """Keep it from now on, over restarts. Raises TunnelExists, TooManyTunnels, IdentityBroken."""
        async with self._changing:
            await asyncio.to_thread(self.state.identity, spec.name)
            await asyncio.to_thread(self.state.add, spec)
            return self._start(spec).row()

    async def remove(self, name: str) -> None:
        """End it, and forget it. Raises TunnelUnknown."""
        async with self._changing:
            await asyncio.to_thread(self.state.remove, name)
            kept = self.tunnels.pop(name, None)
        if kept is not None:
            await kept.stop()

    def row(self, name: str) -> dict[str, Any]:
        """How one is doing. Raises TunnelUnknown."""
        kept = self.tunnels.get(name)
        if kept is None:
            raise TunnelUnknown(f"There is no tunnel {name[:100]!r}.")
        return kept.row()

    def rows(self) -> list[dict[str, Any]]:
        """How all of them are doing."""
        return [kept.row() for kept in self.tunnels.values()]

    def _start(self, spec: TunnelSpec) -> KeptTunnel:
        kept = self.tunnels[spec.name] = KeptTunnel(spec, self._build, self.clock)
        kept.start()
        return kept

    async def _build(self, spec: TunnelSpec) -> Agent:
        identity = await asyncio.to_thread(self.state.identity, spec.name)
        relays = await asyncio.to_thread(lambda: [each.relay() for each in spec.relays])
        target: TcpTarget = parse_target(spec.target)
        companions = [UdpCompanion(target, self.clock)] if spec.udp else []
        return Agent(
            identity, relays, target, spec.wish(), self._certificates(), clock=self.clock, companions=companions
        )

    def _certificates(self) -> Automatic:
        # The default directory may not lead into this network; one that the administrator names may be anywhere.
        guard = OutboundGuard(("0.0.0.0/0", "::/0") if self._acme else ())
        public = FromAcme(
            self.state.certificates,
            self.clock,
            guard,
            directory_url=self._acme or LETS_ENCRYPT,
            email=self._acme_email,
        )
        return Automatic(FromTheRelay(self.clock), public, None)

    def _own_wallets(self) -> set[str]:
        return {row["address"] for row in self.rows() if row["address"]}
