"""Secrets at rest: sealed with a key that lives in a file of its own, outside the database."""

from __future__ import annotations

import base64
import os
import secrets
from binascii import Error as NotBase64
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from homeport.kit.files import atomic_write
from homeport.kit.problems import Problem

KEY_FILE = "seal.key"
KEY_BYTES = 32
_NONCE_BYTES = 12  # NIST SP 800-38D 8.2.2: a random 96-bit nonce is good for 2^32 seals under one key
_VERSION = "hs1"


class SealBroken(Problem):
    """A sealed value that this portal's key does not open: another key, another context, or changed bytes."""

    code = "seal_broken"
    status = 500


class KeyUnreadable(Problem):
    """A key file that exists and does not hold a key."""

    code = "key_unreadable"
    status = 500


def key_lines(path: Path) -> list[str]:
    """The lines of a key file readable by its owner only; made with one random key if there is none. Blocks.

    A line is `<key id> <32 bytes in base64>`. The first one seals, the others still open: rotating puts a new line on
    top. Two processes that start together end with the same file.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(6)}.new")
        key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
        atomic_write(fresh, f"{secrets.token_hex(4)} {key}\n", mode=0o600)
        try:
            os.link(fresh, path)  # fails if the other process was first, and then its key is the one
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    path.chmod(0o600)
    return path.read_text().splitlines()


def load_keys(path: Path) -> dict[str, bytes]:
    """Key id to key, the sealing one first. Blocks. Raises KeyUnreadable."""
    keys: dict[str, bytes] = {}
    for line in key_lines(path):
        key_id, _, encoded = line.strip().partition(" ")
        try:
            key = base64.b64decode(encoded, validate=True)
        except NotBase64:
            key = b""
        if not key_id or len(key) != KEY_BYTES:
            raise KeyUnreadable(f"{path} does not hold keys: restore it from a backup.")
        keys[key_id] = key
    if not keys:
        raise KeyUnreadable(f"{path} is empty: restore it from a backup.")
    return keys


class Sealer:
    """AES-256-GCM. The token names its key; the context (whose value, which one) is bound to it but not stored."""

    def __init__(self, key_dir: Path) -> None:
        """Touches nothing yet: `key_dir/seal.key` is read, or made, by `load` or at the first use."""
        self._file = key_dir / KEY_FILE
        self._ring: dict[str, AESGCM] = {}

    def load(self) -> None:
        """Read the keys, or make the first one; blocks for that. Raises KeyUnreadable."""
        self._ring = {key_id: AESGCM(key) for key_id, key in load_keys(self._file).items()}

    @property
    def _keys(self) -> dict[str, AESGCM]:
        if not self._ring:
            self.load()
        return self._ring

    @property
    def _current(self) -> str:
        return next(iter(self._keys))

    def seal(self, value: bytes | str, context: str) -> str:
        """A token of letters, digits, dots, `-` and `_`: `hs1.<key id>.<nonce and ciphertext>`."""
        plain = value.encode() if isinstance(value, str) else value
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = self._keys[self._current].encrypt(nonce, plain, _bound(self._current, context))
        return f"{_VERSION}.{self._current}.{base64.urlsafe_b64encode(nonce + cipher).decode().rstrip('=')}"

    def open_bytes(self, token: str, context: str) -> bytes:
        """What was sealed under the same context. Raises SealBroken."""
        version, _, rest = token.partition(".")
        key_id, _, encoded = rest.partition(".")
        key = self._keys.get(key_id)
        if version != _VERSION or key is None:
            raise SealBroken("This value was sealed with a key that this portal does not have.")
        try:
            body = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
            return key.decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], _bound(key_id, context))
        except (InvalidTag, ValueError) as problem:
            raise SealBroken("This sealed value was changed, or belongs to something else.") from problem

    def open(self, token: str, context: str) -> str:
        """The text that was sealed under the same context. Raises SealBroken."""
        return self.open_bytes(token, context).decode()

    def is_current(self, token: str) -> bool:
        """False for a value sealed by an older key: seal it again when it is next written."""
        return token.startswith(f"{_VERSION}.{self._current}.")


def _bound(key_id: str, context: str) -> bytes:
    return f"{_VERSION}.{key_id}.{context}".encode()
