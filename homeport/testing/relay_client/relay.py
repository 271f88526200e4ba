"""Where a relay is, and connections to it."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from homeport.testing.relay_client.stream import TlsStream

TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True)
class Relay:
    """`host` is the name in its URL, `address` the IP where it is dialled, `ca_path` whom its certificate is judged by.

    `source` is an address to dial from: all of 127.0.0.0/8 is this machine.
    """

    host: str
    port: int
    ca_path: Path
    address: str = "127.0.0.1"
    source: str = ""
    timeout: float = TIMEOUT_SECONDS

    @property
    def authority(self) -> str:
        """As the Host field has it."""
        return self.host if self.port == 443 else f"{self.host}:{self.port}"

    def connect(self) -> socket.socket:
        """TCP alone."""
        source = (self.source, 0) if self.source else None
        sock = socket.create_connection((self.address, self.port), self.timeout, source)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def dial(self, name: str = "", *, least: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> TlsStream:
        """TLS with the relay's API (or with whoever has `name`), verified."""
        context = ssl.create_default_context(cafile=str(self.ca_path))
        context.minimum_version = least
        context.set_alpn_protocols(["http/1.1"])
        sock = self.connect()
        try:
            return TlsStream(sock, context, name or self.host)
        except BaseException:
            sock.close()
            raise
