"""A relay's UDP side on loopback with real QUIC: leases, a policy that tests change, and an agent for it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from homeport.kit.clock import SystemClock
from homeport.relay.agent.relays import Relay, client_context
from homeport.relay.agent.targets import TcpTarget
from homeport.relay.agent.udp import UdpTunnel
from homeport.relay.contexts import server_context
from homeport.relay.lease import Lease, TunnelIdentity
from homeport.relay.problems import LeaseNotFound, TokenRefused
from homeport.relay.token_bucket import TokenBucket
from homeport.relay.udp import UdpPorts
from homeport.testing.certificates import TestAuthority
from homeport.testing.ports import free_port
from homeport.testing.waiting import eventually


@dataclass
class Rules:
    """A policy that lets everything pass until a test says otherwise."""

    rejected: set[str] = field(default_factory=set)
    banned: set[str] = field(default_factory=set)
    limit: TokenBucket = field(default_factory=lambda: TokenBucket(None, 0.0))

    def routable(self, key: str) -> bool:
        return key not in self.rejected

    def refused(self, address: str) -> bool:
        return address in self.banned

    def bucket(self, _key: str) -> TokenBucket:
        return self.limit


@dataclass
class Place:
    bind: str
    port: int


class UdpRelay:
    """Leases by token, a UdpPorts over them, and TLS on the same port number as the portal has it."""

    def __init__(self) -> None:
        self.rules = Rules()
        self.leases: dict[str, Lease] = {}
        self.clock = SystemClock()
        authority = TestAuthority()
        pair = authority.sign(
            ["relay.test", "*.relay.test", "relay.localhost"], begins=datetime.now(UTC) - timedelta(hours=1)
        )
        self.pem = (pair.key + pair.cert).encode()
        self.trusted = pair.cert
        self.place = Place("127.0.0.1", 0)
        self.ports = UdpPorts(
            self.holder, self.rules, self.clock, place=lambda: self.place, certificate=lambda: self.pem
        )
        self._tls: asyncio.Server | None = None
        self._tasks: dict[UdpTunnel, asyncio.Task[None]] = {}

    def holder(self, token: str) -> Lease:
        if token.startswith("forged"):
            raise TokenRefused("no")
        if token not in self.leases:
            raise LeaseNotFound("no")
        return self.leases[token]

    async def open(self) -> None:
        self._tls = await asyncio.start_server(self._idle, "127.0.0.1", 0, ssl=server_context(self.pem))
        self.place.port = self._tls.sockets[0].getsockname()[1]

    async def close(self) -> None:
        for tunnel in self._tasks:
            self.stops(tunnel)
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self.ports.stop()
        assert self._tls is not None
        self._tls.close()
        await asyncio.sleep(0.05)

    async def dies(self) -> None:
        """QUIC is gone as with a killed process; the next lease brings a new one."""
        listener, self.ports._listener = self.ports._listener, None
        assert listener is not None
        for server in listener._servers:
            assert server._transport is not None
            server._transport.abort()
        for lease in list(self.leases.values()):
            port = self.ports._ports.pop(lease.id)
            port.close()
        await asyncio.sleep(0.05)

    async def lease(self, name: str, token: str) -> tuple[Lease, int]:
        """A lease with a UDP port of its own."""
        now = self.clock.now()
        port = free_port()
        lease = Lease(
            id=f"lse_{token}", identity=TunnelIdentity(name, "0x" + "11" * 20), hostname=f"{name}.relay.test",
            first_seen_at=now, last_seen_at=now, expires_at=now + timedelta(hours=1), udp_enabled=True, udp_port=port,
        )  # fmt: skip
        await self.ports.open(lease, port)
        self.leases[token] = lease
        return lease, port

    @property
    def as_known(self) -> Relay:
        return Relay(
            f"https://relay.test:{self.place.port}",
            client_context(self.trusted),
            address="127.0.0.1",
            dial_port=self.place.port,
        )

    def tunnel(self, token: str, target_port: int) -> UdpTunnel:
        """An agent's end that runs until the test is over."""
        tunnel = UdpTunnel(
            self.as_known, self.place.port, lambda: token, TcpTarget("127.0.0.1", target_port), self.clock
        )
        self._tasks[tunnel] = asyncio.create_task(tunnel.run(), name="udp tunnel")
        return tunnel

    def stops(self, tunnel: UdpTunnel) -> None:
        """An agent's end runs no longer."""
        self._tasks[tunnel].cancel()

    async def connected(self, token: str, target_port: int) -> UdpTunnel:
        tunnel = self.tunnel(token, target_port)
        await eventually(lambda: tunnel.state == "online", 20)
        return tunnel

    @staticmethod
    async def _idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            await reader.read()
        writer.close()


@pytest.fixture
async def relay() -> AsyncIterator[UdpRelay]:
    relay = UdpRelay()
    await relay.open()
    yield relay
    await relay.close()


class Target:
    """A UDP service on loopback: `answer` makes its answers of what it hears, where they are to be made."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, tuple[str, int]]] = []
        self.echoes = True
        self.port = 0
        self.open()

    def open(self) -> None:
        """Listen, where it did before if it did."""
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.bind(("127.0.0.1", self.port))
        self.port = int(self.sock.getsockname()[1])
        asyncio.get_running_loop().add_reader(self.sock.fileno(), self._read)

    def say(self, data: bytes, to: tuple[str, int]) -> None:
        self.sock.sendto(data, to)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.sock.fileno())
        self.sock.close()

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                data, address = self.sock.recvfrom(65535)
                self.heard.append((data, address))
                if self.echoes:
                    self.sock.sendto(data, address)


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    target = Target()
    yield target
    target.close()


class Visitor:
    """Somebody on the internet with a UDP socket."""

    def __init__(self, port: int, host: str = "127.0.0.1", *, at: str = "127.0.0.1") -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.bind((host, 0))
        self.sock.connect((at, port))

    def send(self, data: bytes) -> None:
        self.sock.send(data)

    async def recv(self, seconds: float = 10.0) -> bytes:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    return self.sock.recv(65535)
                except BlockingIOError:
                    await asyncio.sleep(0.005)

    async def hears_nothing(self, seconds: float = 0.3) -> bool:
        with contextlib.suppress(TimeoutError):
            await self.recv(seconds)
            return False
        return True

    async def asks(self, data: bytes) -> bytes:
        self.send(data)
        return await self.recv()
