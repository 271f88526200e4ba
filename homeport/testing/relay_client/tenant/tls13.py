"""A full handshake of TLS 1.3 as server (RFC 8446 section 2)."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from homeport.testing.relay_client.tenant.exchange import KeyShare, Signer
from homeport.testing.relay_client.tenant.hello import Offer
from homeport.testing.relay_client.tenant.records import (
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    Gcm13,
    Records,
    TlsFault,
    message,
    vector,
)

AES_128_GCM_SHA256 = 0x1301
_CONTEXT = b" " * 64 + b"TLS 1.3, server CertificateVerify\0"


def _extract(salt: bytes, secret: bytes) -> bytes:
    return hmac.digest(salt, secret, "sha256")


def expand_label(secret: bytes, label: str, context: bytes, length: int) -> bytes:
    """HKDF-Expand-Label for at most 32 bytes (RFC 8446 section 7.1)."""
    info = length.to_bytes(2, "big") + vector(1, b"tls13 " + label.encode()) + vector(1, context)
    return hmac.digest(secret, info + b"\x01", "sha256")[:length]


def _derive(secret: bytes, label: str, transcript: bytes) -> bytes:
    return expand_label(secret, label, hashlib.sha256(transcript).digest(), 32)


def _cipher(secret: bytes) -> Gcm13:
    return Gcm13(expand_label(secret, "key", b"", 16), expand_label(secret, "iv", b"", 12))


def _finished(secret: bytes, transcript: bytes) -> bytes:
    key = expand_label(secret, "finished", b"", 32)
    return message(20, hmac.digest(key, hashlib.sha256(transcript).digest(), "sha256"))


def shake_hands(records: Records, offer: Offer, signer: Signer) -> None:
    """Afterwards `records` carry application data. Raises TlsFault."""
    if AES_128_GCM_SHA256 not in offer.ciphers or signer.scheme not in offer.schemes:
        raise TlsFault("no cipher or signature in common")
    share = KeyShare(tuple(offer.shares))
    extensions = b"\x00\x2b" + vector(2, b"\x03\x04")
    extensions += b"\x00\x33" + vector(2, share.group.to_bytes(2, "big") + vector(2, share.public))
    body = b"\x03\x03" + secrets.token_bytes(32) + vector(1, offer.session)
    body += AES_128_GCM_SHA256.to_bytes(2, "big") + b"\0" + vector(2, extensions)
    hello = message(2, body)
    transcript = offer.raw + hello
    records.write(HANDSHAKE, hello)
    if offer.session:
        records.write(CHANGE_CIPHER_SPEC, b"\x01")  # for boxes in the middle: appendix D.4

    early = _extract(bytes(32), bytes(32))
    shared = _extract(_derive(early, "derived", b""), share.secret(offer.shares[share.group]))
    from_client = _derive(shared, "c hs traffic", transcript)
    from_server = _derive(shared, "s hs traffic", transcript)
    master = _extract(_derive(shared, "derived", b""), bytes(32))
    records.reading, records.writing = _cipher(from_client), _cipher(from_server)

    protocol = b"\x00\x10" + vector(2, vector(2, vector(1, b"http/1.1"))) if "http/1.1" in offer.protocols else b""
    flight = message(8, vector(2, protocol))
    entries = b"".join(vector(3, certificate) + b"\0\0" for certificate in signer.chain)
    flight += message(11, b"\0" + vector(3, entries))
    signature = signer.sign(_CONTEXT + hashlib.sha256(transcript + flight).digest())
    flight += message(15, signer.scheme.to_bytes(2, "big") + vector(2, signature))
    flight += _finished(from_server, transcript + flight)
    records.write(HANDSHAKE, flight)
    transcript += flight

    if not hmac.compare_digest(records.message(20), _finished(from_client, transcript)):
        raise TlsFault("the visitor's Finished does not fit")
    records.reading = _cipher(_derive(master, "c ap traffic", transcript))
    records.writing = _cipher(_derive(master, "s ap traffic", transcript))
