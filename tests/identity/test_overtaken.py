"""What was let in and is then overtaken: a reset, a ban or a sign-out that comes before it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from homeport.identity import Actor, Identity, Role
from homeport.identity.problems import InvalidCredentials, Unauthenticated
from homeport.testing.authenticator import Authenticator
from homeport.testing.door import BASE_URL, Door


async def an_api_key(identity: Identity, actor: Actor) -> object:
    return await identity.api_keys.create(actor, "kept")


async def a_certificate(identity: Identity, actor: Actor) -> object:
    return await identity.certificates.own.issue(actor, "kept")


async def a_passkey(identity: Identity, actor: Actor) -> object:
    options = await identity.passkeys.registration(await identity.user_of(actor))
    return await identity.passkeys.register(actor, "kept", Authenticator(BASE_URL).create(options))


async def an_invite(identity: Identity, actor: Actor) -> object:
    return await identity.registration.invite(actor, "timed")


Making = Callable[[Identity, Actor], Awaitable[Any]]


async def somebody(door: Door, username: str) -> Actor:
    """Who has just been let in."""
    actor = await door.identity.sessions.find(await door.add_user(username, Role.ADMIN))
    assert actor is not None
    return actor


@pytest.mark.parametrize("make", [an_api_key, a_certificate, a_passkey, an_invite])
async def test_nothing_to_get_in_by_is_made_by_whoever_was_shut_out_meanwhile(door: Door, make: Making) -> None:
    identity = door.identity
    admin = await identity.sessions.find(await door.admin_token())
    assert admin is not None
    reset, banned, out = [await somebody(door, name) for name in ("reset", "banned", "out")]
    assert await make(identity, out)
    await identity.users.reset_password(admin, reset.id, None)
    await identity.users.ban(admin, banned.id, None)
    await identity.sign_out(out)
    for actor in (reset, banned, out):
        with pytest.raises(Unauthenticated):
            await make(identity, actor)


async def test_an_administrators_new_password_is_not_overtaken_by_the_old_ones_holder(door: Door) -> None:
    identity = door.identity
    admin = await identity.sessions.find(await door.admin_token())
    thief = await somebody(door, "anna")
    assert admin is not None
    changing = identity.accounts.change_password(thief, "anna", "the thief's own", address="192.0.2.9")
    resetting = identity.users.reset_password(admin, thief.id, "the owner's new one")
    changed, _ = await asyncio.gather(changing, resetting, return_exceptions=True)
    assert not isinstance(changed, BaseException) or isinstance(changed, InvalidCredentials | Unauthenticated)
    assert await door.sign_in("anna", "the owner's new one")
    with pytest.raises(InvalidCredentials):
        await door.sign_in("anna", "the thief's own")
