"""Which portal a verb talks to, as whom, and whom it trusts."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from homeport.cli.credentials import Credentials
from homeport.cli.local import read_local, trusted_locally
from homeport.cli.problems import NotSignedIn, UsageWrong


@dataclass(frozen=True)
class Connection:
    """`ca` is PEM text or the path of a PEM file, empty for the system's authorities.

    `address` and `port` say where to connect; the name in `url` need not resolve.
    """

    url: str
    key: str
    ca: str
    address: str
    port: int

    @property
    def host(self) -> str:
        """The name that the portal's certificate has to carry."""
        return urlsplit(self.url).hostname or ""

    def tls(self) -> ssl.SSLContext:
        """A client context that verifies. Raises UsageWrong when the CA file cannot be used."""
        return context_for(self.ca)

    def __repr__(self) -> str:
        return f"Connection(url={self.url!r})"


def context_for(ca: str) -> ssl.SSLContext:
    """A verifying context that trusts `ca` (PEM text or a path; the system's authorities when empty)."""
    try:
        if not ca:
            return ssl.create_default_context()
        if ca.lstrip().startswith("-----BEGIN"):
            context = ssl.create_default_context(cadata=ca)
            context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN  # a certificate itself may be trusted
            return context
        return ssl.create_default_context(cafile=ca)
    except (OSError, ValueError) as fault:
        raise UsageWrong(f"The CA file {ca} cannot be used: {fault}") from fault


def normalise(url: str) -> str:
    """`url` as it is kept: https, lower case, no path. Raises UsageWrong for what is not a portal's address."""
    parts = urlsplit(url if "://" in url else f"https://{url}")
    if parts.scheme != "https" or not parts.hostname or parts.username:
        raise UsageWrong(f"{url} is not a portal's address: write it as https://portal.example.org:8443")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    try:
        return f"https://{host}" if parts.port in {None, 443} else f"https://{host}:{parts.port}"
    except ValueError as fault:
        raise UsageWrong(f"{url}: {fault}") from fault


def address_of(url: str) -> tuple[str, int]:
    """Host and port to connect to for a normalised `url`."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 443


def resolve(portal: str | None) -> Connection:
    """The connection for the portal named by URL, or else for the last one signed in to or started here.

    HOMEPORT_API_KEY and HOMEPORT_CA win over what is saved. Raises NotSignedIn.
    """
    credentials = Credentials()
    url = normalise(portal) if portal else credentials.current
    if not url:
        raise NotSignedIn("No portal is known yet: start one with `homeport up`, or `homeport login https://…`.")
    host, port = address_of(url)
    found = Connection(url=url, key="", ca="", address=host, port=port)
    known = credentials.find(url)
    if known and known.data_dir:
        local = read_local(Path(known.data_dir))
        if local:
            trusted = trusted_locally(local.ca, Path(known.data_dir))
            found = Connection(url=local.url, key=local.key, ca=trusted, address=local.address, port=local.port)
    elif known:
        found = replace(found, key=known.key, ca=known.ca)
    found = replace(
        found, key=os.environ.get("HOMEPORT_API_KEY") or found.key, ca=os.environ.get("HOMEPORT_CA") or found.ca
    )
    if not found.key:
        raise NotSignedIn(f"You are not signed in to {url}: run `homeport login {url}`.")
    return found
