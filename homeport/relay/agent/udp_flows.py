"""The visitors of a UDP tunnel at its private end: a connected socket to the target for each."""

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
    """`send` takes a frame for the relay and says whether it was dropped (False). The flow that was silent for longest
    gives way to a new one beyond MOST_FLOWS."""

    def __init__(
        self,
        target: tuple[socket.AddressFamily, tuple[object, ...]],
        send: Callable[[bytes], bool],
        traffic: Traffic,
        clock: Clock,
    ) -> None:
        self.dropped = 0
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
            self.dropped += 1
            return
        local = self._flows.get(frame.flow) or self._begin(frame.flow)
        if local is None:
            self.dropped += 1
            return
        local.used_at = self._clock.monotonic()
        self._flows.move_to_end(frame.flow)
        if _sent(local.sock, frame.payload):
            self._traffic.received += len(frame.payload)
        else:
            self.dropped += 1

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
            sock.connect(self._target)
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
                data = local.sock.recv(READ_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # the target refused an earlier datagram (ICMP): it may be there again for the next
                self.dropped += 1
                return
            local.used_at = self._clock.monotonic()
            if self._send(encode(flow, data)):
                self._traffic.sent += len(data)
            else:
                self.dropped += 1

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


def _sent(sock: socket.socket, payload: bytes) -> bool:
    for _ in range(2):
        try:
            sock.send(payload)
        except ConnectionRefusedError:  # of an earlier datagram (ICMP), and told only now: this one was not sent
            continue
        except OSError:  # its buffer is full, or there is no way to the target
            return False
        return True
    return False
