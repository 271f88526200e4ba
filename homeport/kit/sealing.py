"""Secrets at rest: each sealed with a data key of its own, which a key in a file outside the database wraps."""

from __future__ import annotations

import base64
import os
import secrets
from binascii import Error as NotBase64
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from homeport.kit.clock import SystemClock, parse_rfc3339, rfc3339
from homeport.kit.files import atomic_write
from homeport.kit.problems import Problem

KEY_FILE = "seal.key"
KEY_BYTES = 32
_NONCE_BYTES = 12  # NIST SP 800-38D 8.2.2: a random 96-bit nonce is good for 2^32 seals under one key
_VERSION = "hs2"
_FIRST_VERSION = "hs1"  # without a data key: sealed by the named key itself


class SealBroken(Problem):
    """A sealed value that this portal's key does not open: another key, another context, or changed bytes."""

    code = "seal_broken"
    status = 500


class KeyUnreadable(Problem):
    """A key file that exists and does not hold a key."""

    code = "key_unreadable"
    status = 500


@dataclass(frozen=True)
class Key:
    """One line of a key file; `made_at` is None where an older version made it."""

    id: str
    secret: bytes
    made_at: datetime | None = None

    def __repr__(self) -> str:
        return f"Key(id={self.id!r})"

    @property
    def line(self) -> str:
        made = f" {rfc3339(self.made_at)}" if self.made_at else ""
        return f"{self.id} {base64.b64encode(self.secret).decode()}{made}\n"


def fresh_key(made_at: datetime) -> Key:
    return Key(secrets.token_hex(4), secrets.token_bytes(KEY_BYTES), made_at)


def key_lines(path: Path) -> list[str]:
    """The lines of a key file readable by its owner only; made with one random key if there is none. Blocks.

    A line is `<key id> <32 bytes in base64>[ <made at>]`. The first one seals, the others still open: rotating puts a
    new line on top. Two processes that start together end with the same file.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(6)}.new")
        atomic_write(fresh, fresh_key(SystemClock().now()).line, mode=0o600)
        try:
            os.link(fresh, path)  # fails if the other process was first, and then its key is the one
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    path.chmod(0o600)
    return path.read_text().splitlines()


def read_keys(path: Path) -> list[Key]:
    """The keys of a file, the sealing one first. Blocks. Raises KeyUnreadable."""
    found = [_key(line, path) for line in key_lines(path)]
    if not found:
        raise KeyUnreadable(f"{path} is empty: restore it from a backup.")
    return found


def load_keys(path: Path) -> dict[str, bytes]:
    """Key id to key, the sealing one first. Blocks. Raises KeyUnreadable."""
    return {key.id: key.secret for key in read_keys(path)}


def write_keys(path: Path, keys: Sequence[Key]) -> None:
    """Replace the file, the sealing key first. On disk when this returns; a crash leaves the old file or the new."""
    if not keys:
        raise ValueError("a key file holds at least one key")
    atomic_write(path, "".join(key.line for key in keys), mode=0o600)


def key_id_of(token: str) -> str:
    """The id of the key that a sealed value needs; empty for what is no sealed value."""
    version, _, rest = token.partition(".")
    return rest.partition(".")[0] if version in {_VERSION, _FIRST_VERSION} else ""


def prefixes(key_id: str) -> tuple[str, ...]:
    """What the values begin with that need this key."""
    return (f"{_VERSION}.{key_id}.", f"{_FIRST_VERSION}.{key_id}.")


class Sealer:
    """AES-256-GCM. The token names its key; the context (whose value, which one) is bound to it but not stored.

    It follows its file: what the file names first seals, from the moment that the file was replaced. A key that the
    file names no more opens what it sealed until this process ends.
    """

    def __init__(self, key_dir: Path) -> None:
        """Touches nothing yet: `key_dir/seal.key` is read, or made, by `load` or at the first use."""
        self._file = key_dir / KEY_FILE
        self._ring: dict[str, AESGCM] = {}
        self._first = ""
        self._seen: tuple[int, int] | None = None

    def load(self) -> None:
        """Read the keys, or make the first one; blocks for that. Raises KeyUnreadable."""
        seen = _identity(self._file)  # before it is read: one that is replaced meanwhile is read again
        keys = load_keys(self._file)
        self._ring |= {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._first = next(iter(keys))
        self._seen = seen

    def key_ring(self) -> list[Key]:
        """The file's keys, the sealing one first. Blocks. Raises KeyUnreadable."""
        return read_keys(self._file)

    def add_key(self, made_at: datetime) -> Key:
        """A new key on top: it seals from now on. On disk when this returns; blocks for that."""
        key = fresh_key(made_at)
        write_keys(self._file, [key, *self.key_ring()])
        self.load()
        return key

    def drop_keys(self, ids: Collection[str]) -> None:
        """Take keys out of the file, never the sealing one. Blocks."""
        first, *others = self.key_ring()
        write_keys(self._file, [first, *(key for key in others if key.id not in ids)])
        self.load()

    @property
    def current(self) -> str:
        """The id of the key that seals."""
        self._follow()
        return self._first

    def seal(self, value: bytes | str, context: str) -> str:
        """`hs2.<key id>.<wrapped data key>.<nonce and ciphertext>`, of letters, digits, dots, `-` and `_`."""
        plain = value.encode() if isinstance(value, str) else value
        data_key, nonce = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(_NONCE_BYTES)
        body = nonce + AESGCM(data_key).encrypt(nonce, plain, _body_bound(context))
        return self._wrapped(data_key, context, _encoded(body))

    def open_bytes(self, token: str, context: str) -> bytes:
        """What was sealed under the same context. Raises SealBroken."""
        version, _, rest = token.partition(".")
        key_id, _, encoded = rest.partition(".")
        if version == _FIRST_VERSION:
            return _decrypted(self._key(version, key_id), encoded, _bound(version, key_id, context))
        wrapped, _, body = encoded.partition(".")
        data_key = _decrypted(self._key(version, key_id), wrapped, _bound(version, key_id, context))
        return _decrypted(AESGCM(data_key), body, _body_bound(context))

    def open(self, token: str, context: str) -> str:
        """The text that was sealed under the same context. Raises SealBroken."""
        return self.open_bytes(token, context).decode()

    def is_current(self, token: str) -> bool:
        """False for a value that needs an older key, or has no data key of its own yet: `rewrap` it."""
        return token.startswith(f"{_VERSION}.{self.current}.")

    def rewrap(self, token: str, context: str) -> str:
        """The same value under the current key: only its data key is wrapped anew. Raises SealBroken."""
        if self.is_current(token):
            return token
        version, _, rest = token.partition(".")
        if version == _FIRST_VERSION:
            return self.seal(self.open_bytes(token, context), context)
        key_id, _, encoded = rest.partition(".")
        wrapped, _, body = encoded.partition(".")
        data_key = _decrypted(self._key(version, key_id), wrapped, _bound(version, key_id, context))
        return self._wrapped(data_key, context, body)

    def _wrapped(self, data_key: bytes, context: str, body: str) -> str:
        key_id, nonce = self.current, secrets.token_bytes(_NONCE_BYTES)
        wrapped = self._ring[key_id].encrypt(nonce, data_key, _bound(_VERSION, key_id, context))
        return f"{_VERSION}.{key_id}.{_encoded(nonce + wrapped)}.{body}"

    def _key(self, version: str, key_id: str) -> AESGCM:
        if not self._ring:
            self.load()
        if version in {_VERSION, _FIRST_VERSION} and key_id not in self._ring:
            self._follow()
        if version not in {_VERSION, _FIRST_VERSION} or key_id not in self._ring:
            raise SealBroken("This value was sealed with a key that this portal does not have.")
        return self._ring[key_id]

    def _follow(self) -> None:
        """Look at the file (one stat), and read it when it was replaced."""
        there = _identity(self._file)
        if there is None and self._ring:
            raise KeyUnreadable(f"{self._file} is gone: restore it from a backup.")
        if there is None or self._seen != there:
            self.load()


def _identity(file: Path) -> tuple[int, int] | None:
    """What is another one's once a file was replaced; None where there is no file."""
    try:
        info = file.stat()
    except FileNotFoundError:
        return None
    return info.st_ino, info.st_mtime_ns


def _key(line: str, path: Path) -> Key:
    words = line.split()
    try:
        key = Key(words[0], base64.b64decode(words[1], validate=True), parse_rfc3339(words[2]) if words[2:] else None)
    except (IndexError, NotBase64, ValueError):
        key = Key("", b"")
    if len(key.secret) != KEY_BYTES:
        raise KeyUnreadable(f"{path} does not hold keys: restore it from a backup.")
    return key


def _bound(version: str, key_id: str, context: str) -> bytes:
    return f"{version}.{key_id}.{context}".encode()


def _body_bound(context: str) -> bytes:
    return f"{_VERSION}..{context}".encode()  # no key id, so that the body outlives the key that wraps


def _encoded(body: bytes) -> str:
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def _decrypted(key: AESGCM, encoded: str, bound: bytes) -> bytes:
    try:
        body = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        return key.decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], bound)
    except (InvalidTag, ValueError) as problem:
        raise SealBroken("This sealed value was changed, or belongs to something else.") from problem
