"""What the shell of the portal's own machine may do about accounts: whoever has the data directory has the portal."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.exc import IntegrityError

from homeport.identity import store
from homeport.identity.access import Role
from homeport.identity.accounts import store as sql
from homeport.identity.actors import person
from homeport.identity.api_keys import ApiKeys
from homeport.identity.credentials import Passwords, new_password
from homeport.identity.models import User
from homeport.identity.onboarding import OnboardingStatus
from homeport.identity.problems import UserNotFound
from homeport.kit.clock import Clock
from homeport.kit.ids import new_id
from homeport.storage import Database

ADMINISTRATOR = "admin"
THIS_MACHINE = "The shell of this machine"


class OwnMachine:
    """Makes the first administrator, an API key for the shell, and new passwords."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        passwords: Passwords,
        api_keys: ApiKeys,
        *,
        rate: int,
        ended: Callable[[str, str], None],
    ) -> None:
        """`rate`: requests a minute that the shell may make; 0 is no limit."""
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._api_keys = api_keys
        self._rate = rate
        self._ended = ended

    async def ensure_administrator(self) -> str | None:
        """Make the administrator if there is none; the password, which exists nowhere else. None if there was one."""
        async with self._database.read() as db:
            if await store.has_administrator(db):
                return None
        password = new_password()
        hashed = await self._passwords.hash(password)
        now = self._clock.now()
        administrator = User(
            id=new_id("usr"),
            username=ADMINISTRATOR,
            email=None,
            name="Administrator",
            role=Role.SUPERADMIN,
            password_hash=hashed,
            created_at=now,
            updated_at=now,
        )
        try:
            async with self._database.write() as db:
                administrator.number = await store.next_number(db, "users")
                db.add(administrator)
                await store.set_onboarding_status(db, OnboardingStatus.COMPLETE, now)
        except IntegrityError:
            return None  # another process that started at the same moment was first
        return password

    async def admit(self, presented: str | None) -> str:
        """An API key for whoever runs the portal on its own machine: `presented` while it is good, else a new one.

        It stands for the first administrator; the keys it replaces are gone. Raises UserNotFound.
        """
        if presented and await self._api_keys.find(presented):
            return presented
        async with self._database.read() as db:
            user = await store.first_administrator(db)
        if user is None:
            raise UserNotFound("There is no administrator.")
        for key in await self._api_keys.list_for(user.id):
            if key.style == "machine":
                self._ended(await self._api_keys.delete(key.id, user.id), user.id)
        return (await self._api_keys.create(person(user), THIS_MACHINE, style="machine", rate=self._rate)).secret

    async def reset_password(self, login: str) -> str:
        """A new password for somebody, whose sessions, certificates and API keys end, the shell's own aside.

        Raises UserNotFound.
        """
        password = new_password()
        hashed = await self._passwords.hash(password)
        now = self._clock.now()
        async with self._database.write() as db:
            user = await store.find_user_by_login(db, login.lower())
            if user is None:
                raise UserNotFound(f"There is no user {login[:80]!r}.")
            await sql.set_columns(db, user.id, now, password_hash=hashed, password_changed_at=now)
            sessions = await store.delete_sessions_of(db, user.id)
            keys = await store.revoke_keys_of(db, user.id, now)
            certificates = await store.revoke_certificates_of(db, user.id, now)
        for credential_id in (*sessions, *keys, *certificates):
            self._ended(credential_id, user.id)
        return password
