"""SSH key pairs made here: the private key is shown once and is nowhere."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from homeport.identity.access import Actor, Verb, allowed
from homeport.identity.models import SshKey
from homeport.identity.problems import Forbidden, SshKeyNotFound, UserNotFound
from homeport.identity.second_factors import store as sql
from homeport.kit.clock import Clock
from homeport.kit.problems import Conflict
from homeport.storage import Database

KEYS_PER_USER = 50
RSA_BITS = 3072  # NIST SP 800-57: as strong as 128 bits
PARALLEL = 1  # an RSA key takes a core for a second or so


@dataclass(frozen=True)
class NewSshKey:
    """`private_key` is text in OpenSSH's own format, without a passphrase."""

    key: SshKey
    private_key: str

    def __repr__(self) -> str:
        return f"NewSshKey(key={self.key.id})"


class SshKeys:
    """Owns the table `ssh_keys`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._making = asyncio.Semaphore(PARALLEL)

    async def create(self, actor: Actor, name: str, key_type: str) -> NewSshKey:
        """`key_type` is ed25519 or rsa; `name` is one line and becomes the key's comment. Raises Conflict."""
        async with self._making:
            private_key, public_key = await asyncio.to_thread(_pair, key_type)
        key = SshKey(
            user_id=actor.id,
            name=name,
            key_type=key_type,
            public_key=f"{public_key} {name}",
            fingerprint=fingerprint(public_key),
            created_at=self._clock.now().replace(microsecond=0),
            last_used_at=None,
        )
        async with self._database.write() as db:
            if await sql.count_ssh_keys(db, actor.id) >= KEYS_PER_USER:
                raise Conflict(f"You have {KEYS_PER_USER} SSH keys already: delete one that you do not use.")
            db.add(key)
            await db.flush()
        return NewSshKey(key, private_key)

    async def list_for(self, user_id: str) -> Sequence[SshKey]:
        async with self._database.read() as db:
            return await sql.list_ssh_keys(db, user_id)

    async def get(self, actor: Actor, key_id: int) -> SshKey:
        """One's own, or for administrators anybody's. Raises SshKeyNotFound."""
        async with self._database.read() as db:
            key = await sql.find_ssh_key(db, key_id, None if _sees_all(actor) else actor.id)
        if key is None:
            raise SshKeyNotFound(f"There is no SSH key {key_id}.")
        return key

    async def delete(self, actor: Actor, key_id: int) -> None:
        """One's own. Raises SshKeyNotFound, for another person's key too."""
        async with self._database.write() as db:
            if not await sql.delete_ssh_key(db, key_id, actor.id):
                raise SshKeyNotFound(f"There is no SSH key {key_id}.")

    async def authorized(self, actor: Actor, user_ref: str | None) -> str:
        """The public keys, one a line (sshd(8), AUTHORIZED_KEYS FILE FORMAT).

        `user_ref` is a user's id or integer id: one's own, or for administrators anybody's. Raises Forbidden,
        UserNotFound.
        """
        user_id = actor.id
        if user_ref is not None and user_ref not in {actor.id, str(actor.number)}:
            if not _sees_all(actor):
                raise Forbidden("Only administrators see the SSH keys of others.")
            async with self._database.read() as db:
                user = await sql.find_user_by_ref(db, user_ref)
            if user is None:
                raise UserNotFound(f"There is no user {user_ref[:80]}.")
            user_id = user.id
        return "".join(f"{key.public_key}\n" for key in await self.list_for(user_id))


def fingerprint(public_key: str) -> str:
    """`SHA256:…` as `ssh-keygen -l` writes it, of a line such as `ssh-ed25519 AAAA…`."""
    blob = base64.b64decode(public_key.split()[1])
    return f"SHA256:{base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip('=')}"


def _sees_all(actor: Actor) -> bool:
    return actor.role.is_admin and allowed(actor, Verb.USERS_READ)


def _pair(key_type: str) -> tuple[str, str]:
    """Private and public key as text; blocks."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    key = (
        rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
        if key_type == "rsa"
        else ed25519.Ed25519PrivateKey.generate()
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), public.decode()
