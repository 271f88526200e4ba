"""The public ports of leases: which number a lease has, and that something listens on it (digest C.7, C.8, L.14)."""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from homeport.kit.clock import Clock
from homeport.kit.problems import Problem
from homeport.relay.lease import Lease, PortTransport
from homeport.relay.ports import PortPool

log = structlog.get_logger()

TRIES = 16  # ports that others may hold before we give up


class PortsOfOneKind:
    """`exhausted` is raised when no port is to be had. To write the number into the lease is the caller's business."""

    def __init__(self, transport: PortTransport, pool: PortPool, clock: Clock, exhausted: type[Problem]) -> None:
        self._transport = transport
        self._pool = pool
        self._clock = clock
        self._exhausted = exhausted

    @property
    def configured(self) -> bool:
        return self._transport.configured

    @property
    def taken(self) -> int:
        return len(self._pool)

    async def open(self, lease: Lease) -> int:
        """Listen for the lease on the port it had before, or another. Raises what `exhausted` says."""
        for _ in range(TRIES):
            port = self._pool.take(lease.key, self._clock.monotonic())
            if port is None:
                break
            if await self._listen(lease, port):
                return port
        raise self._exhausted("All public ports of this kind are taken.")

    async def reopen(self, lease: Lease, port: int) -> bool:
        """Listen on the port that the lease had before a restart; False where that cannot be."""
        if not self.configured or not self._pool.claim(port, lease.key):
            return False
        try:
            return await self._listen(lease, port)
        except Problem as problem:
            log.warning("a tunnel's port from before cannot be had", lease=lease.hostname, reason=problem.message)
            return False

    async def hand_over(self, old: Lease, new: Lease, port: int) -> int:
        """The same port for the identity's next lease, or another where it got lost meanwhile. Raises as `open`."""
        await self._transport.close(old)
        return port if await self._listen(new, port) else await self.open(new)

    async def close(self, lease: Lease, port: int) -> None:
        """Nobody listens any more; the port waits for the identity a while. Nothing happens for port 0."""
        if port:
            await self._transport.close(lease)
            self._pool.release(port, self._clock.monotonic())

    async def _listen(self, lease: Lease, port: int) -> bool:
        try:
            await self._transport.open(lease, port)
        except OSError as problem:
            log.warning("a port for a tunnel is taken by somebody else", port=port, reason=problem.strerror)
            self._pool.set_aside(port, self._clock.monotonic())
            return False
        except BaseException:
            self._pool.release(port, self._clock.monotonic())
            raise
        return True


class LeasePorts:
    """What leases want of both kinds: UDP first, then TCP. Keeps `udp_port` and `tcp_port` of leases true."""

    def __init__(self, udp: PortsOfOneKind, tcp: PortsOfOneKind) -> None:
        self.udp = udp
        self.tcp = tcp

    async def open(self, lease: Lease, old: Lease | None) -> None:
        """Listen on new ports; a kind that `old` has a port of is only noted, for `hand_over`.

        Raises UdpPortExhausted, TcpPortExhausted: then nothing is left open.
        """
        try:
            for kind, name in self._wanted(lease):
                had = getattr(old, name) if old is not None else 0
                setattr(lease, name, had or await kind.open(lease))
        except BaseException:
            await self.give_back(lease, old)
            raise

    async def give_back(self, lease: Lease, old: Lease | None) -> None:
        """Undo `open`."""
        for kind, name in self._wanted(lease):
            if old is None or not getattr(old, name):
                await kind.close(lease, getattr(lease, name))
            setattr(lease, name, 0)

    async def hand_over(self, old: Lease, new: Lease) -> bool:
        """What both want goes from one to the other; whether a port is another now. Raises as `open`."""
        moved = False
        for kind, name in self._wanted(new):
            if had := getattr(old, name):
                setattr(old, name, 0)
                setattr(new, name, 0)
                setattr(new, name, await kind.hand_over(old, new, had))
                moved = moved or getattr(new, name) != had
        return moved

    async def reopen(self, lease: Lease) -> bool:
        """Listen where the lease listened before a restart; False, and nothing is open, where that cannot be."""
        opened: list[tuple[PortsOfOneKind, int]] = []
        for kind, name in self._wanted(lease):
            if not await kind.reopen(lease, getattr(lease, name)):
                for other, port in opened:
                    await other.close(lease, port)
                return False
            opened.append((kind, getattr(lease, name)))
        return True

    async def close(self, lease: Lease) -> None:
        for kind, name in self._wanted(lease):
            await kind.close(lease, getattr(lease, name))

    def _wanted(self, lease: Lease) -> Iterator[tuple[PortsOfOneKind, str]]:
        if lease.udp_enabled:
            yield self.udp, "udp_port"
        if lease.tcp_enabled:
            yield self.tcp, "tcp_port"
