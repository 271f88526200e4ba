"""Signatures of TLS handshakes by their names in R29: which key makes which, of digests of which length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

_HASHES: tuple[tuple[str, hashes.HashAlgorithm], ...] = (
    ("SHA256", hashes.SHA256()),
    ("SHA384", hashes.SHA384()),
    ("SHA512", hashes.SHA512()),
)


@dataclass(frozen=True, slots=True)
class Algorithm:
    """`sign` takes a digest of exactly `digest_bytes`; ECDSA gives DER, RSA as many bytes as the key has."""

    name: str
    digest_bytes: int
    sign: Callable[[bytes], bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signer:
    """One private key and what it can do. `slow`: a signature takes about a millisecond and belongs into a thread."""

    algorithms: dict[str, Algorithm]
    slow: bool


def signer_of(key_pem: bytes) -> Signer:
    """The key that a PEM text begins with (PKCS #8, RSA or ECDSA: as `Pair.key_and_chain`)."""
    key = serialization.load_pem_private_key(key_pem, password=None)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        found = [
            Algorithm(f"ECDSA_{name}", digest.digest_size, partial(_ecdsa, key, ec.ECDSA(Prehashed(digest))))
            for name, digest in _HASHES
        ]
        return Signer({each.name: each for each in found}, slow=key.key_size > 256)
    if isinstance(key, rsa.RSAPrivateKey):
        found = []
        for name, digest in _HASHES:
            size, ready = digest.digest_size, Prehashed(digest)
            # RFC 8446 section 4.2.3: "The length of the Salt MUST be equal to the length of the output of the digest"
            pss = padding.PSS(padding.MGF1(digest), salt_length=size)
            found.append(Algorithm(f"RSA_PKCS1V15_{name}", size, partial(_rsa, key, padding.PKCS1v15(), ready)))
            found.append(Algorithm(f"RSA_PSS_{name}", size, partial(_rsa, key, pss, ready)))
        return Signer({each.name: each for each in found}, slow=True)
    raise TypeError(f"no handshakes are signed with a {type(key).__name__}")


def _ecdsa(key: ec.EllipticCurvePrivateKey, how: ec.ECDSA, digest: bytes) -> bytes:
    return key.sign(digest, how)


def _rsa(key: rsa.RSAPrivateKey, how: padding.AsymmetricPadding, hash_: Prehashed, digest: bytes) -> bytes:
    return key.sign(digest, how, hash_)
