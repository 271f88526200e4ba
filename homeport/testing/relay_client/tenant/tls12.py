"""A full handshake of TLS 1.2 as server (RFC 5246 section 7.3, RFC 8422)."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from homeport.testing.relay_client.tenant.exchange import X25519, KeyShare, Signer
from homeport.testing.relay_client.tenant.hello import Offer
from homeport.testing.relay_client.tenant.records import (
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    Gcm12,
    Records,
    TlsFault,
    message,
    vector,
)

ECDHE_ECDSA_AES_128_GCM_SHA256, ECDHE_RSA_AES_128_GCM_SHA256 = 0xC02B, 0xC02F


def prf(secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """P_SHA256 (RFC 5246 section 5)."""
    out, block = b"", label + seed
    while len(out) < length:
        block = hmac.digest(secret, block, "sha256")
        out += hmac.digest(secret, block + label + seed, "sha256")
    return out[:length]


def shake_hands(records: Records, offer: Offer, signer: Signer) -> None:
    """Afterwards `records` carry application data. Raises TlsFault."""
    by_curve = signer.scheme in (0x0403, 0x0503)
    cipher = ECDHE_ECDSA_AES_128_GCM_SHA256 if by_curve else ECDHE_RSA_AES_128_GCM_SHA256
    if cipher not in offer.ciphers or signer.scheme not in offer.schemes:
        raise TlsFault("no cipher or signature in common")
    share = KeyShare(offer.groups or (X25519,))
    random = secrets.token_bytes(32)
    extensions = b"\xff\x01\x00\x01\x00"  # secure renegotiation (RFC 5746), which never happens
    if "http/1.1" in offer.protocols:
        extensions += b"\x00\x10" + vector(2, vector(2, vector(1, b"http/1.1")))
    hello = message(2, b"\x03\x03" + random + b"\0" + cipher.to_bytes(2, "big") + b"\0" + vector(2, extensions))
    certificate = message(11, vector(3, b"".join(vector(3, one) for one in signer.chain)))
    parameters = b"\x03" + share.group.to_bytes(2, "big") + vector(1, share.public)
    signature = signer.sign(offer.random + random + parameters)
    exchange = message(12, parameters + signer.scheme.to_bytes(2, "big") + vector(2, signature))
    flight = hello + certificate + exchange + message(14, b"")
    records.write(HANDSHAKE, flight)

    answer = records.message(16)
    transcript = offer.raw + flight + answer
    secret = prf(share.secret(answer[5:]), b"master secret", offer.random + random, 48)
    keys = prf(secret, b"key expansion", random + offer.random, 40)
    records.change_cipher_spec()
    records.reading = Gcm12(keys[:16], keys[32:36])
    finished = records.message(20)
    if not hmac.compare_digest(finished[4:], _verify(secret, b"client finished", transcript)):
        raise TlsFault("the visitor's Finished does not fit")
    transcript += finished
    records.write(CHANGE_CIPHER_SPEC, b"\x01")
    records.writing = Gcm12(keys[16:32], keys[36:40])
    records.write(HANDSHAKE, message(20, _verify(secret, b"server finished", transcript)))


def _verify(secret: bytes, label: bytes, transcript: bytes) -> bytes:
    return prf(secret, label, hashlib.sha256(transcript).digest(), 12)
