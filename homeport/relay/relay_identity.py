"""The relay's own wallet: its key signs lease tokens and descriptors, and losing it ends every token."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

from homeport.kit.files import atomic_write
from homeport.kit.problems import Problem
from homeport.wire.ethereum import address_of, new_key, public_key

FILE = Path("relay") / "identity.json"  # below the data directory, and so in every backup


class RelayIdentityUnreadable(Problem):
    """The file is there and does not hold a key that fits the address beside it."""

    code = "relay_identity_unreadable"


class RelayIdentity:
    """Made once, in `data_dir/relay/identity.json` (0600), when it is first asked for; seed 004's identity file.

    `await open()` first where there is time: reading is one small file, making it waits for the disk.
    """

    def __init__(self, data_dir: Path, name: str) -> None:
        self._file = data_dir / FILE
        self._name = name
        self._lock = threading.Lock()
        self._known: tuple[bytes, bytes, str] | None = None

    async def open(self) -> None:
        """Read the key, or make it. Raises RelayIdentityUnreadable, OSError."""
        if self._known is None:
            await asyncio.to_thread(self._read_or_make)

    @property
    def key(self) -> bytes:
        """The private key: 32 bytes."""
        return (self._known or self._read_or_make())[0]

    @property
    def public_key(self) -> bytes:
        """33 bytes, compressed."""
        return (self._known or self._read_or_make())[1]

    @property
    def address(self) -> str:
        """EIP-55."""
        return (self._known or self._read_or_make())[2]

    def _read_or_make(self) -> tuple[bytes, bytes, str]:
        with self._lock:
            if self._known is None:
                try:
                    self._known = self._read()
                except FileNotFoundError:
                    self._make()
                    self._known = self._read()
            return self._known

    def _read(self) -> tuple[bytes, bytes, str]:
        try:
            kept = json.loads(self._file.read_text())
            key = bytes.fromhex(kept["private_key"].removeprefix("0x"))
            known = key, public_key(key), address_of(key)
            fits = kept["address"].lower() == known[2].lower() and kept["public_key"].lower() == known[1].hex()
        except (ValueError, KeyError, TypeError, AttributeError):
            fits = False
        if not fits:
            raise RelayIdentityUnreadable(
                f"{self._file} does not hold the relay's key: put it back from a backup, or remove it for a new one."
            )
        return known

    def _make(self) -> None:
        key = new_key()
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = {
            "name": self._name, "address": address_of(key), "public_key": public_key(key).hex(),
            "private_key": key.hex(),
        }  # fmt: skip
        atomic_write(self._file, json.dumps(content, indent=2) + "\n", mode=0o600)
