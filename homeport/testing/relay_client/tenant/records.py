"""TLS records: framing, and AES-128-GCM as 1.2 and 1.3 have it."""

from __future__ import annotations

import struct
from typing import Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from homeport.testing.relay_client.stream import ByteStream

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
LARGEST = 2**14


class TlsFault(Exception):
    """The peer broke a rule, or speaks nothing that is spoken here."""


class Cipher(Protocol):
    """One direction's keys and counter."""

    def seal(self, kind: int, plain: bytes, /) -> bytes:
        """A whole record."""
        ...

    def open(self, kind: int, header: bytes, body: bytes, /) -> tuple[int, bytes]:
        """The true kind and the content. Raises cryptography's InvalidTag."""
        ...


class Gcm13:
    """RFC 8446 section 5.2 and 5.3."""

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._aead = AESGCM(key)
        self._iv = int.from_bytes(iv, "big")
        self._sequence = 0

    def _nonce(self) -> bytes:
        nonce = (self._iv ^ self._sequence).to_bytes(12, "big")
        self._sequence += 1
        return nonce

    def seal(self, kind: int, plain: bytes) -> bytes:
        header = struct.pack(">BHH", APPLICATION_DATA, 0x0303, len(plain) + 17)
        return header + self._aead.encrypt(self._nonce(), plain + bytes([kind]), header)

    def open(self, kind: int, header: bytes, body: bytes) -> tuple[int, bytes]:
        if kind == CHANGE_CIPHER_SPEC:
            return kind, body
        plain = self._aead.decrypt(self._nonce(), body, header).rstrip(b"\0")
        return plain[-1], plain[:-1]


class Gcm12:
    """RFC 5288 section 3: four bytes of salt, eight in the record."""

    def __init__(self, key: bytes, salt: bytes) -> None:
        self._aead = AESGCM(key)
        self._salt = salt
        self._sequence = 0

    def _extra(self, kind: int, length: int) -> bytes:
        extra = struct.pack(">QBHH", self._sequence, kind, 0x0303, length)
        self._sequence += 1
        return extra

    def seal(self, kind: int, plain: bytes) -> bytes:
        explicit = self._sequence.to_bytes(8, "big")
        sealed = explicit + self._aead.encrypt(self._salt + explicit, plain, self._extra(kind, len(plain)))
        return struct.pack(">BHH", kind, 0x0303, len(sealed)) + sealed

    def open(self, kind: int, _header: bytes, body: bytes) -> tuple[int, bytes]:
        return kind, self._aead.decrypt(self._salt + body[:8], body[8:], self._extra(kind, len(body) - 24))


class Records:
    """Over a stream: what comes in, what goes out, each under its cipher once there is one."""

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self.reading: Cipher | None = None
        self.writing: Cipher | None = None
        self._seen = bytearray()
        self._messages = bytearray()

    def read(self) -> tuple[int, bytes] | None:
        """The next record's kind and content, None at the end of the stream between two records."""
        while len(self._seen) < 5 or len(self._seen) < 5 + int.from_bytes(self._seen[3:5], "big"):
            piece = self.stream.recv(65536)
            if not piece:
                if self._seen:
                    raise TlsFault("the stream ended within a record")
                return None
            self._seen += piece
        header = bytes(self._seen[:5])
        length = int.from_bytes(header[3:5], "big")
        if length > LARGEST + 2048:
            raise TlsFault("a record is too long")
        body = bytes(self._seen[5 : 5 + length])
        del self._seen[: 5 + length]
        return (header[0], body) if self.reading is None else self.reading.open(header[0], header, body)

    def message(self, expected: int) -> bytes:
        """The next handshake message with its header, over as many records as it came in."""
        while len(self._messages) < 4 or len(self._messages) < 4 + int.from_bytes(self._messages[1:4], "big"):
            record = self.read()
            if record is None:
                raise TlsFault("the visitor left during the handshake")
            kind, content = record
            if kind == ALERT:
                raise TlsFault(f"the visitor sent alert {content[1]}")
            if kind == HANDSHAKE:
                self._messages += content
            elif kind != CHANGE_CIPHER_SPEC:
                raise TlsFault(f"record {kind} during the handshake")
        end = 4 + int.from_bytes(self._messages[1:4], "big")
        taken = bytes(self._messages[:end])
        del self._messages[:end]
        if taken[0] != expected:
            raise TlsFault(f"message {taken[0]} where {expected} was due")
        return taken

    def change_cipher_spec(self) -> None:
        """Wait for it (TLS 1.2)."""
        record = self.read()
        if record is None or record[0] != CHANGE_CIPHER_SPEC or self._messages:
            raise TlsFault("no ChangeCipherSpec where it was due")

    def write(self, kind: int, content: bytes) -> None:
        """In as many records as it takes."""
        out = b""
        for at in range(0, len(content) or 1, LARGEST):
            piece = content[at : at + LARGEST]
            if self.writing is None:
                out += struct.pack(">BHH", kind, 0x0303, len(piece)) + piece
            else:
                out += self.writing.seal(kind, piece)
        self.stream.sendall(out)


def message(kind: int, body: bytes) -> bytes:
    """A handshake message."""
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def vector(width: int, body: bytes) -> bytes:
    """`body` behind its length in `width` bytes."""
    return len(body).to_bytes(width, "big") + body
