"""A new key with its certificate, packed for whoever asked: shown once and kept nowhere."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, PrivateFormat, pkcs12

from homeport.identity.certificates.authority import pem_of, private_pem

Format = Literal["p12", "pem"]
_LEGACY_ROUNDS = 50_000


@dataclass(frozen=True)
class Bundle:
    """`p12` has its password beside it; `pem` is the key followed by the certificate, as `curl --cert` takes it."""

    certificate: str
    authority: str
    p12: bytes | None = None
    p12_password: str | None = None
    pem: str | None = None
    key: str | None = None


def new_key() -> ec.EllipticCurvePrivateKey:
    """P-256, which every browser and operating system imports."""
    return ec.generate_private_key(ec.SECP256R1())


def pack(
    key: ec.EllipticCurvePrivateKey,
    certificate: x509.Certificate,
    authority: x509.Certificate,
    form: Format,
    *,
    name: str,
    legacy: bool = False,
) -> Bundle:
    """`legacy` packs a P12 as macOS before 15 and Windows before 10 read it: 3DES and SHA-1 (RFC 7292 appendix C)."""
    shown, issuer = pem_of(certificate), pem_of(authority)
    if form == "pem":
        private = private_pem(key)
        return Bundle(shown, issuer, pem=private + shown, key=private)
    password = secrets.token_hex(16)
    secret = password.encode()
    if legacy:
        builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(_LEGACY_ROUNDS)
        builder = builder.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC).hmac_hash(hashes.SHA1())  # noqa: S303
        encryption = builder.build(secret)
    else:
        encryption = BestAvailableEncryption(secret)
    packed = pkcs12.serialize_key_and_certificates(name.encode(), key, certificate, [authority], encryption)
    return Bundle(shown, issuer, p12=packed, p12_password=password)
