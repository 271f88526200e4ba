"""What proves a name: the TXT value of dns-01 (RFC 8555 section 8.4), the certificate of tls-alpn-01 (RFC 8737)."""

from __future__ import annotations

import hashlib
import ssl
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from homeport.kit.clock import Clock
from homeport.relay.certificates.acme.jws import base64url
from homeport.relay.certificates.pairs import key_pem
from homeport.relay.contexts import server_context

ALPN = "acme-tls/1"
_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
_DAY = timedelta(days=1)


def txt_name(domain: str) -> str:
    """Where the record goes; `domain` is without a wildcard's `*.`."""
    return f"_acme-challenge.{domain}"


def txt_value(authorization: str) -> str:
    return base64url(hashlib.sha256(authorization.encode()).digest())


def challenge_context(domain: str, authorization: str, clock: Clock) -> ssl.SSLContext:
    """A context that speaks nothing but acme-tls/1, with the one certificate that answers."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ACME challenge")])
    digest = hashlib.sha256(authorization.encode()).digest()
    octets = b"\x04" + bytes([len(digest)]) + digest  # an ASN.1 OCTET STRING
    now = clock.now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
        .add_extension(x509.UnrecognizedExtension(_IDENTIFIER, octets), critical=True)
        .sign(key, hashes.SHA256())
    )
    return server_context(key_pem(key) + certificate.public_bytes(serialization.Encoding.PEM), [ALPN])
