"""An ACME account's key and what it signs (RFC 8555 section 6.2, RFC 7515, RFC 7638)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

_COORDINATE = 32  # bytes, P-256


def base64url(data: bytes) -> str:
    """Without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class AccountKey:
    """ECDSA on P-256, signing with ES256."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    @classmethod
    def new(cls) -> AccountKey:
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_pem(cls, pem: str) -> AccountKey:
        """Raises ValueError for anything but a P-256 key."""
        key = serialization.load_pem_private_key(pem.encode(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise ValueError("the account's key is not one of P-256")
        return cls(key)

    def pem(self) -> str:
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    @property
    def jwk(self) -> dict[str, str]:
        """The public key, its members in the order that the thumbprint wants."""
        numbers = self._key.public_key().public_numbers()
        x, y = (base64url(number.to_bytes(_COORDINATE)) for number in (numbers.x, numbers.y))
        return {"crv": "P-256", "kty": "EC", "x": x, "y": y}

    @property
    def thumbprint(self) -> str:
        text = json.dumps(self.jwk, separators=(",", ":"), sort_keys=True)
        return base64url(hashlib.sha256(text.encode()).digest())

    def authorization(self, token: str) -> str:
        """The key authorization of a challenge's token (RFC 8555 section 8.1)."""
        return f"{token}.{self.thumbprint}"

    def sign(self, payload: object | None, protected: Mapping[str, Any]) -> bytes:
        """Flattened JSON; None as payload is a POST-as-GET, which is not the same as `{}`."""
        head = base64url(json.dumps({"alg": "ES256", **protected}).encode())
        body = "" if payload is None else base64url(json.dumps(payload).encode())
        r, s = decode_dss_signature(self._key.sign(f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256())))
        signature = base64url(r.to_bytes(_COORDINATE) + s.to_bytes(_COORDINATE))
        return json.dumps({"protected": head, "payload": body, "signature": signature}).encode()


def bound(jwk: Mapping[str, str], url: str, key_id: str, secret: str) -> dict[str, str]:
    """An external account binding (RFC 8555 section 7.3.4): `secret` is in base64url, as authorities hand it out."""
    key = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
    head = base64url(json.dumps({"alg": "HS256", "kid": key_id, "url": url}).encode())
    body = base64url(json.dumps(jwk).encode())
    signature = base64url(hmac.digest(key, f"{head}.{body}".encode(), hashlib.sha256))
    return {"protected": head, "payload": body, "signature": signature}
