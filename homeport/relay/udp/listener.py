"""The QUIC side of the relay: agents connect, say whose lease they hold, and carry its datagrams from then on."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import structlog
from aioquic.asyncio.server import QuicServer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.tls import load_pem_private_key, load_pem_x509_certificates

from homeport.identity.client_address import network_of
from homeport.kit.problems import Problem
from homeport.relay.udp.public_port import PublicPort, bind
from homeport.relay.udp.quic import QuicPeer, configuration
from homeport.wire import udp_control

log = structlog.get_logger()

CONTROL_SECONDS = 10.0
LAST_WORDS_SECONDS = 0.5  # between a no and the close, which would overtake it
MOST_PENDING = 256  # connections that have not said whose they are
MOST_PENDING_PER_ADDRESS = 16  # or /64 of IPv6
_LONG_HEADER = 0x80
_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----\n?", re.DOTALL)

Admit = Callable[[str, str, "AgentConnection"], str]
Released = Callable[[PublicPort, "AgentConnection"], None]


class AgentConnection(QuicPeer):
    """One agent's QUIC connection; a Bridge of its lease once it is admitted."""

    def __init__(self, listener: Listener, quic: QuicConnection) -> None:
        super().__init__(quic)
        self._listener = listener
        self._port: PublicPort | None = None
        self._control: int | None = None
        self._reader = udp_control.MessageReader()
        self._deadline: asyncio.TimerHandle | None = None
        self.address = ""
        self._is_pending = False

    def datagram_received(self, data: bytes | str, addr: Any) -> None:
        """The first packet is where it begins: from an address that a retry has proven."""
        if not self.address:
            self.address = _plain(addr[0])
            self._is_pending = True
            self._listener.pending[network_of(self.address)] += 1
            self._deadline = asyncio.get_running_loop().call_later(CONTROL_SECONDS, self._too_late)
        super().datagram_received(data, addr)

    def carry(self, port: PublicPort) -> None:
        """From now on what comes is the port's."""
        self._port = port
        self._through()

    def cut(self) -> None:
        """The lease may no longer be served."""
        self.end(udp_control.CLOSE_REFUSED, udp_control.LEASE_REJECTED)

    def end(self, code: int, reason: str) -> None:
        """Close it with an application's code."""
        if self._port is not None:
            self._listener.released(self._port, self)
            self._port = None
        if not self.ended:
            self.close(code, reason)

    def stream_data(self, stream_id: int, data: bytes, end: bool) -> None:
        """The agent's one message is on its first stream; other streams are not listened to."""
        if self._control is None and stream_id % 4 == 0:  # begun by the client, both ways (RFC 9000 section 2.1)
            self._control = stream_id
        if stream_id != self._control:
            return
        message = self._reader.receive(data, end=end)
        if message is None:
            return
        hello = message if isinstance(message, udp_control.Refused) else udp_control.read_hello(message)
        if isinstance(hello, udp_control.Refused):
            self._answer(stream_id, hello.error)
        else:
            self._answer(stream_id, self._listener.admit(hello.access_token, self.address, self))

    def frame(self, data: bytes) -> None:
        """A datagram for a visitor."""
        if self._port is not None:
            self._port.answer(data)

    def terminated(self, code: int, reason: str) -> None:
        """It is over."""
        self._through()
        if self._port is not None:
            log.info("a UDP tunnel's end is gone", lease=self._port.lease.hostname, code=code, reason=reason)
            self._listener.released(self._port, self)
            self._port = None

    def _answer(self, stream_id: int, error: str) -> None:
        self._quic.send_stream_data(stream_id, udp_control.encode_answer(error), end_stream=bool(error))
        self.transmit()
        if error:
            log.info("a UDP tunnel's end was turned away", address=self.address, error=error)
            asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self.end, udp_control.CLOSE_REFUSED, error)

    def _too_late(self) -> None:
        if self._port is None:
            self.end(udp_control.CLOSE_REFUSED, udp_control.INVALID_CONTROL_MESSAGE)

    def _through(self) -> None:
        """It no longer counts as pending."""
        if self._deadline is not None:
            self._deadline.cancel()
        if self._is_pending:
            self._is_pending = False
            source = network_of(self.address)
            self._listener.pending[source] -= 1
            if not self._listener.pending[source]:
                del self._listener.pending[source]


class _Server(QuicServer):
    """aioquic's, with a limit on strangers and the newest certificate. Each connection begins with a retry: what comes
    from made-up addresses costs no state, and is answered with less than it brought."""

    def __init__(self, listener: Listener, given: QuicConfiguration) -> None:
        super().__init__(
            configuration=given,
            create_protocol=lambda quic, **_: AgentConnection(listener, quic),
            retry=True,
        )
        self._listener = listener

    def datagram_received(self, data: bytes | str, addr: Any) -> None:
        """Only a packet with a long header can begin a connection."""
        packet = data if isinstance(data, bytes) else data.encode()
        if len(packet) > 6 and packet[0] & _LONG_HEADER and packet[6 : 6 + packet[5]] not in self._protocols:
            if not self._listener.takes(_plain(addr[0])):
                return
            self._listener.renew_certificate()
        super().datagram_received(packet, addr)


class Listener:
    """Listens on the portal's addresses, both families where there are two."""

    def __init__(
        self, admit: Admit, released: Released, refused: Callable[[str], bool], certificate: Callable[[], bytes]
    ) -> None:
        self.admit = admit
        self.released = released
        self.pending: Counter[str] = Counter()
        self._refused = refused
        self._certificate = certificate
        self._pem = b""
        self._configuration = configuration(is_client=False)
        self._servers: list[_Server] = []

    async def open(self, host: str, port: int) -> None:
        """Raises OSError when the port cannot be had; 127.0.0.1 is ::1 too where there is IPv6."""
        self.renew_certificate()
        hosts = {"localhost": ["127.0.0.1", "::1"], "127.0.0.1": ["127.0.0.1", "::1"]}.get(host, [host])
        for number, each in enumerate(hosts):
            try:
                sock = bind(each, port)
            except OSError as problem:
                if not number:
                    raise
                log.info("not listening there for QUIC", host=each, port=port, reason=problem.strerror)
                continue
            _, server = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Server(self, self._configuration), sock=sock
            )
            self._servers.append(server)

    async def close(self) -> None:
        """Every agent's connection is closed."""
        for server in self._servers:
            server.close()
        self._servers.clear()

    def takes(self, address: str) -> bool:
        """Whether a stranger from there may begin a connection now."""
        if self._refused(address):
            return False
        return self.pending[network_of(address)] < MOST_PENDING_PER_ADDRESS and self.pending.total() < MOST_PENDING

    def renew_certificate(self) -> None:
        """New connections are shown the certificate that the relay has now."""
        try:
            pem = self._certificate()
        except Problem as problem:  # there is none any more: the one from before will do for those who know it
            if not self._pem:
                raise
            log.warning("QUIC keeps the certificate from before", reason=problem.message)
            return
        if pem == self._pem:
            return
        key = _KEY.search(pem)
        if key is None:
            raise ValueError("the relay's certificate came without its key")
        leaf, *chain = load_pem_x509_certificates(_KEY.sub(b"", pem))
        self._configuration.certificate = leaf
        self._configuration.certificate_chain = chain
        self._configuration.private_key = load_pem_private_key(key[0])
        self._pem = pem


def _plain(host: str) -> str:
    """A mapped IPv4 address as what it is."""
    return host.removeprefix("::ffff:") if host.startswith("::ffff:") and "." in host else host
