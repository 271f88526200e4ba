"""Agents within the portal: the same as everywhere, and nobody has to start them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from homeport.kit.clock import Clock
from homeport.kit.guard import OutboundGuard
from homeport.services.shares.running import Wanted
from homeport.settings import Settings

if TYPE_CHECKING:  # the agent brings an HTTP client along, which an idle portal does without
    from homeport.relay.agent import Agent, Relay, Status


class PortalAgent:
    """One agent, with the state of each of its tunnels."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def start(self) -> None:
        await self._agent.start()

    async def stop(self) -> None:
        await self._agent.stop()

    def statuses(self) -> Sequence[Status]:
        return [tunnel.status() for tunnel in self._agent.tunnels]


class Agents:
    """Makes them. `settings` are those of now: the port is known once the portal serves."""

    def __init__(self, settings: Callable[[], Settings], folder: Path, clock: Clock, guard: OutboundGuard) -> None:
        self._settings = settings
        self._folder = folder
        self._clock = clock
        self._guard = guard

    async def make(self, wanted: Wanted) -> PortalAgent:
        """An agent that has not begun. Raises DestinationRefused and DestinationUnknown for other relays."""
        from homeport.relay.agent import Agent, Automatic, FromAcme, FromTheRelay, Wish

        relays = [await self._other(url) for url in wanted.relays] or [self._own()]
        said = wanted.metadata
        wish = Wish(said.description, said.owner, said.tags, said.thumbnail, said.hide, tcp=wanted.tcp)
        settings = self._settings()
        acme = FromAcme(
            self._folder, self._clock, self._guard, directory_url=settings.acme_directory_url,
            email=settings.acme_email, ca_file=settings.acme_ca_file,
        )  # fmt: skip
        certificates = Automatic(FromTheRelay(self._clock), acme, FromTheRelay(self._clock))
        return PortalAgent(Agent(wanted.identity, relays, wanted.target, wish, certificates, clock=self._clock))

    def _own(self) -> Relay:
        """This portal's: the connection goes to the port that this very process listens on, so that there is nobody
        whose certificate would have to be judged, whoever signed it."""
        from homeport.relay.agent import Relay

        settings = self._settings()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["http/1.1"])
        return Relay(settings.base_url, context, address=_reached_at(settings.bind), dial_port=settings.port)

    async def _other(self, url: str) -> Relay:
        """At an address that the guard has judged."""
        from homeport.relay.agent import Relay, client_context

        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
        if url == self._settings().base_url:
            return self._own()
        address = (await self._guard.resolve(host, port))[0]
        return Relay(url, await asyncio.to_thread(client_context), address=address)


def _reached_at(bind: str) -> str:
    """Where a listener at this address is reached from its own machine."""
    try:
        address = ip_address(bind)
    except ValueError:
        return bind
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "::1"
    return str(address)
