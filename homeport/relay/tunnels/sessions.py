"""Reverse sessions: an agent's connections that wait for visitors, and visitors that wait for one of them."""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from homeport.identity.client_address import network_of
from homeport.relay.tunnels.bridge import Bridge, Stage, allow_silence, keep_alive
from homeport.relay.tunnels.tls_stream import TlsStream

KEEPALIVE = b"\x00"


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and counts of spec 004: what both ends agree on, and what keeps one visitor from blocking the others."""

    keepalive: float = 15.0
    unacknowledged: float = 10.0  # a keepalive may stay
    ready: int = 8  # sessions that wait for visitors
    patience: float = 10.0  # a visitor waits for a session
    stalled: float = 3.0  # a handshake through the tunnel may take while others wait,
    handshake: float = 15.0  # and while nobody does
    waiting: int = 256  # visitors, and
    waiting_per_address: int = 64


LIMITS = Limits()


class ReverseSession:
    """One connection of an agent while it waits. `lost` is called once when it ends by itself."""

    __slots__ = ("_limits", "_loop", "_lost", "_stream", "_timer")

    def __init__(self, stream: TlsStream, lost: Callable[[ReverseSession], None], limits: Limits) -> None:
        self._stream = stream
        self._lost = lost
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def wait(self) -> None:
        """Send keepalives, and watch for the end: an agent sends nothing while it waits."""
        allow_silence(self._stream.sock, self._limits.unacknowledged)
        self._loop.add_reader(self._stream.sock.fileno(), self._heard)
        self._timer = self._loop.call_later(self._limits.keepalive, self._keep_alive)

    def take(self) -> TlsStream:
        """The connection, which is somebody else's from now on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._loop.remove_reader(self._stream.sock.fileno())
            allow_silence(self._stream.sock, None)
        return self._stream

    def alive(self) -> bool:
        """Whether the agent is still there, as far as has come to us; if not, this is closed."""
        try:
            said = bool(self._stream.read()) or self._stream.ended
        except (OSError, ssl.SSLError):
            said = True
        if said:
            self.close()
        return not said

    def close(self) -> None:
        self.take().close()

    def _heard(self) -> None:
        if not self.alive():
            self._lost(self)

    def _keep_alive(self) -> None:
        try:
            taken = self._stream.write(KEEPALIVE)
        except (OSError, ssl.SSLError):
            taken = False
        if not taken:  # the kernel holds what an agent never read
            self.close()
            self._lost(self)
            return
        self._timer = self._loop.call_later(self._limits.keepalive, self._keep_alive)


class ReadySessions:
    """Of one lease: the session that waits longest serves the next visitor; of visitors, one address after the other.

    While somebody waits, handshakes through the tunnel that stall are cut, the oldest first: an agent has few sessions,
    and each stands still until its visitor has finished the handshake.
    """

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._idle: deque[ReverseSession] = deque()
        self._waiting: OrderedDict[str, deque[Bridge]] = OrderedDict()
        self._count = 0  # who waits
        self._opening: dict[Bridge, None] = {}  # in order of beginning
        self._check: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def ready(self) -> int:
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """Visitors without a session."""
        return self._count

    def add(self, stream: TlsStream) -> None:
        """A new session: for who waits, else to wait; one too many is closed, which its agent takes well."""
        keep_alive(stream.sock)
        while not self._closed and (bridge := self._next()) is not None:
            if bridge.begin(stream):
                self._begun(bridge)
                return
            self._put_back(bridge)
            return
        if self._closed or len(self._idle) >= self._limits.ready:
            stream.finish()
            stream.close()
            return
        session = ReverseSession(stream, self._idle.remove, self._limits)
        self._idle.append(session)
        session.wait()

    def claim(self, bridge: Bridge) -> None:
        """Serve this visitor, now or when a session comes; past the limits it is cut."""
        while self._idle:
            session = self._idle.popleft()
            if session.alive() and bridge.begin(session.take()):
                self._begun(bridge)
                return
        source = network_of(bridge.address)
        queue = self._waiting.get(source)
        full = self._count >= self._limits.waiting
        if self._closed or full or (queue is not None and len(queue) >= self._limits.waiting_per_address):
            bridge.cut()
            return
        if queue is None:
            queue = self._waiting[source] = deque()
        queue.append(bridge)
        self._count += 1
        bridge.patience = self._loop.call_later(self._limits.patience, bridge.cut)
        self._look_after_stalled()

    def opened(self, bridge: Bridge) -> None:
        """Its handshake is through."""
        self._opening.pop(bridge, None)

    def ended(self, bridge: Bridge) -> None:
        """It is no more, whether it was served or waited."""
        self._opening.pop(bridge, None)
        source = network_of(bridge.address)
        queue = self._waiting.get(source)
        if queue is not None and bridge in queue:
            queue.remove(bridge)
            self._count -= 1
            if not queue:
                del self._waiting[source]

    def close(self) -> None:
        """End all that wait, on both sides; who is served goes on."""
        self._closed = True
        if self._check is not None:
            self._check.cancel()
        self.dismiss()

    def dismiss(self) -> None:
        """As `close`, for now: sessions that come later are taken, if the policy lets them."""
        while self._idle:
            self._idle.popleft().close()
        for queue in list(self._waiting.values()):
            for bridge in list(queue):
                bridge.cut()

    def _next(self) -> Bridge | None:
        """Who is served next: each address in its turn."""
        if not self._waiting:
            return None
        source, queue = self._waiting.popitem(last=False)
        bridge = queue.popleft()
        self._count -= 1
        if queue:
            self._waiting[source] = queue
        if bridge.patience is not None:
            bridge.patience.cancel()
            bridge.patience = None
        return bridge

    def _put_back(self, bridge: Bridge) -> None:
        """The session it was given was dead: it is served first by the next one."""
        source = network_of(bridge.address)
        self._waiting.setdefault(source, deque()).appendleft(bridge)
        self._waiting.move_to_end(source, last=False)
        self._count += 1
        bridge.patience = self._loop.call_later(self._limits.patience, bridge.cut)

    def _begun(self, bridge: Bridge) -> None:
        if bridge.stage is Stage.OPENING:
            self._opening[bridge] = None
            self._look_after_stalled()

    def _look_after_stalled(self) -> None:
        """A timer for the oldest handshake through the tunnel, however long it may take now."""
        if self._check is not None:
            self._check.cancel()
            self._check = None
        oldest = next(iter(self._opening), None)
        if oldest is not None and not self._closed:
            allowed = self._limits.stalled if self._count else self._limits.handshake
            self._check = self._loop.call_at(oldest.began_at + allowed, self._cut_stalled)

    def _cut_stalled(self) -> None:
        self._check = None
        allowed = self._limits.stalled if self._count else self._limits.handshake
        oldest = next(iter(self._opening), None)
        if oldest is not None and self._loop.time() >= oldest.began_at + allowed - 0.01:
            oldest.cut()
        self._look_after_stalled()
