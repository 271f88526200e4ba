"""Signatures from afar: the relay's certificate key signs the tenant's handshakes, over TLS 1.3 that is kept open."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from homeport.testing.relay_client.answers import Answer, read_answer
from homeport.testing.relay_client.relay import Relay
from homeport.testing.relay_client.stream import TlsStream

SCHEMES = {0x0403: "ECDSA_SHA256", 0x0503: "ECDSA_SHA384", 0x0804: "RSA_PSS_SHA256", 0x0401: "RSA_PKCS1V15_SHA256"}


class SignRefused(Exception):
    """The relay did not sign."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status}: {answer.body[:200]!r}")
        self.answer = answer


class RemoteSigner:
    """Asks `relay` with the token of the moment. `chain` is what the relay itself shows, leaf first (DER)."""

    def __init__(self, relay: Relay, token: Callable[[], str], *, key_id: str = "relay-cert") -> None:
        self.relay = relay
        self.key_id = key_id
        self._token = token
        self._stream: TlsStream | None = None
        self._asking = threading.Lock()
        with self._asking:
            self.chain = [self._open().certificate]
        key = x509.load_der_x509_certificate(self.chain[0]).public_key()
        if isinstance(key, ec.EllipticCurvePublicKey):
            self.scheme = {256: 0x0403, 384: 0x0503}[key.curve.key_size]
        else:
            self.scheme = 0x0804

    def sign(self, content: bytes) -> bytes:
        """The signature of `content` by `scheme`. Raises SignRefused, OSError."""
        algorithm = SCHEMES[self.scheme]
        digest = (hashlib.sha384 if algorithm.endswith("384") else hashlib.sha256)(content).digest()
        answer = self.ask(algorithm=algorithm, digest=base64.b64encode(digest).decode())
        if answer.status != 200:
            raise SignRefused(answer)
        given = answer.json()
        if given["key_id"] != self.key_id or given["algorithm"] != algorithm:
            raise ValueError("the relay answered another question")
        return base64.b64decode(given["signature"], validate=True)

    def ask(
        self, *, fields: dict[str, str] | None = None, method: str = "POST", without: str = "", **members: object
    ) -> Answer:
        """Any question, `without` a member. On an open connection that died, once more on a new one."""
        question = {
            "key_id": self.key_id,
            "algorithm": SCHEMES[self.scheme],
            "digest": base64.b64encode(bytes(32)).decode(),
            "timestamp_unix": int(time.time()),
            "nonce": secrets.token_hex(16),
            **members,
        }
        body = json.dumps({name: value for name, value in question.items() if name != without}).encode()
        return self.ask_raw(body, fields=fields, method=method)

    def ask_raw(self, body: bytes, *, fields: dict[str, str] | None = None, method: str = "POST") -> Answer:
        """With a body as it is."""
        head = {
            "Host": self.relay.authority,
            "User-Agent": "Go-http-client/1.1",
            "Content-Length": str(len(body)),
            "Accept": "application/json",
            "Content-Type": "application/json",
            "X-Portal-Access-Token": self._token(),
            **(fields or {}),
        }
        lines = [f"{method} /v1/sign HTTP/1.1", *(f"{name}: {value}" for name, value in head.items() if value)]
        raw = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        with self._asking:
            kept = self._stream is not None
            try:
                return self._exchange(raw, method)
            except (OSError, EOFError):
                self._drop()
                if not kept:
                    raise
                return self._exchange(raw, method)

    def close(self) -> None:
        """Hang up."""
        with self._asking:
            self._drop()

    def _exchange(self, raw: bytes, method: str) -> Answer:
        stream = self._open()
        stream.sendall(raw)
        answer = read_answer(stream, method=method)
        if answer.fields.get("connection", "").lower() == "close":
            self._drop()
        return answer

    def _open(self) -> TlsStream:
        if self._stream is None:
            self._stream = self.relay.dial(least=ssl.TLSVersion.TLSv1_3)
        return self._stream

    def _drop(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
