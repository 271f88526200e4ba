"""A wallet: a secp256k1 key, its address (EIP-55) and its signatures of texts (EIP-191)."""

from __future__ import annotations

import secrets

from coincurve import PrivateKey
from Crypto.Hash import keccak


def keccak256(data: bytes) -> bytes:
    """32 bytes, as Ethereum hashes."""
    return keccak.new(digest_bits=256, data=data).digest()


def address_of(public: bytes) -> str:
    """EIP-55, of an uncompressed public key."""
    digits = keccak256(public[1:])[-20:].hex()
    marks = keccak256(digits.encode()).hex()
    return "0x" + "".join(c.upper() if marks[at] > "7" else c for at, c in enumerate(digits))


class Wallet:
    """Signs with `key` (32 bytes; a fresh one if none is given)."""

    def __init__(self, key: bytes | None = None) -> None:
        self.key = key or secrets.token_bytes(32)
        self._private = PrivateKey(self.key)
        self.public_key = self._private.public_key.format().hex()
        self.address = address_of(self._private.public_key.format(compressed=False))

    @staticmethod
    def digest(text: str) -> bytes:
        """What is signed for a text."""
        raw = text.encode()
        return keccak256(b"\x19Ethereum Signed Message:\n" + str(len(raw)).encode() + raw)

    def sign(self, text: str) -> str:
        """0x and 65 bytes in hex: r, s, and 27 or 28."""
        raw = self.sign_digest(self.digest(text))
        return "0x" + (raw[:64] + bytes([raw[64] + 27])).hex()

    def sign_digest(self, digest: bytes) -> bytes:
        """65 bytes: r, s, and 0 to 3."""
        return self._private.sign_recoverable(digest, hasher=None)
