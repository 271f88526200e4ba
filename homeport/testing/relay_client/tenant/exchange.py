"""Ephemeral keys, and who signs for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from homeport.testing.relay_client.tenant.records import TlsFault

X25519, P256 = 0x001D, 0x0017


class Signer(Protocol):
    """Holds a certificate's chain (DER, leaf first), and has signatures made by its key."""

    chain: list[bytes]
    scheme: int

    def sign(self, content: bytes, /) -> bytes:
        """By `scheme`."""
        ...


class KeyShare:
    """One ephemeral key of the first group that both sides know."""

    def __init__(self, offered: Sequence[int]) -> None:
        self._x25519: x25519.X25519PrivateKey | None = None
        self._p256: ec.EllipticCurvePrivateKey | None = None
        if X25519 in offered:
            self.group = X25519
            self._x25519 = x25519.X25519PrivateKey.generate()
            self.public = self._x25519.public_key().public_bytes_raw()
        elif P256 in offered:
            self.group = P256
            self._p256 = ec.generate_private_key(ec.SECP256R1())
            self.public = self._p256.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        else:
            raise TlsFault("no group in common")

    def secret(self, peer: bytes) -> bytes:
        """What both sides now know."""
        if self._x25519 is not None:
            return self._x25519.exchange(x25519.X25519PublicKey.from_public_bytes(peer))
        assert self._p256 is not None
        return self._p256.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), peer))
