"""The provider's public keys, as RFC 7517 writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jwt
from jwt import PyJWK

# RFC 7518 3.1 and RFC 8037, with what a key has to be for each. No `none`, and nothing symmetric: whoever knows a
# public key could sign with it.
ALGORITHMS: Mapping[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "PS384": ("RSA", None),
    "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", None),
}
MOST_KEYS = 100
LEAST_RSA_BITS = 2048


class KeySet:
    """What a `jwks_uri` answered. Keys that are not for signatures, too short or of an unknown kind are left out."""

    def __init__(self, document: Any) -> None:
        """Raises ValueError for what is no key set."""
        given = document.get("keys") if isinstance(document, Mapping) else None
        if not isinstance(given, Sequence) or isinstance(given, str) or len(given) > MOST_KEYS:
            raise ValueError("it is not a set of keys")
        self._keys = [key for key in given if isinstance(key, Mapping) and _signs(key)]

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        """The key with that id for that algorithm; without an id, the only one that fits."""
        kind, curve = ALGORITHMS[algorithm]
        fitting = [
            key
            for key in self._keys
            if key.get("kty") == kind
            and (curve is None or key.get("crv") == curve)
            and key.get("alg", algorithm) == algorithm
            and (key_id is None or key.get("kid") == key_id)
        ]
        if not fitting or (key_id is None and len(fitting) > 1):
            return None
        try:
            key = PyJWK(dict(fitting[0]), algorithm=algorithm)
        except (jwt.PyJWTError, ValueError, TypeError):
            return None
        bits = getattr(key.key, "key_size", LEAST_RSA_BITS)
        return None if kind == "RSA" and bits < LEAST_RSA_BITS else key


def _signs(key: Mapping[str, Any]) -> bool:
    return key.get("use", "sig") == "sig" and isinstance(key.get("kty"), str) and "d" not in key
