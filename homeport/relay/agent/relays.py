"""The relays that an agent works with: where each is, and whom it trusts to be it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from homeport.relay.agent.problems import TargetInvalid
from homeport.relay.agent.tcp import is_localhost

_RESERVED = ("localhost", "local", "internal", "lan", "test", "home.arpa")


@dataclass(frozen=True)
class Relay:
    """`url` is normalised (relay B.1). `context` verifies it. `bearer`: an API key of the portal that the relay is
    part of, so that the tunnel is its user's. `address` and `dial_port` are where to connect, if not where `url` says.
    """

    url: str
    context: ssl.SSLContext = field(repr=False)
    bearer: str = field(default="", repr=False)
    address: str = ""
    dial_port: int = 0

    @property
    def host(self) -> str:
        """The root host: tunnels are one label below it."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 443

    @property
    def authority(self) -> str:
        """As the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"

    @property
    def destination(self) -> tuple[str, int]:
        """Whom to dial."""
        return self.address or self.host, self.dial_port or self.port


def relay_url(text: str) -> str:
    """https, lower case, no query, no slash at the end, and no /relay (relay B.1). Raises TargetInvalid."""
    wrong = TargetInvalid(f"{text[:200]!r} is no relay's address: write it as https://relay.example.org")
    parts = urlsplit(text if "://" in text else f"https://{text}")
    try:
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme.lower() != "https" or not parts.hostname or parts.username is not None:
        raise wrong
    host = parts.hostname.lower().removesuffix(".")
    host = f"[{host}]" if ":" in host else host
    path = parts.path.rstrip("/").removesuffix("/relay").rstrip("/")
    return f"https://{host}{'' if port in (None, 443) else f':{port}'}{path}"


def is_local_name(host: str) -> bool:
    """Whether no public authority gives certificates for it: this machine, an address, or a name of private use."""
    name = host.lower().removesuffix(".")
    try:
        ip_address(name)
    except ValueError:
        return is_localhost(name) or any(name == each or name.endswith(f".{each}") for each in _RESERVED)
    return True


def client_context(ca: str = "") -> ssl.SSLContext:
    """Verifies against the system's authorities, and those in `ca` besides (PEM text, or a file's path).

    Raises TargetInvalid when the CA cannot be used.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        if ca.lstrip().startswith("-----BEGIN"):
            context.load_verify_locations(cadata=ca)
            context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN  # a certificate itself may be trusted
        elif ca:
            context.load_verify_locations(cafile=ca)
    except (OSError, ValueError) as fault:
        raise TargetInvalid(f"The CA file {ca[:200]} cannot be used: {fault}") from None
    return context
