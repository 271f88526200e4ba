"""Connections to apps: one for each request in flight, and a few that wait for the next."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

from homeport.services.exposure import Target
from homeport.services.proxy.limits import Limits
from homeport.wire.http1 import ResponseReader


class Recipient(Protocol):
    """Whoever waits for an app's answer."""

    def app_received(self) -> None:
        """New bytes are in the connection's `reader`."""
        ...

    def app_tunnelled(self, data: bytes) -> None:
        """Bytes after the switch of protocols."""
        ...

    def app_writable(self) -> None:
        """What was written to the app has drained."""
        ...

    def app_lost(self, problem: Exception | None) -> None:
        """The connection is gone; None: the app closed it."""
        ...


class AppConnection(asyncio.Protocol):
    """One connection to an app. Idle, or in use by one recipient."""

    def __init__(self, pools: Pools, target: Target) -> None:
        self.target = target
        self.reader = ResponseReader()
        self.recipient: Recipient | None = None
        self.reused = False
        self.tunnel = False
        self.counted = True  # among the open connections of its instance
        self.write_paused = False
        self.idle_since = 0.0
        self.transport: asyncio.Transport
        self._pools = pools
        self._read_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are not subclasses
        self.transport.set_write_buffer_limits(high=self._pools.limits.buffered_bytes)
        self._socket = self.transport.get_extra_info("socket")

    def data_received(self, data: bytes) -> None:
        if self.recipient is None:
            self.transport.abort()  # an answer that nobody asked for would be the next visitor's
        elif self.tunnel:
            self.recipient.app_tunnelled(data)
        else:
            self.reader.receive(data)
            self.recipient.app_received()
            if self.recipient is not None:
                # An app that writes head and body apart, without TCP_NODELAY, sends the rest only once this is
                # acknowledged, and the kernel would take 40 ms for that (tcp(7), TCP_QUICKACK is not permanent).
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        self._pools.forget(self)
        recipient, self.recipient = self.recipient, None
        if recipient is not None:
            recipient.app_lost(exc)

    def pause_writing(self) -> None:
        self.write_paused = True

    def resume_writing(self) -> None:
        self.write_paused = False
        if self.recipient is not None:
            self.recipient.app_writable()

    def write(self, data: bytes) -> None:
        if not self.transport.is_closing():  # the app may have closed a moment before we are told
            self.transport.write(data)

    def pause_reading(self) -> None:
        if not self._read_paused and not self.transport.is_closing():
            self._read_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self._read_paused:
            self._read_paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    def abandon(self) -> None:
        """End it; the recipient hears nothing more."""
        self.recipient = None
        self.transport.abort()


Dial = Callable[[Callable[[], asyncio.Protocol], Target], Awaitable[object]]


async def straight(protocol: Callable[[], asyncio.Protocol], target: Target) -> object:
    """Connect to where the target says, in plain TCP. Raises OSError."""
    return await asyncio.get_running_loop().create_connection(protocol, target.host, target.port)


class Pools:
    """Idle connections by target, the youngest first, and the count of all connections by instance.

    `dial` makes a new one; raises OSError.
    """

    def __init__(self, limits: Limits, dial: Dial = straight) -> None:
        self.limits = limits
        self._dial = dial
        self._idle: dict[Target, list[AppConnection]] = {}
        self._open: Counter[str] = Counter()

    def take(self, target: Target) -> AppConnection | None:
        """An idle connection, or None."""
        idle = self._idle.get(target)
        while idle:
            connection = idle.pop()
            if not connection.transport.is_closing():
                connection.reused = True
                return connection
        return None

    @property
    def has_idle(self) -> bool:
        return bool(self._idle)

    def has_room(self, target: Target) -> bool:
        return self._open[target.instance_id] < self.limits.per_instance

    async def connect(self, target: Target) -> AppConnection:
        """A new connection. Raises OSError; TimeoutError after `limits.connect`."""
        connection = AppConnection(self, target)
        self._open[target.instance_id] += 1
        try:
            async with asyncio.timeout(self.limits.connect):
                await self._dial(lambda: connection, target)
        except BaseException:
            self.forget(connection)
            raise
        return connection

    def put(self, connection: AppConnection, now: float) -> None:
        """Keep a connection for the next request, or close it where enough are kept."""
        connection.recipient = None
        idle = self._idle.setdefault(connection.target, [])
        if connection.transport.is_closing() or len(idle) >= self.limits.idle_per_instance:
            connection.transport.close()
            return
        connection.resume_reading()
        connection.idle_since = now
        idle.append(connection)

    def forget(self, connection: AppConnection) -> None:
        """A connection is gone, or was never made."""
        if not connection.counted:
            return
        connection.counted = False
        instance_id = connection.target.instance_id
        self._open[instance_id] -= 1
        if not self._open[instance_id]:
            del self._open[instance_id]
        idle = self._idle.get(connection.target)
        if idle and connection in idle:
            idle.remove(connection)

    def close_idle(self, instance_id: str) -> None:
        """Close what waits for the next request to an instance."""
        for target in [target for target in self._idle if target.instance_id == instance_id]:
            for connection in self._idle.pop(target):
                connection.transport.close()

    def close_older(self, than: float) -> None:
        """Close what has been idle since before `than`, a time of the event loop."""
        for target, idle in list(self._idle.items()):
            kept = [connection for connection in idle if connection.idle_since >= than]
            for connection in idle[: len(idle) - len(kept)]:  # in order of age
                connection.transport.close()
            if kept:
                self._idle[target] = kept
            else:
                del self._idle[target]
