"""Passkeys (WebAuthn level 3): instead of a password, or beside one while TOTP is on."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.exc import IntegrityError

from homeport.identity import store
from homeport.identity.access import Actor
from homeport.identity.models import Passkey, User
from homeport.identity.passkeys.challenges import Challenges
from homeport.identity.passkeys.checks import (
    Party,
    check_registration,
    check_sign_in,
    registration_options,
    sign_in_options,
)
from homeport.identity.problems import InvalidPasskey, PasskeyNotFound
from homeport.identity.second_factors import store as sql
from homeport.kit.clock import Clock
from homeport.kit.ids import new_id
from homeport.kit.problems import Conflict, ValidationFailed
from homeport.storage import Database

PASSKEYS_PER_USER = 20
LONGEST_CREDENTIAL = 400  # characters of base64url
_ALONE, _BESIDE = "alone", "beside a password"
_TRANSPORTS = frozenset({"usb", "nfc", "ble", "smart-card", "internal", "hybrid", "cable"})


class Passkeys:
    """Owns the table `passkeys`.

    A passkey alone signs in only when its device has verified the person (PIN, finger, face): that is two factors, so
    no code is asked for. Beside a password the touch is enough.
    """

    def __init__(self, database: Database, clock: Clock, *, domain: str, base_url: Callable[[], str]) -> None:
        self._database = database
        self._clock = clock
        self._domain = domain
        self._base_url = base_url
        self._challenges = Challenges(clock)

    async def registration(self, user: User) -> dict[str, Any]:
        """The `publicKey` options for making one. Raises Conflict."""
        have = [passkey.credential for passkey in await self.list_for(user.id)]
        if len(have) >= PASSKEYS_PER_USER:
            raise Conflict(f"You have {PASSKEYS_PER_USER} passkeys already: delete one that you do not use.")
        challenge = self._challenges.new(_making(user.id))
        name = user.name
        return await asyncio.to_thread(registration_options, self._party, user.id, user.username, name, challenge, have)

    async def register(self, actor: Actor, name: str, credential: dict[str, Any]) -> Passkey:
        """Keep what `navigator.credentials.create()` gave. Raises ValidationFailed, Conflict, Unauthenticated."""
        challenge = self._challenges.take(credential["response"]["clientDataJSON"], _making(actor.id))
        if challenge is None:
            raise ValidationFailed({"credential": "answers no question of ours that is still open: begin anew"})
        try:
            made = await asyncio.to_thread(check_registration, self._party, credential, challenge)
        except InvalidPasskey as problem:
            raise ValidationFailed({"credential": problem.message}) from problem
        if len(made.credential) > LONGEST_CREDENTIAL:
            raise ValidationFailed({"credential": f"has an id of more than {LONGEST_CREDENTIAL} characters"})
        passkey = Passkey(
            id=new_id("pky"),
            user_id=actor.id,
            name=name,
            credential=made.credential,
            public_key=made.public_key,
            sign_count=made.sign_count,
            transports=[one for one in credential["response"].get("transports", ()) if one in _TRANSPORTS],
            created_at=self._clock.now().replace(microsecond=0),
            last_used_at=None,
        )
        try:
            async with self._database.write() as db:
                await store.hold_person(db, actor, self._clock.now())
                if await sql.count_passkeys(db, actor.id) >= PASSKEYS_PER_USER:
                    raise Conflict(f"You have {PASSKEYS_PER_USER} passkeys already: delete one that you do not use.")
                db.add(passkey)
        except IntegrityError as problem:
            raise Conflict("This passkey is known already.") from problem
        return passkey

    async def list_for(self, user_id: str) -> Sequence[Passkey]:
        """The newest first."""
        async with self._database.read() as db:
            return await sql.list_passkeys(db, user_id)

    async def delete(self, user_id: str, passkey_id: str) -> None:
        """One's own; it signs in no more. Raises PasskeyNotFound, for another person's too."""
        async with self._database.write() as db:
            if not await sql.delete_passkey(db, passkey_id, user_id):
                raise PasskeyNotFound(f"There is no passkey {passkey_id[:80]}.")

    async def question(self, *, beside_password: bool) -> dict[str, Any]:
        """The `publicKey` options for signing in; they tell nobody who has passkeys."""
        challenge = self._challenges.new(_BESIDE if beside_password else _ALONE)
        return await asyncio.to_thread(sign_in_options, self._party, challenge, verified=not beside_password)

    async def check(self, credential: dict[str, Any], *, beside_password_of: User | None = None) -> User:
        """Whose passkey answered a question of ours. Raises InvalidPasskey.

        `beside_password_of`: the person whose password was right; without one the device has to have verified them.
        """
        beside = beside_password_of is not None
        response = credential["response"]
        challenge = self._challenges.take(response["clientDataJSON"], _BESIDE if beside else _ALONE)
        if challenge is None:
            raise InvalidPasskey("This answers no question of ours that is still open: try again.")
        async with self._database.read() as db:
            found = await sql.find_passkey(db, credential["id"])
        if found is None or (beside_password_of is not None and found[1].id != beside_password_of.id):
            raise InvalidPasskey("This passkey is not known here.")
        passkey, user = found
        handle = response.get("userHandle")
        if handle and not _is_handle_of(handle, user.id):
            raise InvalidPasskey("This passkey is not known here.")
        before = passkey.sign_count
        after = await asyncio.to_thread(
            check_sign_in, self._party, credential, challenge, passkey.public_key, before, verified=not beside
        )
        async with self._database.write() as db:
            if not await sql.use_passkey(db, passkey.id, before, after, self._clock.now()):
                raise InvalidPasskey("This passkey was used elsewhere at the same moment: try again.")
        return user

    @property
    def _party(self) -> Party:
        return Party(self._domain, self._base_url().rstrip("/"))


def _making(user_id: str) -> str:
    return f"making one for {user_id}"


def _is_handle_of(handle: str, user_id: str) -> bool:
    """WebAuthn 7.2 step 6: the authenticator keeps the user's id beside a discoverable credential."""
    return handle.rstrip("=") == base64.urlsafe_b64encode(user_id.encode()).decode().rstrip("=")
