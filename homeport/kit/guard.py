"""The one guard for connections that a user can cause: names are resolved here, and every address is judged."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from homeport.kit.problems import Problem

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

_RESOLVE_SECONDS = 10
_MOST_ADDRESSES = 32
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_NUMBER = re.compile(r"(0[xX][0-9A-Fa-f]*|[0-9]+)")
_CGNAT = IPv4Network("100.64.0.0/10")
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_V4_COMPATIBLE = IPv6Network("::/96")


class DestinationRefused(Problem):
    """An address that users may not make the portal connect to; the message names it and says why."""

    code = "destination_refused"
    status = 422


class DestinationUnknown(Problem):
    """A host name without an address."""

    code = "destination_unknown"
    status = 502


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """Every A and AAAA that this machine's resolver knows."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(info[4][0]) for info in found))


class OutboundGuard:
    """`allow`: networks (CIDR) that the administrator has opened although they are private, local or reserved.

    There is one in a portal, which everything that dials out is handed.
    """

    def __init__(self, allow: Sequence[str] = (), resolver: Resolver = system_resolver) -> None:
        self._always = self._allow = tuple(ip_network(network) for network in allow)
        self._resolver = resolver

    def also_allow(self, networks: Sequence[str]) -> None:
        """Open these networks besides those of the start, and no others any more; counts for the next connection."""
        self._allow = (*self._always, *(ip_network(network) for network in networks))

    async def resolve(self, host: str, port: int) -> tuple[str, ...]:
        """The addresses of `host`, all of them judged: connect to one of these and to nothing else.

        Raises DestinationRefused when any of them is not allowed, DestinationUnknown when there is none.
        """
        if not 1 <= port <= 65535:
            raise DestinationRefused(f"Port {port} does not exist.")
        literal = self._literal(host)
        if literal is not None:
            self._judge(literal, host)
            return (str(literal),)
        name = _checked_name(host)
        try:
            async with asyncio.timeout(_RESOLVE_SECONDS):
                found = await self._resolver(name, port)
        except (OSError, TimeoutError, UnicodeError):
            raise DestinationUnknown(f"The host {host} was not found.") from None
        if not found:
            raise DestinationUnknown(f"The host {host} has no address.")
        addresses = [ip_address(text.partition("%")[0]) for text in found[:_MOST_ADDRESSES]]
        for address in addresses:
            self._judge(address, host)
        return tuple(str(address) for address in addresses)

    @staticmethod
    def _literal(host: str) -> IPv4Address | IPv6Address | None:
        text = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        try:
            return ip_address(text)
        except ValueError:
            pass
        last = text.rstrip(".").rpartition(".")[2]
        if _NUMBER.fullmatch(last) or ":" in text or "%" in text:
            raise DestinationRefused(f"{host} is an unusual spelling of an address: write it as four decimal numbers.")
        return None

    def _judge(self, address: IPv4Address | IPv6Address, host: str) -> None:
        if any(address.version == network.version and address in network for network in self._allow):
            return
        reason = why_refused(address)
        if reason is not None:
            shown = host if str(address) == host.strip("[]") else f"{host} ({address})"
            raise DestinationRefused(
                f"The portal does not connect to {shown}: {reason}. An administrator can allow it with outbound_allow."
            )


def _checked_name(host: str) -> str:
    """The name as DNS writes it. Raises DestinationRefused for what is no host name."""
    try:
        name = host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        name = ""
    name = name.removesuffix(".")
    if not name or len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise DestinationRefused(f"{host!r} is not a host name.")
    return name.lower()


def why_refused(address: IPv4Address | IPv6Address) -> str | None:
    """Half a sentence for what is not on the public internet; None for a public address."""
    if isinstance(address, IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            reason = why_refused(inner)
            return None if reason is None else f"it stands for {inner}, and {reason}"
    for is_so, reason in (
        (address.is_unspecified, "it is the unspecified address"),
        (address.is_loopback, "it is a loopback address"),
        (address.is_link_local, "it is a link-local address"),
        (address.is_multicast, "it is a multicast address"),
        (address.version == 4 and address in _CGNAT, "it is a carrier's shared address"),
        (isinstance(address, IPv6Address) and address.is_site_local, "it is a private address"),
        (address.is_reserved, "it is a reserved address"),
        (not address.is_global, "it is a private address"),
    ):
        if is_so:
            return reason
    return None


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address within: mapped, compatible, 6to4, Teredo's client, NAT64."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _NAT64) or (address in _V4_COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
