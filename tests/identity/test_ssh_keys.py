"""SSH key pairs, as seed 002 has them; the real ssh-keygen reads what is made."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from homeport.identity import Role
from homeport.identity.ssh_keys import KEYS_PER_USER
from homeport.testing.door import Door

SSH_KEYGEN = shutil.which("ssh-keygen")
real = pytest.mark.skipif(SSH_KEYGEN is None, reason="ssh-keygen is not installed (Debian package openssh-client)")


# P066 POST /api/ssh-keys
async def test_a_new_pair_is_ed25519_and_its_private_key_is_shown_once(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        answer = await client.post("/api/ssh-keys", json={"name": "my-key"})
        made = answer.json()
        listed = await client.get("/api/ssh-keys")
        one = await client.get(f"/api/ssh-keys/{made['id']}")
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert isinstance(made["id"], int)
    assert made["name"] == "my-key"
    assert made["public_key"].startswith("ssh-ed25519 AAAA")
    assert made["public_key"].endswith(" my-key")
    assert made["private_key"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert made["fingerprint"].startswith("SHA256:")
    assert "PRIVATE" not in listed.text + one.text


# P066
async def test_an_rsa_key_has_3072_bits_or_more(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        made = (await client.post("/api/ssh-keys", json={"name": "old-box", "key_type": "rsa"})).json()
    assert made["public_key"].startswith("ssh-rsa AAAA")
    key = load_ssh_private_key(made["private_key"].encode(), None)
    assert isinstance(key, RSAPrivateKey)
    assert key.key_size >= 3072


# P066
@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": "x", "key_type": "dsa"}, {"name": "x\nssh-ed25519 AAAA"}, {"name": "x\x00"}]
)
async def test_a_name_of_one_line_and_a_known_type_are_needed(door: Door, body: dict[str, str]) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        answer = await client.post("/api/ssh-keys", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
        assert (await client.get("/api/ssh-keys")).json() == {"keys": []}


# P067 GET /api/ssh-keys
async def test_the_list_has_the_persons_own_public_keys(door: Door) -> None:
    async with (
        door.client(await door.add_user("ann", Role.USER)) as ann,
        door.client(await door.add_user("bob", Role.USER)) as bob,
    ):
        made = (await ann.post("/api/ssh-keys", json={"name": "mine"})).json()
        rows = (await ann.get("/api/ssh-keys")).json()["keys"]
        assert (await bob.get("/api/ssh-keys")).json() == {"keys": []}
    assert rows == [
        {
            "id": made["id"],
            "name": "mine",
            "key_type": "ed25519",
            "public_key": made["public_key"],
            "fingerprint": made["fingerprint"],
            "created_at": "2026-03-29T10:00:00Z",
            "last_used_at": None,
        }
    ]


# P068 GET /api/ssh-keys/{id}
async def test_one_key_is_its_owners_and_the_administrators_to_read(door: Door) -> None:
    async with (
        door.client(await door.add_user("ann", Role.USER)) as ann,
        door.client(await door.add_user("bob", Role.MODERATOR)) as bob,
        door.client(await door.add_user("eve", Role.ADMIN, "cust_1")) as eve,
        door.client(await door.admin_token()) as admin,
    ):
        path = f"/api/ssh-keys/{(await ann.post('/api/ssh-keys', json={'name': 'mine'})).json()['id']}"
        assert (await ann.get(path)).json()["name"] == "mine"
        assert (await admin.get(path)).json()["name"] == "mine"
        for stranger in (bob, eve):
            answer = await stranger.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "ssh_key_not_found")
        assert (await ann.get("/api/ssh-keys/999999")).status_code == 404
        assert (await ann.get("/api/ssh-keys/99999999999999999999")).status_code == 400


# P069 DELETE /api/ssh-keys/{id}
async def test_a_key_is_deleted_by_its_owner_only_and_its_id_never_given_again(door: Door) -> None:
    async with (
        door.client(await door.add_user("ann", Role.USER)) as ann,
        door.client(await door.admin_token()) as admin,
    ):
        key_id = (await ann.post("/api/ssh-keys", json={"name": "mine"})).json()["id"]
        assert (await admin.delete(f"/api/ssh-keys/{key_id}")).status_code == 404
        gone = await ann.delete(f"/api/ssh-keys/{key_id}")
        again = await ann.delete(f"/api/ssh-keys/{key_id}")
        assert (gone.status_code, gone.json()) == (200, {"status": "deleted"})
        assert again.status_code == 404
        assert (await ann.post("/api/ssh-keys", json={"name": "mine"})).json()["id"] > key_id


# P070 GET /api/ssh-keys/authorized
async def test_authorized_keys_are_text_with_a_key_a_line(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        empty = await client.get("/api/ssh-keys/authorized")
        made = [(await client.post("/api/ssh-keys", json={"name": name})).json() for name in ("one", "two")]
        answer = await client.get("/api/ssh-keys/authorized")
    assert empty.text == ""
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == f"{made[0]['public_key']}\n{made[1]['public_key']}\n"


# P070
async def test_administrators_read_the_authorized_keys_of_others_and_nobody_else_does(door: Door) -> None:
    async with (
        door.client(await door.add_user("ann", Role.USER)) as ann,
        door.client(await door.add_user("bob", Role.USER)) as bob,
        door.client(await door.admin_token()) as admin,
    ):
        made = (await ann.post("/api/ssh-keys", json={"name": "mine"})).json()
        me = await door.identity.sessions.find(ann.headers["authorization"].removeprefix("Bearer "))
        assert me is not None
        path = f"/api/ssh-keys/authorized?user_id={me.number}"
        assert (await admin.get(path)).text == f"{made['public_key']}\n"
        assert (await ann.get(path)).text == f"{made['public_key']}\n"
        refused = await bob.get(path)
        missing = await admin.get("/api/ssh-keys/authorized?user_id=999999")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert (missing.status_code, missing.json()["code"]) == (404, "user_not_found")


async def test_nobody_has_more_than_fifty(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        names = [f"key-{n}" for n in range(KEYS_PER_USER)]
        made = await asyncio.gather(*(client.post("/api/ssh-keys", json={"name": name}) for name in names))
        assert {answer.status_code for answer in made} == {201}
        answer = await client.post("/api/ssh-keys", json={"name": "one-more"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


@real
@pytest.mark.parametrize("key_type", ["ed25519", "rsa"])
async def test_ssh_keygen_reads_the_private_key_and_sees_the_same_fingerprint(
    door: Door, tmp_path: Path, key_type: str
) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        made = (await client.post("/api/ssh-keys", json={"name": "my-key", "key_type": key_type})).json()
    private, public = tmp_path / "id", tmp_path / "id.shown"
    private.touch(mode=0o600)
    private.write_text(made["private_key"])
    public.write_text(made["public_key"])
    derived = await keygen("-y", "-f", private)
    printed = await keygen("-l", "-f", public)
    assert derived.split()[:2] == made["public_key"].split()[:2]
    bits, fingerprint, comment, _ = printed.split()
    assert (fingerprint, comment) == (made["fingerprint"], "my-key")
    assert bits == ("256" if key_type == "ed25519" else "3072")


async def keygen(*words: str | os.PathLike[str]) -> str:
    """What the real ssh-keygen prints."""
    done = await asyncio.to_thread(
        subprocess.run, [str(SSH_KEYGEN), *words], capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout
