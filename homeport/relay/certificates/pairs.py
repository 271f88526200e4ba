"""A certificate with its key: judged before it may serve, and described without the key."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from homeport.kit.clock import rfc3339
from homeport.relay.certificates.problems import CertificateRefused
from homeport.relay.contexts import server_context

MOST_BYTES = 64 * 1024  # of a PEM text
MOST_CERTIFICATES = 10
LEAST_RSA_BITS = 2048

ServerKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Pair:
    """`chain` begins with the leaf, each signed by the next. `names` are its host names and addresses, lower case."""

    chain: tuple[x509.Certificate, ...]
    names: tuple[str, ...]
    key_and_chain: bytes = field(repr=False)
    context: ssl.SSLContext = field(repr=False)

    @property
    def leaf(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def domain(self) -> str:
        """The name it is known by here: the first that it holds."""
        return self.names[0]

    @property
    def not_before(self) -> datetime:
        return self.leaf.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        return self.leaf.not_valid_after_utc


def read_pair(cert: str | bytes, key: str | bytes, now: datetime) -> Pair:
    """PEM texts as a pair that can serve at `now`. Raises CertificateRefused, which says what is wrong."""
    pair = load_pair(cert, key)
    if pair.not_after <= now:
        raise CertificateRefused(f"The certificate expired on {rfc3339(pair.not_after)}.")
    if pair.not_before > now:
        raise CertificateRefused(
            f"The certificate is not valid before {rfc3339(pair.not_before)}; this machine's time is {rfc3339(now)}."
        )
    return pair


def load_pair(cert: str | bytes, key: str | bytes) -> Pair:
    """The same, whatever the time is."""
    cert, key = (text.encode() if isinstance(text, str) else text for text in (cert, key))
    if len(cert) > MOST_BYTES or len(key) > MOST_BYTES:
        raise CertificateRefused(f"A certificate or key is larger than {MOST_BYTES // 1024} KB.")
    private = _read_key(key)
    chain = _in_order(_read_certificates(cert), private)
    leaf = chain[0]
    names = names_of(leaf)
    if not names:
        raise CertificateRefused("The certificate names no host (subjectAltName): browsers would not take it.")
    usages = _usages(leaf)
    if usages and not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(usages):
        raise CertificateRefused("The certificate is not meant for servers (extended key usage).")
    both = key_pem(private) + b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain)
    try:
        context = server_context(both)
    except ssl.SSLError as problem:
        raise CertificateRefused(f"OpenSSL does not take this pair: {problem.reason or 'unknown'}.") from None
    return Pair(chain, names, both, context)


def key_pem(key: ServerKey) -> bytes:
    """PKCS #8, without a password."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def covers(names: Sequence[str], name: str) -> bool:
    """Whether one of the names is it, or a wildcard for its last label but one (RFC 6125 section 6.4.3)."""
    name = name.lower().removesuffix(".")
    return name in names or f"*.{name.partition('.')[2]}" in names


def names_of(leaf: x509.Certificate) -> tuple[str, ...]:
    """Host names as DNS writes them, then addresses; none where there is no subjectAltName."""
    try:
        held = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    hosts = (name.lower() for name in held.get_values_for_type(x509.DNSName))
    return tuple(dict.fromkeys((*hosts, *map(str, held.get_values_for_type(x509.IPAddress)))))


def describe(leaf: x509.Certificate, now: datetime) -> dict[str, Any]:
    """What people and clients read of a certificate (seed 002 docs, certificates)."""
    left = (leaf.not_valid_after_utc - now).days
    return {
        "subject": _parts(leaf.subject),
        "issuer": _parts(leaf.issuer),
        "sans": list(names_of(leaf)),
        "serial": f"{leaf.serial_number:x}",
        "not_before": rfc3339(leaf.not_valid_before_utc),
        "not_after": rfc3339(leaf.not_valid_after_utc),
        "days_until_expiry": left,
        "is_expired": leaf.not_valid_after_utc <= now,
        "is_self_signed": leaf.issuer == leaf.subject,
        "fingerprint_sha256": leaf.fingerprint(hashes.SHA256()).hex(":").upper(),
        "key_type": key_type(leaf.public_key()),
    }


def key_type(key: object) -> str:
    """`RSA 4096`, `EC P-256`: as people say it."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC P-{key.key_size}"
    return type(key).__name__.removesuffix("PublicKey")


def _read_key(pem: bytes) -> ServerKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        raise CertificateRefused("The key is locked with a password: unlock it with `openssl pkey`.") from None
    except ValueError:
        raise CertificateRefused("The key is no private key in PEM (-----BEGIN PRIVATE KEY-----).") from None
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < LEAST_RSA_BITS:
            raise CertificateRefused(f"An RSA key of {key.key_size} bits is too short: {LEAST_RSA_BITS} at least.")
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key
    kind = "Ed25519" if isinstance(key, ed25519.Ed25519PrivateKey) else "this kind"
    raise CertificateRefused(f"Browsers do not take keys of {kind}: use RSA or ECDSA.")


def _read_certificates(pem: bytes) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise CertificateRefused("The certificate is not in PEM (-----BEGIN CERTIFICATE-----), or broken.") from None
    if len(found) > MOST_CERTIFICATES:
        raise CertificateRefused(f"The chain has more than {MOST_CERTIFICATES} certificates.")
    return found


def _in_order(found: list[x509.Certificate], key: ServerKey) -> tuple[x509.Certificate, ...]:
    """The leaf, which is the key's, and who signed whom; people paste them in any order."""
    public = key.public_key()
    leaf = next((each for each in found if each.public_key() == public), None)
    if leaf is None:
        raise CertificateRefused("The key does not belong to the certificate.")
    chain, rest = [leaf], [each for each in found if each is not leaf]
    while rest:
        signer = next((each for each in rest if _signed(chain[-1], each)), None)
        if signer is None:
            name = rest[0].subject.rfc4514_string()[:100]
            raise CertificateRefused(f"The certificate {name!r} has no place in the chain of {_name(leaf)!r}.")
        chain.append(signer)
        rest.remove(signer)
    return tuple(chain)


def _signed(one: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _usages(leaf: x509.Certificate) -> tuple[x509.ObjectIdentifier, ...]:
    try:
        return tuple(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except (x509.ExtensionNotFound, ValueError):
        return ()


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()[:100] or ", ".join(names_of(certificate))[:100]


_PARTS = {
    NameOID.COMMON_NAME: "common_name",
    NameOID.ORGANIZATION_NAME: "organization",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "organizational_unit",
    NameOID.COUNTRY_NAME: "country",
    NameOID.STATE_OR_PROVINCE_NAME: "state",
    NameOID.LOCALITY_NAME: "locality",
}


def _parts(name: x509.Name) -> dict[str, str]:
    return {_PARTS.get(part.oid, part.oid.dotted_string): str(part.value) for part in name}
