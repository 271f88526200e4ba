"""Who the agent is to relays: a name, and a key that is made once and never leaves this machine (relay B.1)."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from homeport.kit.files import atomic_write
from homeport.relay.agent.problems import IdentityBroken
from homeport.relay.identities import normal_name
from homeport.wire import ethereum

MOST_BYTES = 16 * 1024


@dataclass(frozen=True)
class AgentIdentity:
    """`name` is the tunnel's label, `address` the key's (EIP-55); `key` are its 32 bytes."""

    name: str
    address: str
    key: bytes = field(repr=False)

    def sign(self, message: str) -> str:
        """As a wallet signs a text (EIP-191)."""
        return ethereum.sign_message(self.key, message)


def new_identity(name: str) -> AgentIdentity:
    """With a fresh key, not kept anywhere."""
    key = ethereum.new_key()
    return AgentIdentity(normal_name(name), ethereum.address_of(key), key)


def load_or_create(path: Path, name: str) -> AgentIdentity:
    """The identity in `path`, or a new one that is there (0600) when this returns; two agents make one. Blocks.

    Raises IdentityBroken, InvalidRequest for a name that can be no host name.
    """
    wanted = normal_name(name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            atomic_write(path, to_json(new_identity(wanted)), mode=0o600)
    finally:
        os.close(lock)
    return _load(path, wanted)


def to_json(identity: AgentIdentity) -> str:
    """The file that clients of such relays keep (relay B.1)."""
    body = {
        "name": identity.name,
        "address": identity.address,
        "public_key": ethereum.public_key(identity.key).hex(),
        "private_key": identity.key.hex(),
    }
    return json.dumps(body, indent=2) + "\n"


def _load(path: Path, wanted: str) -> AgentIdentity:
    mend = f"Bring {path} back from a backup, or remove it to begin with a new identity."
    try:
        mode = path.stat().st_mode
        with path.open("rb") as file:
            body = json.loads(file.read(MOST_BYTES))
        name, address, key = str(body["name"]), str(body["address"]), bytes.fromhex(str(body["private_key"]))
        public = bytes.fromhex(str(body["public_key"]))
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise IdentityBroken(f"The identity cannot be read ({type(fault).__name__}: {fault}). {mend}") from None
    if mode & 0o077:
        raise IdentityBroken(f"Others may read the key in {path}: `chmod 600 {path}`, if you are sure nobody did.")
    try:
        fits = ethereum.address_of(key).lower() == address.lower() and ethereum.public_key(key) == public
    except ValueError:
        fits = False
    if not fits:
        raise IdentityBroken(f"The identity's key does not belong to its address. {mend}")
    if name != wanted:
        raise IdentityBroken(f"{path} is the identity of {name!r}, not of {wanted!r}. {mend}")
    return AgentIdentity(name, ethereum.checksum_address(address), key)
