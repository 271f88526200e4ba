"""A TLS connection to a relay: made and verified, its first bytes exchanged, then handed on as socket and engine."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading

from homeport.relay.agent.problems import RelayUnreachable, RelayUntrusted
from homeport.relay.agent.relays import Relay
from homeport.relay.agent.tcp import connect
from homeport.relay.agent.tls import TlsEngine

DIAL_SECONDS = 10.0  # TCP and TLS together
BUFFER_BYTES = 128 * 1024


class Buffers:
    """What all connections of a thread read into: empty again before its event loop does anything else."""

    __slots__ = ("cipher", "middle", "plain")

    def __init__(self) -> None:
        self.cipher = memoryview(bytearray(BUFFER_BYTES))
        self.middle = memoryview(bytearray(BUFFER_BYTES))
        self.plain = memoryview(bytearray(BUFFER_BYTES))


class _Shared(threading.local):
    buffers: Buffers | None = None


_shared = _Shared()


def shared_buffers() -> Buffers:
    """Those of this thread."""
    if _shared.buffers is None:
        _shared.buffers = Buffers()
    return _shared.buffers


class Connection:
    """`sock` is non-blocking and belongs to nobody's transport; `engine` is through its handshake."""

    __slots__ = ("_buffers", "engine", "sock")

    def __init__(self, sock: socket.socket, engine: TlsEngine, buffers: Buffers) -> None:
        self.sock = sock
        self.engine = engine
        self._buffers = buffers

    async def fill(self) -> bool:
        """Wait for ciphertext and take it in; False when the relay's TCP connection has ended. Raises OSError."""
        while True:
            try:
                count = self.sock.recv_into(self._buffers.cipher)
            except BlockingIOError:
                await readable(self.sock)
                continue
            if count:
                self.engine.feed(self._buffers.cipher[:count])
                await asyncio.sleep(0)  # a relay that always has more would keep everybody else waiting
            return count > 0

    async def read(self, most: int) -> bytes:
        """Some plain bytes; none at the end of the stream. Raises OSError (ssl.SSLError is one)."""
        view = self._buffers.plain[:most]
        while True:
            data = bytes(view[: self.engine.read(view)])  # others use the buffer while this one flushes
            if self.engine.pending:
                await self.flush()
            if data or self.engine.ended:
                return data
            if not await self.fill():
                raise ConnectionResetError("the relay ended the connection")

    async def write(self, data: bytes) -> None:
        """All of it. Raises OSError."""
        self.engine.write(data)
        await self.flush()

    async def flush(self) -> None:
        """What the engine has to say."""
        data = self.engine.output()
        if data:
            await asyncio.get_running_loop().sock_sendall(self.sock, data)

    def close(self) -> None:
        """At once."""
        self.sock.close()


async def readable(sock: socket.socket) -> None:
    """Returns when there is something to read, or nothing will ever be."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Future[None] = loop.create_future()
    loop.add_reader(sock, _wake, waiting)
    try:
        await waiting
    finally:
        loop.remove_reader(sock)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


class Dialer:
    """Makes connections to one relay; later ones resume the TLS session of an earlier one, which costs both less."""

    def __init__(self, relay: Relay, buffers: Buffers) -> None:
        self._relay = relay
        self._buffers = buffers
        self._session: ssl.SSLSession | None = None

    async def dial(self) -> Connection:
        """Raises RelayUnreachable, RelayUntrusted."""
        relay = self._relay
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                sock = await connect(*relay.destination, watched=True)
                try:
                    return await self._secure(sock)
                except BaseException:
                    sock.close()
                    raise
        except TimeoutError:
            raise RelayUnreachable(f"{relay.url} did not answer within {DIAL_SECONDS:.0f} seconds.") from None
        except ssl.SSLCertVerificationError as fault:
            raise RelayUntrusted(
                f"The certificate of {relay.url} is not trusted here ({fault.verify_message}): "
                "give its authority's file with --ca FILE."
            ) from None
        except OSError as fault:
            raise RelayUnreachable(f"{relay.url} cannot be reached ({reason(fault)}).") from None

    def learn(self, connection: Connection) -> None:
        """Its session may be resumed; to be called once the relay has answered something. What could be resumed once
        can be again, until the relay has forgotten it."""
        if not connection.engine.resumed:
            self._session = connection.engine.session

    async def _secure(self, sock: socket.socket) -> Connection:
        engine = TlsEngine(self._relay.context, server_hostname=self._relay.host, session=self._session)
        connection = Connection(sock, engine, self._buffers)
        while not engine.handshake():
            await connection.flush()
            if not await connection.fill():
                raise ConnectionResetError("it ended the TLS handshake")
        await connection.flush()
        return connection


def reason(fault: OSError) -> str:
    """A few words on what went wrong."""
    if isinstance(fault, ssl.SSLError):
        return (fault.reason or "TLS failed").replace("_", " ").lower()
    return fault.strerror or str(fault) or type(fault).__name__
