"""Where a request comes from. What a proxy says about it counts only when the proxy is listed."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.requests import HTTPConnection


class Proxies:
    """`networks` (CIDR): the reverse proxies that stand in front of this portal."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = tuple(ip_network(network) for network in networks)

    def has(self, address: str) -> bool:
        if not self._networks:
            return False
        try:
            parsed = _plain(address)
        except ValueError:
            return False
        return any(parsed.version == network.version and parsed in network for network in self._networks)

    def client_of(self, connection: HTTPConnection) -> str:
        """The client's address: the peer's, or, behind listed proxies, the last address of X-Forwarded-For that is not
        one of theirs. CF-Connecting-IP, X-Real-IP and whatever an unlisted peer sends are never believed."""
        peer = connection.client.host if connection.client else ""
        if not self.has(peer):
            return peer
        chain = ",".join(connection.headers.getlist("x-forwarded-for")).split(",")
        for hop in reversed([part.strip() for part in chain][-20:]):
            try:
                address = str(_plain(hop))
            except ValueError:
                return peer  # a broken chain tells nothing
            if not self.has(address):
                return address
            peer = address
        return peer


def network_of(address: str) -> str:
    """What counts as one caller: an IPv4 address, or the /64 of an IPv6 address. Other text is given back as it is."""
    try:
        parsed = _plain(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((int(parsed) >> 64 << 64, 64)).network_address)
    return str(parsed)


def _plain(text: str) -> IPv4Address | IPv6Address:
    parsed = ip_address(text.partition("%")[0].strip())
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        return parsed.ipv4_mapped
    return parsed
