"""One public UDP port of one lease: datagrams of the world become frames of flows, and answers find their way back."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Protocol

import structlog

from homeport.kit.clock import Clock
from homeport.relay.lease import Lease
from homeport.relay.token_bucket import TokenBucket
from homeport.relay.udp.flows import Ancillary, Flows
from homeport.wire.udp_frames import decode, encode

log = structlog.get_logger()

READS_A_TURN = 64  # then the event loop sees to the others
MAX_PAYLOAD_BYTES = 1200  # what fits a QUIC packet of 1252 bytes with any flow's number; more is dropped whole
ANCILLARY_BYTES = 64
_IP_PKTINFO = 8  # linux/in.h; Python names only IPv6's
READ_BYTES = 2048  # more than any frame holds: what fills it is too large in any case
SOCKET_BUFFER_BYTES = 1024 * 1024


class UdpPolicy(Protocol):
    """What the relay's policy says, from memory."""

    def routable(self, key: str, /) -> bool: ...

    def refused(self, address: str, /) -> bool: ...

    def bucket(self, key: str, /) -> TokenBucket: ...


class FrameSink(Protocol):
    """The tunnel's end, where it is connected."""

    def send_frame(self, data: bytes) -> bool:
        """False: dropped."""
        ...

    def end(self, code: int, reason: str) -> None:
        """Close the connection."""
        ...


class PublicPort:
    """Drops rather than waits: what no agent is there for, what the policy refuses, what is beyond the bandwidth or
    larger than a frame holds. `dropped` counts that, both ways."""

    def __init__(self, lease: Lease, sock: socket.socket, policy: UdpPolicy, clock: Clock) -> None:
        self.lease = lease
        self.dropped = 0
        self.flows = Flows()
        self.agent: FrameSink | None = None
        self._sock = sock
        self._policy = policy
        self._bucket = policy.bucket(lease.key)
        self._clock = clock
        self._told_large = False
        asyncio.get_running_loop().add_reader(sock.fileno(), self._read)

    @property
    def port(self) -> int:
        return int(self._sock.getsockname()[1])

    def close(self) -> None:
        """Nobody is answered any more."""
        if self._sock.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._sock.fileno())
            self._sock.close()
        self.flows.clear()

    def answer(self, data: bytes) -> None:
        """A frame of the agent's: to its visitor, if there is one."""
        frame = decode(data)
        if frame is None or not self._allowed():
            self.dropped += 1
            return
        size = len(frame.payload)
        now = self._clock.monotonic()
        flow = self.flows.answering(frame.flow, size, now)
        if flow is None or self._policy.refused(flow.address[0]) or not self._affordable(size, now):
            self.dropped += 1
            return
        try:
            self._sock.sendmsg((frame.payload,), flow.origin, 0, flow.address)
        except OSError:  # the buffer is full, the visitor unreachable, the port closed: UDP loses datagrams
            self.dropped += 1
            return
        self.lease.traffic.sent += size

    def _read(self) -> None:
        for _ in range(READS_A_TURN):
            try:
                data, ancillary, _, address = self._sock.recvmsg(READ_BYTES, ANCILLARY_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as problem:
                log.warning("a UDP port cannot be read", lease=self.lease.hostname, reason=problem.strerror)
                return
            self._visit(data, address, ancillary)

    def _visit(self, data: bytes, address: Any, ancillary: list[Ancillary]) -> None:
        agent, size = self.agent, len(data)
        if size > MAX_PAYLOAD_BYTES:
            self._too_large(size)
            return
        if agent is None or not self._allowed() or self._policy.refused(address[0]):
            self.dropped += 1
            return
        now = self._clock.monotonic()
        heard = self.flows.heard(address, size, now)
        if heard is None or not self._affordable(size, now):
            self.dropped += 1
            return
        flow, is_new = heard
        flow.origin = _origin(ancillary)
        if not agent.send_frame(encode(flow.id, data)):
            self.dropped += 1
            return
        self.lease.traffic.received += size
        self.lease.traffic.connections += is_new

    def _allowed(self) -> bool:
        return self._clock.now() < self.lease.expires_at and self._policy.routable(self.lease.key)

    def _affordable(self, size: int, now: float) -> bool:
        """Spend from the identity's bucket, unless it is overdrawn: UDP drops where TCP waits."""
        if self._bucket.take(0, now) > 0:
            return False
        self._bucket.take(size, now)
        return True

    def _too_large(self, size: int) -> None:
        self.dropped += 1
        if not self._told_large:
            self._told_large = True
            log.info(
                "UDP datagrams too large for the tunnel", lease=self.lease.hostname, bytes=size, most=MAX_PAYLOAD_BYTES
            )


def bind(host: str, port: int) -> socket.socket:
    """A UDP socket that listens there; `::` is IPv4 too. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
        sock.bind((host, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _origin(ancillary: list[Ancillary]) -> tuple[Ancillary, ...]:
    """What makes an answer come from the address that was asked: a machine may have several (ip(7), ipv6(7))."""
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            return ((level, kind, b"\0\0\0\0" + data[4:8] + b"\0\0\0\0"),)
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            return ((level, kind, data[:16] + b"\0\0\0\0"),)
    return ()
