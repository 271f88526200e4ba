"""The client certificate behind a request: of our own TLS, or as a listed reverse proxy says it."""

from __future__ import annotations

import functools
import hashlib
import re
from dataclasses import dataclass
from typing import cast

from cryptography import x509
from cryptography.x509.oid import NameOID
from starlette.requests import HTTPConnection

from homeport.identity.client_address import Proxies

# In the ASGI state of a connection to the port that asks for certificates: a Peer.
PEER = "homeport.peer"
VERIFY, DN, SERIAL = "x-ssl-client-verify", "x-ssl-client-dn", "x-ssl-client-serial"  # nginx's, by custom
_SERIAL = re.compile(r"[0-9a-f]{1,40}")
_LONGEST_DN = 1000


@dataclass(frozen=True)
class Peer:
    """The certificate (DER) that our own handshake has verified; None where the client showed none."""

    der: bytes | None

    @functools.cached_property
    def shown(self) -> Shown | None:
        if self.der is None:
            return None
        certificate = x509.load_der_x509_certificate(self.der)
        return Shown(f"{certificate.serial_number:x}", fingerprint=hashlib.sha256(self.der).digest())


@dataclass(frozen=True)
class Shown:
    """A certificate that was verified: its serial, and what else of it has to fit what we issued: its fingerprint when
    we have seen it ourselves, its common name when a proxy has."""

    serial: str
    fingerprint: bytes | None = None
    common_name: str | None = None


class Door:
    """Which requests have to come with a certificate, and with which they came. `proxies` are the listed ones."""

    def __init__(self, proxies: Proxies) -> None:
        self._proxies = proxies

    def asks(self, connection: HTTPConnection) -> bool:
        """Whether this request has to have one: it came to our port for them, or to a listed proxy's."""
        return PEER in connection.scope.get("state", {}) or self._is_relayed(connection)

    def shown(self, connection: HTTPConnection) -> Shown | None:
        """The certificate, None without one. Headers count from listed proxies only, and must say everything once."""
        if not self._is_relayed(connection):
            return cast(Peer, connection.scope["state"][PEER]).shown
        values = [connection.headers.getlist(name) for name in (VERIFY, DN, SERIAL)]
        if any(len(value) != 1 for value in values):
            return None
        [verified], [subject], [number] = values
        serial = number.strip().replace(":", "").lower().lstrip("0")
        name = common_name(subject)
        if verified != "SUCCESS" or not _SERIAL.fullmatch(serial) or not name:
            return None
        return Shown(serial, common_name=name)

    def _is_relayed(self, connection: HTTPConnection) -> bool:
        peer = connection.client.host if connection.client else ""
        return self._proxies.has(peer) and VERIFY in connection.headers


def common_name(subject: str) -> str | None:
    """The one CN of a subject as RFC 4514 writes it (nginx's $ssl_client_s_dn); None for anything else."""
    if len(subject) > _LONGEST_DN:
        return None
    try:
        found = x509.Name.from_rfc4514_string(subject).get_attributes_for_oid(NameOID.COMMON_NAME)
    except ValueError:
        return None
    return str(found[0].value) if len(found) == 1 else None
