"""Ethereum accounts, as wallets sign with them: addresses (EIP-55), signed messages (EIP-191), recovery (SEC 1 4.1.6).

Keys are 32 bytes, signatures 65: r, s (big-endian, 32 each), and one byte that says which of the possible keys it was.
"""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}\Z")


class InvalidAddress(ValueError):
    """Not 0x and 40 hex digits, or mixed case that is not EIP-55's."""


class InvalidSignature(ValueError):
    """No signature of any key."""


def keccak256(data: bytes) -> bytes:
    """32 bytes: Keccak as Ethereum uses it, which is not SHA-3."""
    from Crypto.Hash import keccak

    return keccak.new(digest_bits=256, data=data).digest()


def checksum_address(text: str) -> str:
    """The address in EIP-55's mixed case. All lower and all upper case are taken, mixed case only when it is right.

    Raises InvalidAddress.
    """
    text = text.strip()
    if not _ADDRESS.match(text):
        raise InvalidAddress("an address is 0x and 40 hex digits")
    digits = text[2:]
    lower = digits.lower()
    marks = keccak256(lower.encode()).hex()
    checked = "".join(c.upper() if int(mark, 16) >= 8 else c for c, mark in zip(lower, marks, strict=False))
    if digits not in (lower, digits.upper(), checked):
        raise InvalidAddress("the address is mistyped: its upper and lower case do not fit (EIP-55)")
    return f"0x{checked}"


def public_key(key: bytes) -> bytes:
    """The 33 bytes of the compressed public key. Raises ValueError for a key that is out of range."""
    from coincurve import PrivateKey

    return PrivateKey(key).public_key.format()


def address_of(key: bytes) -> str:
    """The address of a private key. Raises ValueError for a key that is out of range."""
    from coincurve import PrivateKey

    return _address(PrivateKey(key).public_key.format(compressed=False))


def new_key() -> bytes:
    """A fresh private key."""
    from coincurve import PrivateKey

    return PrivateKey().secret


def sign(key: bytes, digest: bytes) -> bytes:
    """65 bytes over a digest of 32, deterministic (RFC 6979) with low s; the last is 0 to 3."""
    from coincurve import PrivateKey

    return PrivateKey(key).sign_recoverable(digest, hasher=None)


def recover(digest: bytes, signature: bytes) -> str:
    """Who signed: the address. The last byte may count from 0 or from 27. Raises InvalidSignature."""
    from coincurve import PublicKey

    if len(signature) != 65 or len(digest) != 32 or not (0 <= signature[64] <= 3 or 27 <= signature[64] <= 30):
        raise InvalidSignature("a signature is 65 bytes: r, s and which key it was")
    plain = signature[:64] + bytes([signature[64] - 27 if signature[64] >= 27 else signature[64]])
    try:
        key = PublicKey.from_signature_and_message(plain, digest, hasher=None)
    except Exception as problem:  # libsecp256k1's binding raises bare Exceptions
        raise InvalidSignature("no key could have made this signature") from problem
    return _address(key.format(compressed=False))


def message_digest(message: bytes) -> bytes:
    """What a wallet signs for a text (EIP-191, version 0x45)."""
    return keccak256(b"\x19Ethereum Signed Message:\n%d" % len(message) + message)


def sign_message(key: bytes, message: str) -> str:
    """A wallet's signature of a text: 0x and 130 hex digits, the last byte 27 or 28."""
    signature = sign(key, message_digest(message.encode()))
    return f"0x{signature[:64].hex()}{signature[64] + 27:02x}"


def recover_message(message: str, signature: str) -> str:
    """The address of the wallet that signed a text; `signature` as `sign_message` writes it, or counting from 0.

    Raises InvalidSignature, whatever was given.
    """
    if not signature.startswith("0x") or not re.fullmatch(r"[0-9a-fA-F]{130}", signature[2:]):
        raise InvalidSignature("a signature is 0x and 130 hex digits")
    raw = bytes.fromhex(signature[2:])
    if raw[64] not in (0, 1, 27, 28):
        raise InvalidSignature("the last byte of a signature is 0, 1, 27 or 28")
    return recover(message_digest(message.encode()), raw)


def _address(uncompressed: bytes) -> str:
    return checksum_address(f"0x{keccak256(uncompressed[1:])[-20:].hex()}")
