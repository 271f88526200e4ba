"""Client certificates as a machine has them: signing requests, files and TLS contexts."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from homeport.kit.files import atomic_write


def der_of(pem: str) -> bytes:
    """The first certificate in it."""
    first = pem[pem.index("-----BEGIN CERTIFICATE") :]
    return x509.load_pem_x509_certificate(first.encode()).public_bytes(serialization.Encoding.DER)


def signing_request(key: Any = None, *, common_name: str = "admin") -> str:
    """PEM, for a new P-256 key unless one is given; the portal ignores its subject."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name)
    signed = request.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def keep(folder: Path, name: str, pem: str) -> Path:
    """The file of a key and its certificate, 0600, as `curl --cert` and the ssl module read it."""
    path = folder / f"{name}.pem"
    atomic_write(path, pem, mode=0o600)
    return path


def presenting(context: ssl.SSLContext, pem: Path) -> ssl.SSLContext:
    """The client context, showing that certificate."""
    context.load_cert_chain(pem)
    return context
