"""Whom the shell trusts: the system's authorities, a CA file, or the portal's own CA once a person has compared it."""

from __future__ import annotations

import hashlib
import http.client
import ssl
import sys

import typer

from homeport.cli.client import Client
from homeport.cli.connection import Connection, address_of
from homeport.cli.problems import CertificateUnknown, PortalUnreachable

_CA_LIMIT = 64 * 1024


def fingerprint(pem: str) -> str:
    """SHA-256 of a PEM certificate, in pairs of hex digits, as `homeport up` and browsers show it."""
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def trusted_ca(url: str, ca: str, expected: str | None) -> str:
    """What to verify the portal at `url` with: `ca` as given, nothing (the system knows it), or its own CA as PEM.

    Its own CA is taken when its fingerprint is `expected`, or when the person at the terminal says that it is the one
    the portal printed. Raises CertificateUnknown otherwise.
    """
    try:
        _ask(url, ca)
    except CertificateUnknown:
        if ca:
            raise
        pem = _own_ca(url)
        _accept(url, fingerprint(pem), expected)
        _ask(url, pem)
        return pem
    return ca


def _ask(url: str, ca: str) -> None:
    host, port = address_of(url)
    with Client(Connection(url=url, key="", ca=ca, address=host, port=port), timeout=15) as client:
        client.get("/api/health")


def _own_ca(url: str) -> str:
    """The CA that the portal says is its own: not believed before someone has compared it, and nothing is sent."""
    host, port = address_of(url)
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(host, port, timeout=15, context=unverified)
    try:
        connection.request("GET", "/ca.pem")
        answer = connection.getresponse()
        content = answer.read(_CA_LIMIT).decode("ascii", "replace")
    except (OSError, http.client.HTTPException) as fault:
        raise PortalUnreachable(f"{url} cannot be reached: {fault}") from fault
    finally:
        connection.close()
    if answer.status != 200 or not content.lstrip().startswith("-----BEGIN CERTIFICATE-----"):
        raise CertificateUnknown(f"The certificate of {url} is not trusted here: pass its CA file with --ca FILE.")
    return content


def _accept(url: str, shown: str, expected: str | None) -> None:
    if expected is not None:
        if expected.replace(":", "").upper() == shown.replace(":", ""):
            return
        raise CertificateUnknown(f"The certificate authority of {url} is {shown}, not the one you expect: stop here.")
    if not sys.stdin.isatty():
        raise CertificateUnknown(
            f"The certificate authority of {url} is not known here. If the portal printed the fingerprint {shown}, "
            "pass it with --trust, or pass the CA file with --ca."
        )
    sys.stderr.write(f"{url} signs its own certificates. Its authority's SHA-256 fingerprint is\n  {shown}\n")
    if not typer.confirm("Is that the one `homeport up` printed on the portal's machine?", err=True):
        raise CertificateUnknown("Not trusted, nothing was sent.")
