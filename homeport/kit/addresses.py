"""Addresses with a port, as people write them."""

from __future__ import annotations

from ipaddress import ip_address


def address_and_port(text: str, default_port: int) -> tuple[str, int]:
    """`192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`. ValueError for anything else."""
    host, port = text.strip(), ""
    if host.startswith("["):
        host, closed, port = host[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            raise ValueError(f"{text!r} is no address: write it as [2001:db8::1]:53")
        port = port.removeprefix(":")
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
    number = int(port) if port else default_port
    if not 1 <= number <= 65535:
        raise ValueError(f"port {number} does not exist")
    return str(ip_address(host)), number
