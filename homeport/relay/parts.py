"""The relay, put together: leases and their policy, the data plane, and what agents ask of it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping

import structlog
from fastapi import APIRouter

from homeport.identity import Identity
from homeport.identity.audit import Act
from homeport.kit.bus import Bus
from homeport.kit.clock import Clock
from homeport.kit.guard import OutboundGuard
from homeport.relay import admin_http, http, status_http
from homeport.relay.certificates import Certificates
from homeport.relay.challenges import Challenges
from homeport.relay.discovery import Discovery
from homeport.relay.discovery import http as discovery_http
from homeport.relay.enforcement import Enforcement
from homeport.relay.ingress import Handler
from homeport.relay.lease import Lease, Sessions
from homeport.relay.leases import Leases, Surroundings
from homeport.relay.policy import Policy
from homeport.relay.problems import FeatureUnavailable
from homeport.relay.public_list import PublicList
from homeport.relay.relay_identity import RelayIdentity
from homeport.relay.signing import PATH as SIGN_PATH
from homeport.relay.signing import READ_BYTES, Signing, TunnelCertificates
from homeport.relay.signing import routes as signing_routes
from homeport.relay.thumbnails import Thumbnails
from homeport.relay.thumbnails import routes as thumbnails_routes
from homeport.relay.thumbnails.browser import camera
from homeport.relay.tokens import LeaseTokens
from homeport.relay.tunnels.connect import Connector
from homeport.relay.tunnels.front import Front
from homeport.relay.tunnels.raw_http import RawRoute
from homeport.relay.tunnels.sessions import ReadySessions
from homeport.relay.tunnels.tcp_ports import TcpPorts
from homeport.relay.tunnels.visitors import Visitors
from homeport.relay.udp import UdpPorts
from homeport.relay.udp.ports import Place
from homeport.relay.wallets import Wallets
from homeport.settings import Settings
from homeport.storage import Database, Options
from homeport.wire.client_hello import ClientHello

UPKEEP_SECONDS = 5.0

log = structlog.get_logger()


class Relay:
    """Building it touches nothing; `open` goes on with the leases from before, `run` ends those that expire.

    `settings` gives the settings as they are now (the port is known once the portal serves), `taken` says whether an
    app has a label below the domain, `record` appends to the audit log.
    """

    def __init__(
        self,
        database: Database,
        settings: Callable[[], Settings],
        options: Options,
        clock: Clock,
        bus: Bus,
        guard: OutboundGuard,
        tls: Certificates,
        record: Callable[[Act], Awaitable[None]],
        *,
        taken: Callable[[str], bool],
    ) -> None:
        given = settings()
        self.enabled = given.relay
        self._clock = clock
        self._settings = settings
        self._tls = tls
        self.identity = RelayIdentity(given.data_dir, given.domain)
        self.tokens = LeaseTokens(self.identity, clock, lambda: settings().base_url)
        self.challenges = Challenges(clock, given.domain)
        self.policy = Policy(database, given, options, clock)
        self.visitors = Visitors(self._lease_at, self.policy)
        self.tcp_ports = TcpPorts(self.visitors, given.bind, configured=given.relay_tcp)
        self.udp_ports = UdpPorts(
            self._holder,
            self.policy,
            clock,
            place=self._place,
            certificate=self._quic_certificate,
            configured=given.relay_udp,
        )
        self.leases = Leases(
            database,
            given,
            clock,
            bus,
            policy=self.policy,
            tokens=self.tokens,
            surroundings=Surroundings(self._sessions, self.tcp_ports, self.udp_ports, taken),
        )
        self.enforcement = Enforcement(self.policy, self.leases.all, bus)
        # Challenges of their own: whoever fills the table of registrations keeps no administrator out.
        signing_in = Challenges(clock, given.domain)
        self.wallets = Wallets(given.relay_wallets, lambda: self.identity.address, signing_in, clock)
        self.signing = Signing(
            clock,
            tls.keyless.pair,
            self.leases.holder,
            self.policy.routable,
            record,
            limit=given.relay_signatures_per_minute,
            without_token=given.relay_sign_without_token,
        )
        self.certificates = TunnelCertificates(tls.own_authority, self.leases.holder, self.policy.routable)
        self.discovery = Discovery(
            database,
            settings,
            clock,
            guard,
            self.identity,
            lambda: (self.visitors.moved, self.visitors.active),
            offers=lambda: (
                self.udp_ports.configured and self.policy.udp.enabled,
                self.tcp_ports.configured and self.policy.tcp_port.enabled,
            ),
        )
        self.thumbnails = Thumbnails(
            self.leases, self.policy, clock, bus, guard, camera(settings), ca_file=given.relay_ca_file
        )
        self.public_list = PublicList(self.leases, self.policy, settings, clock, self.thumbnails.path)
        self.connector = Connector(self.leases, self.policy, clock)
        self.routes: Mapping[bytes, RawRoute] = {SIGN_PATH.encode(): RawRoute(READ_BYTES, self.signing.answer)}

    async def open(self) -> None:
        """Read what was decided and who holds what. Raises RelayIdentityUnreadable."""
        if self.enabled:
            await self.policy.open()
            await self.leases.load()
            await self.discovery.open()

    async def close(self) -> None:
        """End every connection of tunnels; leases go on after a restart."""
        await self.discovery.close()
        await self.thumbnails.close()
        await self.leases.close()
        await self.udp_ports.stop()
        await self.tcp_ports.close_all()
        self.visitors.cut()
        await self.signing.flush()

    async def run(self) -> None:
        """Upkeep, until it is cancelled."""
        if not self.enabled:
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sweep(), name="relay upkeep")
            tasks.create_task(self.signing.run(), name="relay signatures' audit")
            tasks.create_task(self.discovery.run(), name="relay discovery")
            tasks.create_task(self.thumbnails.run(), name="relay thumbnails")

    def handler_for(self, name: str | None) -> Handler | None:
        """The visitors' handler for the name of a tunnel, None for every other name."""
        return self.visitors if name is not None and self.enabled and self._lease_at(name) is not None else None

    def http(self, identity: Identity) -> list[APIRouter]:
        """The relay's routes; the last one answers what no other below /admin does."""
        administered = identity, self.policy, self.wallets, self.leases
        return [
            http.routes(self.leases, self.policy, self.challenges, identity, self._settings),
            *signing_routes(self.signing, self.certificates),
            status_http.routes(*administered, base_url=lambda: self._settings().base_url, total=self.visitors.total),
            self.public_list.routes(),
            discovery_http.routes(self.discovery, self.policy, self._clock),
            thumbnails_routes(self.thumbnails),
            *admin_http.routes(*administered),
        ]

    def front(
        self,
        usual: Handler,
        context_for: Callable[[ClientHello], ssl.SSLContext],
        protocol: Callable[[str | None], asyncio.Protocol],
    ) -> Front:
        """The handler of the portal's own name: agents' connections come here, all others go to `usual`."""
        return Front(usual, context_for, protocol, self.connector, self.routes)

    def has(self, label: str) -> bool:
        """Whether visitors reach a tunnel by this name below the domain."""
        lease = self._lease_at(f"{label}.{self._settings().domain}")
        return lease is not None and self.policy.routable(lease.key)

    def _sessions(self, lease: Lease) -> Sessions:
        self._tls.keyless.include(lease.hostname)
        return ReadySessions()

    def _lease_at(self, name: str) -> Lease | None:
        return self.leases.at(name)

    def _holder(self, token: str) -> Lease:
        return self.leases.holder(token)

    def page_head(self) -> str:
        """For the head of the portal's page."""
        return self.public_list.page_head() if self.enabled else ""

    def _place(self) -> Place:
        return self._settings()

    def _quic_certificate(self) -> bytes:
        """Key and chain: the relay's own pair, where keyless is on, else the one of the portal's name."""
        kept = self._tls.shelf.find_for(self._settings().domain)
        pair = self._tls.keyless.pair() or (kept.pair if kept is not None else None)
        if pair is None:
            raise FeatureUnavailable("Tunnels of UDP need the relay's certificate, and keyless signing is off.")
        return pair.key_and_chain

    async def _sweep(self) -> None:
        while True:
            await self._clock.sleep(UPKEEP_SECONDS)
            try:
                await self.leases.sweep()
            except Exception:
                log.exception("the relay's upkeep failed")
            self.challenges.sweep()
