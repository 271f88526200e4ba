"""Passwords: hashed with Argon2id off the event loop, a bounded number at a time."""

from __future__ import annotations

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

# OWASP's Argon2id minimum: 19 MiB and two passes, about 25 ms. Two at a time keep a small machine below 40 MiB.
MEMORY_KIB = 19 * 1024
PASSES = 2
PARALLEL = 2
LONGEST = 1024  # characters; longer input is refused before it costs anything

_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


def new_password() -> str:
    """Four groups of five letters that cannot be mistaken for each other: 100 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(4))


class Passwords:
    """Hashes and checks. A check of an unknown account costs the same as one of a known account."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1)
        self._slots = asyncio.Semaphore(PARALLEL)
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        """A PHC string."""
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether `password` has the hash `stored`; None: there is no such account, empty: it has no password."""
        if len(password) > LONGEST:
            return False
        if not stored and self._decoy is None:
            self._decoy = await self.hash(secrets.token_urlsafe())
        async with self._slots:
            matches = await asyncio.to_thread(self._matches, password, stored or self._decoy or "")
        return matches and bool(stored)

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash was made with other costs than today's."""
        return self._hasher.check_needs_rehash(stored)

    def _matches(self, password: str, stored: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerifyMismatchError, InvalidHashError):
            return False
