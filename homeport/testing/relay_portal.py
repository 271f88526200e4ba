"""A whole portal whose relay is what a test is about, with clients and visitors for it."""

from __future__ import annotations

import base64
import secrets
import socket
import ssl
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import httpx

from homeport.testing.portal import PortalProcess
from homeport.testing.relay_client import Answer, PlainStream, Relay, RelayClient, TlsStream, Wallet
from homeport.testing.relay_client.answers import read_answer

DOMAIN = "relay.localhost"  # of two labels: OpenSSL takes no wildcard right below a single one


class RelayPortal(PortalProcess):
    """Its domain is DOMAIN. Tunnels need no approval; they have `ports` public ports, from `ports_from` on."""

    def __init__(self, folder: Path, settings: Mapping[str, object] | None = None, *, ports: int = 100) -> None:
        super().__init__(folder, {"domain": DOMAIN, "relay_approval": "auto", **(settings or {})})
        self.ports_from = int(self.environment["HOMEPORT_RELAY_PORT_FIRST"])
        self.environment["HOMEPORT_RELAY_PORT_LAST"] = str(self.ports_from + ports - 1)

    def relay(self, *, source: str = "", timeout: float = 20.0) -> Relay:
        """Where it is; `source` is an address to come from."""
        domain = self.environment.get("HOMEPORT_DOMAIN", "localhost")
        return Relay(domain, self.port, self.ca_path, source=source, timeout=timeout)

    def agent(
        self, name: str = "", wallet: Wallet | None = None, *, source: str = "", protocol: str = "7"
    ) -> RelayClient:
        """One who is not registered yet, with a name of its own unless one is given."""
        name = name or f"t{secrets.token_hex(6)}"
        return RelayClient(self.relay(source=source), name, wallet, protocol=protocol)

    def visitor(self, hostname: str, *, source: str = "", timeout: float = 20.0) -> TlsStream:
        """TLS with whoever serves `hostname`, verified."""
        return self.relay(source=source, timeout=timeout).dial(hostname)

    def knock(self, *, source: str = "", timeout: float = 20.0) -> socket.socket:
        """TCP alone."""
        return self.relay(source=source, timeout=timeout).connect()

    def raw_visitor(self, port: int, *, source: str = "", timeout: float = 20.0) -> PlainStream:
        """A connection to a public port."""
        return PlainStream(replace(self.relay(source=source, timeout=timeout), port=port).connect())

    def page(self, hostname: str, path: str = "/", *, source: str = "") -> Answer:
        """What a tunnel's server answers."""
        stream = self.visitor(hostname, source=source)
        try:
            stream.sendall(f"GET {path} HTTP/1.1\r\nHost: {hostname}\r\n\r\n".encode())
            return read_answer(stream)
        finally:
            stream.cut()

    def administer(self, method: str, path: str, content: object = None) -> httpx.Response:
        """One act on /admin, as the portal's own administrator."""
        with self.api() as api:
            return api.request(method, path, json=content)

    def judge(self, client: RelayClient, method: str, action: str, content: object = None) -> None:
        """Approve, deny, ban or limit an identity. Raises RuntimeError when that is refused."""
        name, address = (_encoded(one) for one in (client.name, client.wallet.address))
        answer = self.administer(method, f"/admin/leases/{name}/{address}/{action}", content)
        if answer.status_code != 200:
            raise RuntimeError(f"{method} {action}: {answer.status_code} {answer.text}")


def distrusting(stream: socket.socket, hostname: str) -> ssl.SSLSocket:
    """TLS that looks at no certificate, over a connected socket."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(stream, server_hostname=hostname)


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
