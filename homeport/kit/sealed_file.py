"""One file sealed with a passphrase: written and read as a stream, each chunk authenticated, cut files found out.

The file: a line that says what it is, a line of JSON (how the key is made from the passphrase), then chunks. A chunk is
AES-256-GCM over at most `CHUNK` bytes; its nonce is its number and whether it is the last (STREAM, Hoang et al. 2015),
so that none can be left out, put elsewhere or cut off. The key is Argon2id's (RFC 9106), and this file's alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from binascii import Error as NotBase64
from dataclasses import dataclass
from typing import BinaryIO

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from homeport.kit.problems import Problem

MAGIC = b"homeport backup 1\n"
CHUNK = 1024 * 1024  # bytes
_TAG = 16
_SALT_BYTES = 16
_LONGEST_HEADER = 1024
# RFC 9106, section 4: the second recommended option, with 64 MiB. A header may ask for more, up to a limit.
_TIME, _MEMORY_KIB, _LANES = 3, 64 * 1024, 4
_MOST_TIME, _MOST_MEMORY_KIB, _MOST_LANES = 20, 1024 * 1024, 16


class NotSealed(Problem):
    """A file of another kind, or of a version that this one does not know."""

    code = "not_a_backup"
    status = 422


class PassphraseWrong(Problem):
    """The passphrase does not open the file."""

    code = "passphrase_wrong"
    status = 403


class FileDamaged(Problem):
    """A chunk is not as it was written, or the end is missing."""

    code = "file_damaged"
    status = 422


@dataclass(frozen=True)
class _Keys:
    chunks: AESGCM
    check: bytes


def _keys(passphrase: str, salt: bytes, time: int, memory: int, lanes: int) -> _Keys:
    """Takes a third of a second and `memory` KiB, on purpose."""
    raw = hash_secret_raw(passphrase.encode(), salt, time, memory, lanes, 64, Type.ID)
    return _Keys(AESGCM(raw[:32]), raw[32:])


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _check(keys: _Keys, header: dict[str, object]) -> str:
    said = json.dumps({name: header[name] for name in sorted(header) if name != "check"}).encode()
    return base64.b64encode(hmac.digest(keys.check, said, hashlib.sha256)).decode()


class SealedWriter:
    """`write` as to a file, then `finish`; holds one chunk in memory. Blocks. `file` stays open."""

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        self._file = file
        salt = secrets.token_bytes(_SALT_BYTES)
        keys = _keys(passphrase, salt, _TIME, _MEMORY_KIB, _LANES)
        header: dict[str, object] = {
            "kdf": "argon2id", "time": _TIME, "memory_kib": _MEMORY_KIB, "lanes": _LANES, "chunk": CHUNK,
            "salt": base64.b64encode(salt).decode(),
        }  # fmt: skip
        line = json.dumps({**header, "check": _check(keys, header)}).encode()
        self._key = keys.chunks
        self._bound = hashlib.sha256(MAGIC + line).digest()
        self._buffer = bytearray()
        self._number = 0
        file.write(MAGIC + line + b"\n")

    def write(self, data: bytes) -> int:
        self._buffer += data
        while len(self._buffer) > CHUNK:  # the last chunk is known by `finish` only, so one is always held back
            self._seal(bytes(self._buffer[:CHUNK]), last=False)
            del self._buffer[:CHUNK]
        return len(data)

    def finish(self) -> None:
        """Write the last chunk: without it the file counts as cut."""
        self._seal(bytes(self._buffer), last=True)
        self._buffer.clear()

    def _seal(self, plain: bytes, *, last: bool) -> None:
        self._file.write(self._key.encrypt(_nonce(self._number, last=last), plain, self._bound))
        self._number += 1


class SealedReader:
    """`read` as from a file; gives nothing that was not authenticated. Blocks.

    Raises NotSealed or PassphraseWrong when made, FileDamaged when read.
    """

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        self._file = file
        if file.read(len(MAGIC)) != MAGIC:
            raise NotSealed("This file is no backup of Homeport, or of a version that this one does not know.")
        line = file.readline(_LONGEST_HEADER).rstrip(b"\n")
        header, salt = _header(line)
        time, memory, lanes = (_number(header, name) for name in ("time", "memory_kib", "lanes"))
        self._size = _number(header, "chunk")
        if time > _MOST_TIME or memory > _MOST_MEMORY_KIB or lanes > _MOST_LANES or self._size > 64 * CHUNK:
            raise NotSealed("The head of this file asks for more than a backup of Homeport needs: it was changed.")
        keys = _keys(passphrase, salt, time, memory, lanes)
        if not hmac.compare_digest(_check(keys, header), str(header["check"])):
            raise PassphraseWrong("The passphrase is wrong (or the first lines of the file were changed).")
        self._key = keys.chunks
        self._bound = hashlib.sha256(MAGIC + line).digest()
        self._number = 0
        self._ended = False
        self._ahead = file.read(self._size + _TAG)
        self._ready = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, all that are left for -1; empty at the end. Raises FileDamaged."""
        parts: list[memoryview] = []
        wanted = size
        while size < 0 or wanted > 0:
            if not self._ready:
                if self._ended:
                    break
                self._ready = memoryview(self._open())
                continue
            part = self._ready if size < 0 else self._ready[:wanted]
            parts.append(part)
            wanted -= len(part)
            self._ready = self._ready[len(part) :]
        return b"".join(parts)

    def check(self) -> int:
        """Read all that is left and forget it; how many bytes. Raises FileDamaged."""
        total = 0
        while part := self.read(self._size):
            total += len(part)
        return total

    def _open(self) -> bytes:
        sealed, self._ahead = self._ahead, self._file.read(self._size + _TAG)
        self._ended = not self._ahead
        try:
            plain = self._key.decrypt(_nonce(self._number, last=self._ended), sealed, self._bound)
        except (InvalidTag, ValueError) as problem:
            at = self._number * (self._size + _TAG) / CHUNK
            raise FileDamaged(
                f"The file is damaged or cut: what lies {at:.0f} MB from its beginning is not as it was written."
            ) from problem
        self._number += 1
        return plain


def _header(line: bytes) -> tuple[dict[str, object], bytes]:
    try:
        header = json.loads(line)
        salt = base64.b64decode(header["salt"], validate=True)
        known = header["kdf"] == "argon2id" and isinstance(header["check"], str) and len(salt) >= 8
    except (ValueError, KeyError, TypeError, NotBase64):
        known = False
    if not known:
        raise NotSealed("The head of this file is not as it was written, or of a newer version.")
    return header, salt


def _number(header: dict[str, object], name: str) -> int:
    value = header.get(name)
    if not isinstance(value, int) or value < 1:
        raise NotSealed("The head of this file is not as it was written, or of a newer version.")
    return value
