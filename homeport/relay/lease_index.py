"""All leases by what they are looked up by; those whose time is over are there until they are forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from homeport.relay.identities import normal_host
from homeport.relay.lease import Lease


class LeaseIndex:
    """In memory. `network`: whom a lease counts for, empty for nobody."""

    def __init__(self) -> None:
        self._by_key: dict[str, Lease] = {}
        self._by_id: dict[str, Lease] = {}
        self._by_host: dict[str, Lease] = {}
        self._networks: dict[str, str] = {}  # by the id of a lease
        self._by_network: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Lease]:
        return iter(self._by_key.values())

    def of(self, key: str) -> Lease | None:
        return self._by_key.get(key)

    def by_id(self, identifier: str) -> Lease | None:
        return self._by_id.get(identifier)

    def at(self, hostname: str) -> Lease | None:
        """By its own name, or by the one that stands for it; in any spelling."""
        return self._by_host.get(hostname) or self._by_host.get(normal_host(hostname))

    def count(self, network: str, without: Lease | None) -> int:
        """How many count for the network, `without` not among them."""
        return self._by_network[network] - (without is not None and self._networks.get(without.id) == network)

    def add(self, lease: Lease, network: str) -> None:
        self._by_key[lease.key] = self._by_id[lease.id] = self._by_host[lease.hostname] = lease
        if lease.route_hostname:
            self._by_host[lease.route_hostname] = lease
        if network:
            self._networks[lease.id] = network
            self._by_network[network] += 1

    def forget(self, lease: Lease) -> None:
        """Nothing of another lease, though it has the same names by now."""
        for index, name in (
            (self._by_key, lease.key),
            (self._by_id, lease.id),
            (self._by_host, lease.hostname),
            (self._by_host, lease.route_hostname),
        ):
            if index.get(name) is lease:
                del index[name]
        if network := self._networks.pop(lease.id, ""):
            self._by_network[network] -= 1
            if not self._by_network[network]:
                del self._by_network[network]
