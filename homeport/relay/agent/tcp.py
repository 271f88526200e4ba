"""TCP connections: to the first address that answers, quick to notice that the other side is gone."""

from __future__ import annotations

import asyncio
import socket

SILENT_SECONDS = 10  # before the kernel asks whether the other side is still there
PROBE_SECONDS = 5
PROBES = 4  # unanswered ones end the connection: 30 seconds in all
_CLOSED = 7  # TCP_CLOSE of linux/tcp.h
UNANSWERED_MS = 30_000  # sent bytes that nobody acknowledges end it as well


async def connect(host: str, port: int, *, watched: bool = False) -> socket.socket:
    """Non-blocking, Nagle off. `watched`: a peer that vanished without a word is an error within half a minute.

    localhost and the names below it are this machine, whatever a name server says (RFC 6761 section 6.3). Raises
    OSError when no address answers; the caller sets the time limit.
    """
    loop = asyncio.get_running_loop()
    if is_localhost(host):
        addresses: list[tuple[socket.AddressFamily, tuple[object, ...]]] = [
            (socket.AF_INET, ("127.0.0.1", port)),
            (socket.AF_INET6, ("::1", port)),
        ]
    else:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys((info[0], info[4]) for info in found))
    trouble: OSError = OSError(f"{host} has no address")
    for number, (family, address) in enumerate(addresses):
        try:
            return await _connect(loop, family, address, watched=watched)
        except OSError as fault:
            if number == 0 or not is_localhost(host):  # what is said of 127.0.0.1 tells more than of ::1
                trouble = fault
    raise trouble


async def _connect(
    loop: asyncio.AbstractEventLoop, family: socket.AddressFamily, address: tuple[object, ...], *, watched: bool
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if watched:
            _watch(sock)
        await loop.sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


def is_localhost(host: str) -> bool:
    """Whether the name can only mean this machine."""
    name = host.lower().removesuffix(".")
    return name == "localhost" or name.endswith(".localhost")


def has_ended(sock: socket.socket) -> bool:
    """Whether the kernel has given the connection up, though nobody reads or writes it."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or not hasattr(socket, "TCP_INFO"):
        return False
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _CLOSED


def _watch(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", SILENT_SECONDS),
        ("TCP_KEEPINTVL", PROBE_SECONDS),
        ("TCP_KEEPCNT", PROBES),
        ("TCP_USER_TIMEOUT", UNANSWERED_MS),
    ):
        if hasattr(socket, option):  # not on every system that an agent runs on
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
