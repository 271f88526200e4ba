"""Addresses and networks that may not use the relay, whatever spelling they come in."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from homeport.relay.problems import InvalidIp

_LONGEST = 64  # characters
REMEMBERED = 4096  # addresses that were looked up, from one change to the next
_MAPPED_BITS = 96  # ::ffff:0:0/96 holds the IPv4 addresses (RFC 4291 2.5.5.2)


class BannedNetworks:
    """A set of networks in canonical text: `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`.

    Looking an address up costs one look-up for each prefix length in use, however many networks there are; datagrams of
    an address that was looked up before cost one alone.
    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks: dict[tuple[int, int], set[int]] = {}
        self._answers: dict[str, bool] = {}
        for network in networks:
            self.add(network)

    @staticmethod
    def canonical(text: str) -> str:
        """One spelling for each: host bits are dropped, IPv4 in IPv6 is IPv4, a whole address has no `/`.

        Raises InvalidIp, for a zone (`%eth0`) too.
        """
        try:
            return _text(_network(text))
        except ValueError:
            raise InvalidIp("This is no IP address, and no network such as 192.0.2.0/24.") from None

    def __len__(self) -> int:
        return sum(map(len, self._networks.values()))

    def has(self, network: str) -> bool:
        """Whether exactly this network (canonical) is listed."""
        version, prefix, first = _key(_network(network))
        return first in self._networks.get((version, prefix), ())

    def add(self, network: str) -> None:
        version, prefix, first = _key(_network(network))
        self._networks.setdefault((version, prefix), set()).add(first)
        self._answers.clear()

    def remove(self, network: str) -> None:
        version, prefix, first = _key(_network(network))
        known = self._networks.get((version, prefix), set())
        known.discard(first)
        self._answers.clear()
        if not known:
            self._networks.pop((version, prefix), None)

    def listed(self) -> list[str]:
        """Canonical texts: IPv4 first, in the order of their addresses."""
        found = [(version, first, prefix) for (version, prefix), firsts in self._networks.items() for first in firsts]
        return [_text(_made(*one)) for one in sorted(found)]

    def holds(self, address: str) -> bool:
        """Whether the address is in one of them; False for text that is no address."""
        if not self._networks:
            return False
        answer = self._answers.get(address)
        if answer is None:
            if len(self._answers) >= REMEMBERED:
                self._answers.clear()
            answer = self._answers[address[:_LONGEST]] = self._look_up(address)
        return answer

    def _look_up(self, address: str) -> bool:
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
            parsed = parsed.ipv4_mapped
        number, bits = int(parsed), parsed.max_prefixlen
        return any(
            version == parsed.version and number >> (bits - prefix) << (bits - prefix) in firsts
            for (version, prefix), firsts in self._networks.items()
        )


def _network(text: str) -> IPv4Network | IPv6Network:
    if len(text) > _LONGEST or "%" in text:
        raise ValueError("no network")
    network = ip_network(text.strip(), strict=False)
    if isinstance(network, IPv6Network) and network.prefixlen >= _MAPPED_BITS and network.network_address.ipv4_mapped:
        return IPv4Network((int(network.network_address.ipv4_mapped), network.prefixlen - _MAPPED_BITS))
    return network


def _key(network: IPv4Network | IPv6Network) -> tuple[int, int, int]:
    return network.version, network.prefixlen, int(network.network_address)


def _made(version: int, first: int, prefix: int) -> IPv4Network | IPv6Network:
    return IPv4Network((first, prefix)) if version == 4 else IPv6Network((first, prefix))


def _text(network: IPv4Network | IPv6Network) -> str:
    whole = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if whole else str(network)
