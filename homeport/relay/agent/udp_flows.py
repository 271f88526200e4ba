"""The visitors of a UDP tunnel at its private end: a socket towards the target for each.

They are not connected: libuv stops to poll a connected one for good when the target refuses a datagram (ICMP).
"""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from homeport.kit.clock import Clock
from homeport.relay.agent.status import Traffic
from homeport.wire.udp_frames import decode, encode

IDLE_SECONDS = 60.0  # longer than a relay keeps a flow
SWEEP_SECONDS = 5.0
MOST_FLOWS = 1024
READS_A_TURN = 64
READ_BYTES = 2048  # more than a frame holds


@dataclass(slots=True)
class _Local:
    sock: socket.socket
    used_at: float


class LocalFlows:
    """`send` takes a frame for the relay and says whether it was dropped (False); `lost` hears of each datagram that
    is. The flow that was silent for longest gives way to a new one beyond MOST_FLOWS."""

    def __init__(
        self,
        target: tuple[socket.AddressFamily, tuple[object, ...]],
        send: Callable[[bytes], bool],
        traffic: Traffic,
        clock: Clock,
        lost: Callable[[], None],
    ) -> None:
        self._lost = lost
        self._family, self._target = target
        self._send = send
        self._traffic = traffic
        self._clock = clock
        self._flows: OrderedDict[int, _Local] = OrderedDict()
        self._loop = asyncio.get_running_loop()
        self._sweeping = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def __len__(self) -> int:
        return len(self._flows)

    def frame(self, data: bytes) -> None:
        """A visitor's datagram: to the target."""
        frame = decode(data)
        if frame is None:
            self._lost()
            return
        local = self._flows.get(frame.flow) or self._begin(frame.flow)
        if local is None:
            self._lost()
            return
        local.used_at = self._clock.monotonic()
        self._flows.move_to_end(frame.flow)
        try:
            local.sock.sendto(frame.payload, self._target)
        except OSError:  # the buffer is full, or there is no way to the target
            self._lost()
            return
        self._traffic.received += len(frame.payload)

    def close(self) -> None:
        """Close every socket."""
        self._sweeping.cancel()
        for flow in list(self._flows):
            self._end(flow)

    def _begin(self, flow: int) -> _Local | None:
        if len(self._flows) >= MOST_FLOWS:
            self._end(next(iter(self._flows)))
        sock = socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            sock.bind(("", 0) if self._family == socket.AF_INET else ("::", 0))
        except OSError:
            sock.close()
            return None
        local = self._flows[flow] = _Local(sock, self._clock.monotonic())
        self._traffic.connections += 1
        self._traffic.open += 1
        self._loop.add_reader(sock.fileno(), self._read, flow, local)
        return local

    def _read(self, flow: int, local: _Local) -> None:
        for _ in range(READS_A_TURN):
            try:
                data, source = local.sock.recvfrom(READ_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            if source[:2] != self._target[:2]:  # somebody who guessed the port
                self._lost()
                continue
            local.used_at = self._clock.monotonic()
            if self._send(encode(flow, data)):
                self._traffic.sent += len(data)
            else:
                self._lost()

    def _end(self, flow: int) -> None:
        local = self._flows.pop(flow)
        self._loop.remove_reader(local.sock.fileno())
        local.sock.close()
        self._traffic.open -= 1

    def _sweep(self) -> None:
        oldest = self._clock.monotonic() - IDLE_SECONDS
        for flow in [flow for flow, local in self._flows.items() if local.used_at <= oldest]:
            self._end(flow)
        self._sweeping = self._loop.call_later(SWEEP_SECONDS, self._sweep)
