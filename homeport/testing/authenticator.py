"""An authenticator in software (WebAuthn level 3, ES256): what a browser and a security key do together."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import encode_cbor

_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40  # flags of 6.1
_COSE_KEY_TYPE, _COSE_ALGORITHM, _COSE_CURVE, _COSE_X, _COSE_Y = 1, 3, -1, -2, -3
_EC2, _ES256, _P256 = 2, -7, 1


class Authenticator:
    """Holds one discoverable credential. `origin` is the page's; `verified` whether it sees a PIN, finger or face.

    `counter` goes up with every answer; a test that sets it back has copied the key.
    """

    def __init__(self, origin: str, *, verified: bool = True) -> None:
        self.origin = origin
        self.verified = verified
        self.counter = 0
        self._id = secrets.token_bytes(16)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._handle = b""

    def create(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to `navigator.credentials.create({publicKey: options})`, as `toJSON()` writes it."""
        self._handle = _decoded(options["user"]["id"])
        numbers = self._key.public_key().public_numbers()
        public_key = {
            _COSE_KEY_TYPE: _EC2,
            _COSE_ALGORITHM: _ES256,
            _COSE_CURVE: _P256,
            _COSE_X: numbers.x.to_bytes(32, "big"),
            _COSE_Y: numbers.y.to_bytes(32, "big"),
        }
        attested = bytes(16) + len(self._id).to_bytes(2, "big") + self._id + encode_cbor(public_key)
        data = self._data(str(options["rp"]["id"]), _ATTESTED) + attested
        response = {
            "clientDataJSON": _encoded(self._client_data("webauthn.create", str(options["challenge"]))),
            "attestationObject": _encoded(encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})),
            "transports": ["usb"],
        }
        return self._credential(response)

    def get(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to `navigator.credentials.get({publicKey: options})`."""
        client_data = self._client_data("webauthn.get", str(options["challenge"]))
        data = self._data(str(options["rpId"]))
        signature = self._key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": _encoded(client_data),
            "authenticatorData": _encoded(data),
            "signature": _encoded(signature),
            "userHandle": _encoded(self._handle),
        }
        return self._credential(response)

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        name = _encoded(self._id)
        return {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}

    def _data(self, domain: str, flags: int = 0) -> bytes:
        self.counter += 1
        flags |= _PRESENT | (_VERIFIED if self.verified else 0)
        return hashlib.sha256(domain.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4, "big")

    def _client_data(self, kind: str, challenge: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(said).encode()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
