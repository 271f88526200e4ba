"""Who may tunnel, from where, how fast: what administrators decided, in memory and on disk (digest E, F)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, Literal
from weakref import WeakValueDictionary

from homeport.kit.clock import Clock
from homeport.relay import policy_store
from homeport.relay.banned_networks import BannedNetworks
from homeport.relay.policy_store import Decision
from homeport.relay.problems import (
    InvalidMode,
    InvalidRequest,
    IpBanned,
    LeaseRejected,
    TcpPortCapacityExceeded,
    TcpPortDisabled,
    UdpCapacityExceeded,
    UdpDisabled,
)
from homeport.relay.token_bucket import TokenBucket
from homeport.settings import Settings
from homeport.storage import Database, Options

ApprovalMode = Literal["auto", "manual"]

MOST_IDENTITIES = 50_000  # decisions kept; beyond it the oldest that only approve are forgotten
MOST_NETWORKS = 10_000
MOST_BPS = 10**12  # bytes a second
MOST_LEASES = 1_000_000

MODE = "relay.approval_mode"
LANDING_PAGE = "relay.landing_page"
UDP = "relay.udp"
TCP_PORT = "relay.tcp_port"


@dataclass(frozen=True, slots=True)
class PortPolicy:
    """Whether leases may have ports of a kind, and how many leases at once; 0 is no limit."""

    enabled: bool
    max_leases: int = 0


NOTHING = Decision()


class Policy:
    """Owns the tables `relay_identity_policies` and `relay_banned_networks` and the options `relay.*`.

    `open()` before use. Questions are answered from memory; a change is on disk before it counts, and then `changed`
    is called: with an identity's key, or with None for what may concern all of them. An identity's key is its
    `name:address` in lower case.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        options: Options,
        clock: Clock,
        *,
        changed: Callable[[str | None], None] = lambda _key: None,
    ) -> None:
        self.changed = changed
        self._database = database
        self._settings = settings
        self._first_mode: ApprovalMode = settings.relay_approval or ("auto" if _only_here(settings.bind) else "manual")
        self._options = options
        self._clock = clock
        self._decisions: dict[str, Decision] = {}
        self._networks = BannedNetworks()
        self._limited: dict[str, TokenBucket] = {}
        self._buckets: WeakValueDictionary[str, TokenBucket] = WeakValueDictionary()
        self._one_change = asyncio.Lock()

    async def open(self) -> None:
        """Read what was decided."""
        async with self._database.read() as db:
            self._decisions = await policy_store.decisions(db)
            self._networks = BannedNetworks(await policy_store.networks(db))
        for key, decision in self._decisions.items():
            if decision.bps is not None:
                self._limit(key, decision.bps)

    # Questions

    def routable(self, key: str) -> bool:
        """Whether visitors may reach the identity's tunnel: not banned or denied, and approved if it has to be."""
        decision = self._decisions.get(key, NOTHING)
        if decision.banned or decision.denied:
            return False
        return decision.approved or self.approval_mode == "auto"

    def waits(self, key: str) -> bool:
        """Whether nobody has decided yet, and somebody has to."""
        decision = self._decisions.get(key, NOTHING)
        return self.approval_mode == "manual" and not (decision.approved or decision.denied or decision.banned)

    def decision(self, key: str) -> Decision:
        return self._decisions.get(key, NOTHING)

    @property
    def decisions(self) -> Mapping[str, Decision]:
        """All that were made, by identity."""
        return MappingProxyType(self._decisions)

    @property
    def banned_networks(self) -> list[str]:
        """Addresses, and networks as CIDR, in order."""
        return self._networks.listed()

    def refused(self, address: str) -> bool:
        """Whether the address (of any spelling) is banned or in a banned network; False for text that is none."""
        return self._networks.holds(address)

    def require_address(self, address: str) -> None:
        """Raises IpBanned."""
        if self.refused(address):
            raise IpBanned("This address is banned from the relay.")

    def require_identity(self, key: str) -> None:
        """For registering and renewing: raises LeaseRejected for a banned identity (digest L.12)."""
        if self.decision(key).banned:
            raise LeaseRejected("This identity is banned from the relay.")

    def require_udp(self, key: str, holders: Iterable[str]) -> None:
        """`holders` are the identities whose leases have UDP; the one that asks does not count against itself.

        Raises UdpDisabled, UdpCapacityExceeded.
        """
        if not self.udp.enabled:
            raise UdpDisabled("UDP is switched off on this relay.")
        if _full(self.udp, key, holders):
            raise UdpCapacityExceeded("All UDP leases of this relay are taken.")

    def require_tcp_port(self, key: str, holders: Iterable[str]) -> None:
        """As `require_udp`. Raises TcpPortDisabled, TcpPortCapacityExceeded."""
        if not self.tcp_port.enabled:
            raise TcpPortDisabled("TCP ports are switched off on this relay.")
        if _full(self.tcp_port, key, holders):
            raise TcpPortCapacityExceeded("All TCP ports' leases of this relay are taken.")

    def bucket(self, key: str) -> TokenBucket:
        """The identity's one limit, for all its connections in both directions; changes reach whoever holds it."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(None, self._clock.monotonic())
        return bucket

    @property
    def approval_mode(self) -> ApprovalMode:
        """What was set last, else the setting, else auto for a portal that only this machine reaches."""
        kept = self._options.get(MODE)
        if isinstance(kept, str):
            return "auto" if kept == "auto" else "manual"
        return self._first_mode

    @property
    def landing_page_enabled(self) -> bool:
        return bool(self._options.get(LANDING_PAGE, True))

    @property
    def udp(self) -> PortPolicy:
        return self._port_policy(UDP, self._settings.relay_udp)

    @property
    def tcp_port(self) -> PortPolicy:
        return self._port_policy(TCP_PORT, self._settings.relay_tcp)

    # Decisions

    async def approve(self, key: str) -> None:
        """The identity's tunnel may be reached; takes back a denial."""
        await self._decide(key, approved=True, denied=False)

    async def unapprove(self, key: str) -> None:
        await self._decide(key, approved=False)

    async def deny(self, key: str) -> None:
        """The identity's tunnel may not be reached, whatever the mode; takes back an approval."""
        await self._decide(key, approved=False, denied=True)

    async def undeny(self, key: str) -> None:
        await self._decide(key, denied=False)

    async def ban(self, key: str) -> None:
        """The identity can neither serve nor register; an approval or denial is kept for later."""
        await self._decide(key, banned=True)

    async def unban(self, key: str) -> None:
        await self._decide(key, banned=False)

    async def set_bps(self, key: str, bps: int | None) -> None:
        """Bytes a second for all the identity's connections together, open ones as well; None is no limit.

        Raises InvalidRequest for a number below 1 or above MOST_BPS.
        """
        if bps is not None and not 1 <= bps <= MOST_BPS:
            raise InvalidRequest(f"bps has to be from 1 to {MOST_BPS} bytes a second.")
        await self._decide(key, bps=bps)

    async def ban_network(self, text: str) -> str:
        """An address, or a network as CIDR; gives back how it is kept. Raises InvalidIp, InvalidRequest (too many)."""
        network = BannedNetworks.canonical(text)
        async with self._one_change:
            if self._networks.has(network):
                return network
            if len(self._networks) >= MOST_NETWORKS:
                raise InvalidRequest(f"{MOST_NETWORKS} networks are banned already: ban a wider one instead.")
            async with self._database.write() as db:
                await policy_store.add_network(db, network, self._clock.now())
            self._networks.add(network)
        self.changed(None)
        return network

    async def unban_network(self, text: str) -> str:
        """Exactly what was banned, in any spelling; an address in a wider network stays banned. Raises InvalidIp."""
        network = BannedNetworks.canonical(text)
        async with self._one_change:
            async with self._database.write() as db:
                await policy_store.remove_network(db, network)
            self._networks.remove(network)
        return network

    async def set_approval_mode(self, mode: str, *, by: str = "") -> None:
        """Raises InvalidMode."""
        if mode not in {"auto", "manual"}:
            raise InvalidMode("The approval mode is auto or manual.")
        await self._set(MODE, mode, by)

    async def set_landing_page(self, enabled: bool, *, by: str = "") -> None:
        await self._set(LANDING_PAGE, enabled, by)

    async def set_udp(self, policy: PortPolicy, *, by: str = "") -> None:
        """For leases to come. Raises InvalidRequest."""
        await self._set_ports(UDP, policy, by)

    async def set_tcp_port(self, policy: PortPolicy, *, by: str = "") -> None:
        """For leases to come. Raises InvalidRequest."""
        await self._set_ports(TCP_PORT, policy, by)

    async def _set_ports(self, name: str, policy: PortPolicy, by: str) -> None:
        if not 0 <= policy.max_leases <= MOST_LEASES:
            raise InvalidRequest(f"max_leases has to be from 0, which is no limit, to {MOST_LEASES}.")
        await self._set(name, {"enabled": policy.enabled, "max_leases": policy.max_leases}, by)

    async def _set(self, name: str, value: object, by: str) -> None:
        async with self._one_change:
            await self._options.set({name: value}, now=self._clock.now(), by=by[:40])
        self.changed(None)

    async def _decide(self, key: str, **changes: Any) -> None:
        async with self._one_change:
            before = self.decision(key)
            after = replace(before, **changes)
            if after == before:
                return
            after = replace(after, changed_at=self._clock.now())
            forgotten = self._room_for(key)
            async with self._database.write() as db:
                if forgotten is not None:
                    await policy_store.forget(db, forgotten)
                await (policy_store.forget(db, key) if after.is_nothing else policy_store.keep(db, key, after))
            for gone in {forgotten, key}:
                self._decisions.pop(gone or "", None)
            if not after.is_nothing:
                self._decisions[key] = after
            if after.bps != before.bps:
                self._limit(key, after.bps)
        if forgotten is not None:
            self.changed(forgotten)
        self.changed(key)

    def _room_for(self, key: str) -> str | None:
        """Whose decision is forgotten for this one; None while there is room. Raises InvalidRequest without any."""
        if key in self._decisions or len(self._decisions) < MOST_IDENTITIES:
            return None
        mere = [other for other, one in self._decisions.items() if one.only_approves]
        if not mere:
            raise InvalidRequest(f"The relay keeps {MOST_IDENTITIES} decisions: take some back first.")
        return min(mere, key=lambda other: (str(self._decisions[other].changed_at), other))

    def _limit(self, key: str, bps: int | None) -> None:
        """A limited bucket is kept though nobody uses it now: whoever comes back is not given a second's worth anew."""
        bucket = self.bucket(key)
        bucket.set_rate(bps, self._clock.monotonic())
        if bps is None:
            self._limited.pop(key, None)
        else:
            self._limited[key] = bucket

    def _port_policy(self, name: str, configured: bool) -> PortPolicy:
        kept = self._options.get(name)
        if isinstance(kept, dict):
            return PortPolicy(bool(kept.get("enabled")), int(kept.get("max_leases", 0)))
        return PortPolicy(configured)


def _full(policy: PortPolicy, key: str, holders: Iterable[str]) -> bool:
    return policy.max_leases > 0 and len({holder for holder in holders if holder != key}) >= policy.max_leases


def _only_here(bind: str) -> bool:
    try:
        return bind == "localhost" or ip_address(bind).is_loopback
    except ValueError:
        return False
