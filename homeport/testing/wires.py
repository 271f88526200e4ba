"""Both ends of connections on loopback: the relay's as it holds them, the other as an agent or visitor does."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from homeport.relay import Authority
from homeport.relay.lease import Lease, Traffic, TunnelIdentity
from homeport.relay.token_bucket import TokenBucket
from homeport.relay.tunnels.bridge import PASSTHROUGH, Bridge
from homeport.relay.tunnels.sessions import LIMITS, Limits, ReadySessions
from homeport.relay.tunnels.tls_stream import TlsStream
from homeport.testing.waiting import within

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@dataclass
class Peer:
    """The other end of a connection that the relay holds."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def read(self, size: int) -> bytes:
        """Exactly so many bytes, within five seconds of ours."""
        return await within(5, self.reader.readexactly(size))

    async def read_all(self) -> bytes:
        """Until the end, however it comes."""
        data = b""
        try:
            while piece := await asyncio.wait_for(self.reader.read(65536), 10):
                data += piece
        except (ConnectionError, ssl.SSLError):
            pass
        return data

    def close(self) -> None:
        self.writer.transport.abort()

    def reset(self, last: bytes) -> None:
        """Send this past any TLS and vanish: both are there before anybody has read a byte of it."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert os.write(sock.fileno(), last) == len(last)
        with Path("/dev/null").open() as nothing:
            os.dup2(nothing.fileno(), sock.fileno())  # closed at once, and not in a later turn of the loop
        self.close()


class Wires:
    """Makes connections, and closes what the tests leave open."""

    def __init__(self, authority: Authority, limits: Limits = LIMITS) -> None:
        self.context = authority.context_for("localhost")
        self.trusting = ssl.create_default_context(cafile=str(authority.ca_path))
        self.lease = Lease(
            "lse_1", TunnelIdentity("demo", "0x" + "1" * 40), "demo.localhost", NOW, NOW, NOW + timedelta(minutes=2)
        )
        self.sessions = ReadySessions(limits)
        self.lease.sessions = self.sessions
        self.bucket = TokenBucket(None, 0.0)
        self.total = Traffic()
        self.ended: list[Bridge] = []
        self._peers: list[Peer] = []

    def limited(self, **limits: float) -> None:
        """Sessions with other limits than the usual."""
        self.sessions = ReadySessions(replace(LIMITS, **limits))  # type: ignore[arg-type]
        self.lease.sessions = self.sessions

    async def pair(self, secure: bool) -> tuple[Peer, socket.socket]:
        """The peer's end of a connection, and our socket, before any TLS."""
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            port = listener.getsockname()[1]
            opening = asyncio.ensure_future(
                asyncio.open_connection(
                    "127.0.0.1",
                    port,
                    ssl=self.trusting if secure else None,
                    server_hostname="localhost" if secure else None,
                )
            )
            sock, _ = await loop.sock_accept(listener)
        sock.setblocking(False)
        if not secure:
            peer = Peer(*await opening)
            self._peers.append(peer)
            return peer, sock
        self._opening = opening
        return None, sock  # type: ignore[return-value]

    async def stream(self) -> tuple[Peer, TlsStream]:
        """An agent's end, and our stream after the handshake."""
        _, sock = await self.pair(secure=True)
        stream = TlsStream(sock, self.context)
        await stream.handshake(5)
        peer = Peer(*await self._opening)
        self._peers.append(peer)
        return peer, stream

    async def blocking_agent(self) -> tuple[ssl.SSLSocket, TlsStream]:
        """As `stream`; the agent's end is a socket for a thread, which can go on after our close_notify."""
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            address = listener.getsockname()

            def connect() -> ssl.SSLSocket:
                plain = socket.create_connection(address, timeout=20)
                return self.trusting.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)

            opening = asyncio.create_task(asyncio.to_thread(connect))
            sock, _ = await loop.sock_accept(listener)
        sock.setblocking(False)
        stream = TlsStream(sock, self.context)
        await stream.handshake(5)
        return await opening, stream

    async def agent(self) -> Peer:
        """An agent whose session is handed to `sessions`."""
        peer, stream = await self.stream()
        self.sessions.add(stream)
        return peer

    async def visitor(self, address: str = "192.0.2.1", marker: bytes = PASSTHROUGH, hello: bytes = b"hello") -> Peer:
        """A visitor who says `hello` and claims a session."""
        peer, sock = await self.pair(secure=False)
        if hello:
            peer.writer.write(hello)
            await asyncio.sleep(0.02)
        self.sessions.claim(self.bridge(sock, address, marker))
        return peer

    def bridge(self, sock: socket.socket, address: str = "192.0.2.1", marker: bytes = PASSTHROUGH) -> Bridge:
        sessions = self.sessions

        def ended(bridge: Bridge) -> None:
            self.ended.append(bridge)
            sessions.ended(bridge)

        return Bridge(self.lease, sock, address, marker, self.bucket, self.total, opened=sessions.opened, ended=ended)

    def close(self) -> None:
        for bridge in list(self.lease.bridges):
            bridge.cut()
        self.sessions.close()
        for peer in self._peers:
            peer.close()
