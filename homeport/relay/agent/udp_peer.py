"""The agent's QUIC connection. Imported with the first tunnel that wants UDP: it loads aioquic."""

from __future__ import annotations

import asyncio
import socket
import ssl

from aioquic.quic.connection import QuicConnection
from cryptography.hazmat.primitives.serialization import Encoding

from homeport.relay.agent.problems import RelayUntrusted
from homeport.relay.agent.tcp import is_localhost
from homeport.relay.agent.udp_flows import LocalFlows
from homeport.relay.udp.quic import QuicPeer, configuration
from homeport.wire import udp_control

MOST_EARLY = 64  # datagrams


class RelayPeer(QuicPeer):
    """`connected` once the handshake is done, `gone` with the reason (empty for silence) once it is over."""

    def __init__(self, quic: QuicConnection) -> None:
        super().__init__(quic)
        loop = asyncio.get_running_loop()
        self.connected: asyncio.Future[None] = loop.create_future()
        self.gone: asyncio.Future[str] = loop.create_future()
        self._answer: asyncio.Future[str] = loop.create_future()
        self._reader = udp_control.MessageReader()
        self._flows: LocalFlows | None = None
        self._early: list[bytes] = []  # came along with the relay's yes

    async def admitted(self, token: str, timeout: float) -> str:
        """Say whose lease it is: empty for a yes, else the relay's error."""
        stream = self._quic.get_next_available_stream_id()
        self._quic.send_stream_data(stream, udp_control.encode_hello(token))
        self.transmit()
        try:
            async with asyncio.timeout(timeout):
                await asyncio.wait({self._answer, self.gone}, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            return udp_control.INVALID_CONTROL_MESSAGE
        if self._answer.done():
            return self._answer.result()
        return self.gone.result() or udp_control.BROKER_CLOSED

    def carry(self, flows: LocalFlows) -> None:
        """From now on datagrams go there."""
        self._flows = flows
        early, self._early = self._early, []
        for data in early:
            flows.frame(data)

    def shows(self, leaf: bytes) -> bool:
        """Whether the relay has proven to hold the key of this certificate (DER)."""
        certificate = self._quic.tls._peer_certificate  # aioquic checks its signature, and tells it nowhere else
        return certificate is not None and certificate.public_bytes(Encoding.DER) == leaf

    def ready(self) -> None:
        """The handshake is done."""
        if not self.connected.done():
            self.connected.set_result(None)

    def stream_data(self, stream_id: int, data: bytes, end: bool) -> None:  # noqa: ARG002
        """The relay's one answer."""
        message = self._reader.receive(data, end=end)
        if message is None or self._answer.done():
            return
        answer = message if isinstance(message, udp_control.Refused) else udp_control.read_answer(message)
        self._answer.set_result(answer.error)

    def frame(self, data: bytes) -> None:
        """A visitor's datagram."""
        if self._flows is not None:
            self._flows.frame(data)
        elif len(self._early) < MOST_EARLY and not self.ended:
            self._early.append(data)

    def terminated(self, code: int, reason: str) -> None:  # noqa: ARG002
        """It is over."""
        self._flows = None
        self._early.clear()
        if not self.connected.done():
            self.connected.set_exception(ConnectionError(reason or "the relay closed the connection"))
        if not self.gone.done():
            self.gone.set_result(reason)


async def dial(host: str, port: int, name: str, leaf: bytes) -> tuple[RelayPeer, asyncio.DatagramTransport]:
    """A connection to a relay that shows `leaf`, to the first address that answers; the caller sets the time limit.

    Raises OSError, RelayUntrusted.
    """
    problem: OSError = ConnectionError(f"{host} has no address")
    for family, address in await _addresses(host, port):
        try:
            peer, transport = await _dial(family, address, name)
        except OSError as fault:
            problem = fault
            continue
        if not peer.shows(leaf):
            peer.close()
            transport.close()
            raise RelayUntrusted(f"What answers on UDP port {port} of {host} is not that relay.")
        return peer, transport
    raise problem


async def _dial(
    family: socket.AddressFamily, address: tuple[object, ...], name: str
) -> tuple[RelayPeer, asyncio.DatagramTransport]:
    loop = asyncio.get_running_loop()
    # Whom the certificate belongs to is judged by `shows`, against what TLS has verified.
    quic = QuicConnection(configuration=configuration(is_client=True, server_name=name, verify_mode=ssl.CERT_NONE))
    local = ("0.0.0.0", 0) if family == socket.AF_INET else ("::", 0)
    transport, peer = await loop.create_datagram_endpoint(lambda: RelayPeer(quic), local_addr=local, family=family)
    try:
        peer.connect(address)
        await peer.connected
    except BaseException:
        peer.close()
        transport.close()
        raise
    return peer, transport


async def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[object, ...]]]:
    if is_localhost(host):  # RFC 6761 section 6.3
        return [(socket.AF_INET, ("127.0.0.1", port))]
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    return list(dict.fromkeys((info[0], info[4]) for info in found))
