"""A certificate that signs itself: for who compares fingerprints instead of trusting an authority."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from homeport.relay.certificates.pairs import Pair, ServerKey, key_pem, read_pair

KeyType = Literal["ec-p256", "ec-p384", "rsa-2048", "rsa-4096"]
BACKDATED = timedelta(hours=1)


def new_key(key_type: KeyType) -> ServerKey:
    """RSA takes up to some seconds."""
    if key_type == "ec-p256":
        return ec.generate_private_key(ec.SECP256R1())
    if key_type == "ec-p384":
        return ec.generate_private_key(ec.SECP384R1())
    return rsa.generate_private_key(65537, int(key_type.removeprefix("rsa-")))


def self_signed(hostname: str, days: int, key_type: KeyType, now: datetime) -> Pair:
    """For `hostname`, localhost and 127.0.0.1 (seed 002 docs). Blocks while the key is made."""
    key = new_key(key_type)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname)] if len(hostname) <= 64 else [])
    hosts = [_general_name(each) for each in dict.fromkeys((hostname, "localhost", "127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(hosts), critical=not len(subject))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return read_pair(certificate.public_bytes(serialization.Encoding.PEM), key_pem(key), now)


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
