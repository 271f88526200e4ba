"""Who holds which name of this relay, for how long; on disk before anybody is told (digest E)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from homeport.identity.client_address import network_of
from homeport.kit.bus import Bus
from homeport.kit.clock import Clock
from homeport.kit.ids import new_id
from homeport.relay import store
from homeport.relay.events import LeaseBegan, LeaseChanged, LeaseEnded, Reason
from homeport.relay.lease import Lease, Metadata, PortTransport, Sessions
from homeport.relay.lease_index import LeaseIndex
from homeport.relay.lease_ports import LeasePorts, PortsOfOneKind
from homeport.relay.policy import Policy
from homeport.relay.ports import PortPool
from homeport.relay.problems import (
    FeatureUnavailable,
    HostnameConflict,
    LeaseNotFound,
    RateLimited,
    TcpPortExhausted,
    TransportMismatch,
    UdpPortExhausted,
)
from homeport.relay.registration import RegisterRequest, Wishes
from homeport.relay.tokens import LeaseTokens
from homeport.settings import Settings
from homeport.storage import Database

SHORTEST = 30  # seconds; older clients renew by their own idea of a lease, not by what they are told


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What leases have to do with: visitors' sessions, ports, and the names that apps have (by label)."""

    sessions_for: Callable[[Lease], Sessions]
    tcp: PortTransport
    udp: PortTransport
    taken: Callable[[str], bool]


class Leases:
    """Owns the table `relay_leases`. Look-ups are in memory and see no lease whose time is over.

    `load()` before use; `sweep()` every few seconds. An identity has one lease: registering again replaces it, and with
    it the tokens that were given for it.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        clock: Clock,
        bus: Bus,
        *,
        policy: Policy,
        tokens: LeaseTokens,
        surroundings: Surroundings,
    ) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._bus = bus
        self._policy = policy
        self._tokens = tokens
        self._around = surroundings
        first, last = settings.relay_port_first, settings.relay_port_last
        self.ports = LeasePorts(
            PortsOfOneKind(surroundings.udp, PortPool(first, last), clock, UdpPortExhausted),
            PortsOfOneKind(surroundings.tcp, PortPool(first, last), clock, TcpPortExhausted),
        )
        self._index = LeaseIndex()
        self._one_change = asyncio.Lock()

    # Questions

    def at(self, hostname: str) -> Lease | None:
        """Whose name this is: its own one or the one that stands for it (which the hash of a name also means)."""
        return self._current(self._index.at(hostname))

    def of(self, key: str) -> Lease | None:
        """The identity's lease."""
        return self._current(self._index.of(key))

    def all(self) -> list[Lease]:
        """In the order in which they began."""
        now = self._clock.now()
        return [lease for lease in self._index if lease.expires_at > now]

    @property
    def count(self) -> int:
        """With those whose time is over and that are still there."""
        return len(self._index)

    def holder(self, token: str) -> Lease:
        """The lease that a token was given for.

        Raises LeaseNotFound for one that is over, however old the token is: its client then registers anew;
        TokenRefused for a token that is none, or too old for a lease that goes on.
        """
        found = self._tokens.signed(token)
        lease = self._current(self._index.by_id(found.lease_id))
        if lease is None:
            raise LeaseNotFound("There is no such lease any more: register again.")
        self._tokens.require_current(found)
        return lease

    def _current(self, lease: Lease | None) -> Lease | None:
        return lease if lease is not None and lease.expires_at > self._clock.now() else None

    # Changes

    async def load(self) -> None:
        """Go on with the leases from before a restart, at the same ports; those that cannot be are forgotten."""
        async with self._database.read() as db:
            kept = await store.list_leases(db)
        gone: list[str] = []
        for lease in kept:
            lease.sessions = self._around.sessions_for(lease)
            known = lease.expires_at > self._clock.now() and lease.hostname.endswith(f".{self._settings.domain}")
            if known and await self.ports.reopen(lease):
                self._index.add(lease, self._counts_for(lease.key, lease.client_ip, lease.owner_id))
            else:
                lease.sessions.close()
                gone.append(lease.id)
        if gone:
            await self._delete(gone)

    async def close(self) -> None:
        """End what waits and listens; the leases themselves go on after a restart."""
        for lease in list(self._index):
            _close_sessions(lease)
            await self.ports.close(lease)

    async def register(
        self, wanted: RegisterRequest, *, address: str, reported_ip: str = "", owner_id: str | None = None
    ) -> tuple[Lease, str]:
        """A lease and its token. Replaces the identity's lease; at the same ports, where it had some.

        `address` is the client's; `owner_id` the account that is signed in, whose tunnels wait for no approval.
        Raises the problems of digest A.3, RateLimited beyond the bounds.
        """
        await self._tokens.ready()
        async with self._one_change:
            self._policy.require_address(address)
            key = wanted.identity.key
            self._policy.require_identity(key)
            self._require_transports(wanted)
            hostname = f"{wanted.identity.name}.{self._settings.domain}"
            self._require_name(wanted, hostname)
            network = self._counts_for(key, address, owner_id)
            old = self._index.of(key)
            self._require_room(key, network)
            now = self._clock.now()
            lease = Lease(
                new_id("lse"), wanted.identity, hostname, now, now, self._end(wanted.ttl, now), wanted.metadata,
                wanted.route_hostname, wanted.hostname_hash, wanted.ech_config_list, address, _ip(reported_ip),
                owner_id, wanted.tcp_enabled, wanted.udp_enabled,
            )  # fmt: skip
            if old is not None:
                lease.first_seen_at, lease.traffic = old.first_seen_at, old.traffic
                lease.owner_id = owner_id or old.owner_id
            lease.sessions = self._around.sessions_for(lease)
            if owner_id is not None and self._policy.waits(key):
                await self._policy.approve(key)
            await self._begin(lease, old, network)
        self._bus.publish(LeaseBegan(lease))
        return lease, self._tokens.issue(lease.identity, lease.id, now, lease.expires_at)

    async def renew(
        self, token: str, ttl: int = 0, metadata: Metadata | None = None, *, reported_ip: str = ""
    ) -> tuple[Lease, str]:
        """The lease from now on for `ttl` seconds, and a fresh token; the old one stays good for its own time.

        Metadata of None leaves what was said before. Raises as `holder`, and LeaseRejected for a banned identity.
        """
        async with self._one_change:
            lease = self.holder(token)
            self._policy.require_identity(lease.key)
            before = lease.expires_at, lease.metadata, lease.last_seen_at, lease.reported_ip
            now = self._clock.now()
            lease.expires_at, lease.last_seen_at = self._end(ttl, now), now
            lease.metadata = lease.metadata if metadata is None else metadata
            lease.reported_ip = _ip(reported_ip) or lease.reported_ip
            try:
                async with self._database.write() as db:
                    await store.save_renewed(db, lease)
            except BaseException:
                lease.expires_at, lease.metadata, lease.last_seen_at, lease.reported_ip = before
                raise
        if lease.metadata != before[1]:
            self._bus.publish(LeaseChanged(lease))
        return lease, self._tokens.issue(lease.identity, lease.id, now, lease.expires_at)

    async def unregister(self, token: str) -> Lease:
        """End the lease of this token. Raises as `holder`."""
        lease = self.holder(token)
        await self.end(lease, "unregistered")
        return lease

    async def end(self, lease: Lease, reason: Reason = "ended") -> None:
        """The name is free and the ports wait for the identity; nothing happens to a lease that is over."""
        async with self._one_change:
            if self._index.by_id(lease.id) is not lease:
                return
            await self._delete([lease.id])
            await self._over(lease, reason)

    async def sweep(self) -> None:
        """End what has expired."""
        async with self._one_change:
            now = self._clock.now()
            if over := [lease for lease in self._index if lease.expires_at <= now]:
                await self._delete([lease.id for lease in over])
                for lease in over:
                    await self._over(lease, "expired")

    # What registering asks

    def _end(self, ttl: int, now: datetime) -> datetime:
        """In whole seconds, as tokens count."""
        wanted = ttl if ttl > 0 else self._settings.relay_lease_seconds
        seconds = max(SHORTEST, min(wanted, self._settings.relay_lease_max_seconds))
        return now.replace(microsecond=0) + timedelta(seconds=seconds)

    def require_features(self, wanted: Wishes | RegisterRequest) -> None:
        """That this relay has what is asked for, whoever asks. Raises FeatureUnavailable."""
        if wanted.hop_token:
            raise FeatureUnavailable("This relay is no part of an overlay.")
        if wanted.udp_enabled and not self.ports.udp.configured:
            raise FeatureUnavailable("This relay has no UDP.")
        if wanted.tcp_enabled and not self.ports.tcp.configured:
            raise FeatureUnavailable("This relay has no TCP ports.")

    def _require_transports(self, wanted: RegisterRequest) -> None:
        self.require_features(wanted)
        key = wanted.identity.key
        if wanted.udp_enabled:
            self._policy.require_udp(key, (lease.key for lease in self.all() if lease.udp_enabled))
        if wanted.tcp_enabled:
            self._policy.require_tcp_port(key, (lease.key for lease in self.all() if lease.tcp_enabled))

    def _require_name(self, wanted: RegisterRequest, hostname: str) -> None:
        for host in filter(None, (hostname, wanted.route_hostname)):
            other = self.at(host)
            if (other is not None and other.key != wanted.identity.key) or self._around.taken(host.partition(".")[0]):
                raise HostnameConflict(f"{host[:253]} is in use.")
        if wanted.route_hostname or wanted.hostname_hash or wanted.ech_config_list:
            if wanted.tcp_enabled or wanted.udp_enabled:
                raise TransportMismatch("A hidden name is only for tunnels without ports.")
            wanted.check_hidden(hostname, self._settings.domain)

    def _counts_for(self, key: str, address: str, owner_id: str | None) -> str:
        """The network whose number of leases has a bound; nobody's for who is signed in or was approved."""
        return network_of(address) if owner_id is None and not self._policy.decision(key).approved else ""

    def _require_room(self, key: str, network: str) -> None:
        old, most = self._index.of(key), self._settings.relay_leases_per_address
        if old is None and len(self._index) >= self._settings.relay_leases:
            raise RateLimited("All tunnels of this relay are taken.", details={"retry_after": SHORTEST})
        if network and most and self._index.count(network, old) >= most:
            raise RateLimited(
                f"{most} tunnels are registered from this address already.", details={"retry_after": SHORTEST}
            )

    # How a lease begins and ends

    async def _begin(self, lease: Lease, old: Lease | None, network: str) -> None:
        """Ports, disk, memory, and then the end of the one before. When it raises, nothing has changed, unless a port
        was lost in passing it on: then both are over."""
        try:
            await self.ports.open(lease, old)
            try:
                await self._save(lease)
            except BaseException:
                await self.ports.give_back(lease, old)
                raise
            if old is not None:
                await self._take_over(old, lease)
        except BaseException:
            _close_sessions(lease)
            raise
        self._index.add(lease, network)
        if old is not None:
            await self._over(old, "replaced")

    async def _take_over(self, old: Lease, new: Lease) -> None:
        try:
            if await self.ports.hand_over(old, new):
                await self._save(new)
        except BaseException:
            await self.ports.close(new)
            await self._over(old, "ended")
            await self._delete([new.id])
            raise

    async def _over(self, lease: Lease, reason: Reason) -> None:
        self._index.forget(lease)
        _close_sessions(lease)
        await self.ports.close(lease)
        self._bus.publish(LeaseEnded(lease, reason))

    async def _save(self, lease: Lease) -> None:
        async with self._database.write() as db:
            await store.save(db, lease)

    async def _delete(self, ids: Sequence[str]) -> None:
        async with self._database.write() as db:
            await store.delete_leases(db, ids)


def _close_sessions(lease: Lease) -> None:
    if lease.sessions is not None:
        lease.sessions.close()


def _ip(text: str) -> str:
    """What a client says its address is: nothing, when it is none."""
    try:
        return str(ip_address(text.strip()[:64].partition("%")[0]))  # a zone says nothing elsewhere
    except ValueError:
        return ""
