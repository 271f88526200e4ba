"""People, as administrators manage them: who there is, roles, bans, new passwords, removal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity import scopes, store
from homeport.identity.access import ROLE_SCOPES, Actor, Role, covers
from homeport.identity.accounts import store as sql
from homeport.identity.credentials import Passwords, new_password
from homeport.identity.models import User
from homeport.identity.problems import LastSuperadmin, RoleTooHigh, UsernameTaken, UserNotFound
from homeport.identity.registration import store as invites_store
from homeport.kit.clock import Clock
from homeport.kit.ids import new_id
from homeport.kit.problems import Conflict, ValidationFailed
from homeport.storage import Database

LOOKED_UP = 10

log = structlog.get_logger()


def assignable(actor: Actor) -> list[Role]:
    """The roles that the actor may give, and whose people it may manage."""
    return [role for role in Role if actor.role is Role.SUPERADMIN or role.rank < actor.role.rank]


class Users:
    """Owns the table `users` but for what people change themselves and their second factors.

    Whoever manages somebody outranks them, or is a superadmin; nobody manages themselves here; one superadmin is
    always left. Nobody gives what they, or the credential that they use, may not do themselves.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        passwords: Passwords,
        *,
        ended: Callable[[str, str], None],
        changed: Callable[[str], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._ended = ended
        self._changed = changed

    async def page(self, *, search: str | None, page: int, per_page: int) -> tuple[Sequence[User], int]:
        """The oldest first, and how many match in name, user name, nickname or e-mail address."""
        async with self._database.read() as db:
            return await sql.list_users(db, search=search, page=page, per_page=per_page)

    async def absent(self, user_ids: Collection[str]) -> set[str]:
        """Which of these people are gone or banned."""
        async with self._database.read() as db:
            return set(user_ids) - await sql.present(db, user_ids)

    async def look_up(self, actor: Actor, prefix: str) -> Sequence[User]:
        """Ten people at most whose user name begins so; a customer's people find their own only."""
        if not prefix:
            return ()
        async with self._database.read() as db:
            return await sql.look_up(db, prefix.lower(), actor.customer_id, LOOKED_UP)

    async def create(
        self,
        actor: Actor,
        username: str,
        *,
        role: Role = Role.USER,
        password: str | None = None,
        name: str | None = None,
        email: str | None = None,
        given: tuple[str, ...] | None = None,
        customer_id: str | None = None,
    ) -> tuple[User, str | None]:
        """The person, and the password if none was given; `given` are scopes instead of those that the role brings.

        Raises RoleTooHigh, UsernameTaken, ValidationFailed.
        """
        check_gift(actor, role, given)
        made = None if password else new_password()
        now = self._clock.now()
        user = User(
            id=new_id("usr"),
            username=username,
            email=email.lower() if email else None,
            name=name or username,
            role=role,
            scopes=scopes.stored(given),
            customer_id=customer_id,
            password_hash=await self._passwords.hash(password or made or ""),
            password_changed_at=now,
            created_at=now,
            updated_at=now,
        )
        try:
            async with self._database.write() as db:
                if customer_id and await store.find_customer_with_plan(db, customer_id) is None:
                    raise ValidationFailed({"customer_id": f"there is no customer {customer_id[:80]!r}"})
                user.number = await store.next_number(db, "users")
                db.add(user)
        except IntegrityError:
            raise UsernameTaken(f"Somebody is called {username!r} already, or has that e-mail address.") from None
        return user, made

    async def set_role(self, actor: Actor, ref: str, role: Role, given: tuple[str, ...] | None) -> User:
        """Sessions end. Without `given` the role's own scopes count. API keys stay and can do no more than the person.

        Raises UserNotFound, RoleTooHigh, LastSuperadmin, Conflict.
        """
        check_gift(actor, role, given)
        async with self._database.write() as db:
            user = await self._managed(db, actor, ref, removes=role is not Role.SUPERADMIN)
            less = role.rank < Role(user.role).rank or not covers(
                _held(role, given), _held(Role(user.role), scopes.read(user.scopes))
            )
            now = self._clock.now()
            user.role, user.scopes, user.updated_at = role, scopes.stored(given), now
            sessions = await store.delete_sessions_of(db, user.id)
            if less:
                await invites_store.revoke_of(db, user.id, now)
        self._end(user, sessions)
        return user

    async def ban(self, actor: Actor, ref: str, reason: str | None) -> User:
        """No more sign-ins; sessions, API keys, certificates and invites of theirs end. Raises as `set_role`."""
        async with self._database.write() as db:
            user = await self._managed(db, actor, ref)
            now = self._clock.now()
            user.banned_at, user.ban_reason, user.updated_at = user.banned_at or now, reason, now
            ended = await self._take_credentials(db, user)
            await invites_store.revoke_of(db, user.id, now)
        self._end(user, ended)
        return user

    async def unban(self, actor: Actor, ref: str) -> User:
        """They may sign in again; what ended stays ended. Raises UserNotFound, RoleTooHigh, Conflict."""
        async with self._database.write() as db:
            user = await self._managed(db, actor, ref, removes=False)
            user.banned_at, user.ban_reason, user.updated_at = None, None, self._clock.now()
        self._changed(user.id)
        return user

    async def reset_password(self, actor: Actor, ref: str, password: str | None) -> tuple[User, str | None]:
        """Sessions, API keys and certificates end; the password if none was given.

        Raises UserNotFound, RoleTooHigh, Conflict.
        """
        made = None if password else new_password()
        hashed = await self._passwords.hash(password or made or "")
        async with self._database.write() as db:
            user = await self._managed(db, actor, ref, removes=False)
            check_gift(actor, Role(user.role), scopes.read(user.scopes))  # whoever sets it can be that person
            now = self._clock.now()
            user.password_hash, user.password_changed_at, user.updated_at = hashed, now, now
            ended = await self._take_credentials(db, user)
        self._end(user, ended)
        return user, made

    async def delete(self, actor: Actor, ref: str) -> User:
        """Gone, with everything that is theirs alone. Raises UserNotFound, RoleTooHigh, LastSuperadmin, Conflict."""
        try:
            async with self._database.write() as db:
                user = await self._managed(db, actor, ref)
                ended = await store.credentials_of(db, user.id)
                await invites_store.revoke_of(db, user.id, self._clock.now())
                await db.delete(user)
        except IntegrityError:
            raise Conflict("Something still belongs to this account: ban it instead, or remove that first.") from None
        self._end(user, ended)
        return user

    async def managed(self, actor: Actor, ref: str) -> User:
        """Somebody whom the actor may manage. Raises UserNotFound, RoleTooHigh, Conflict."""
        async with self._database.write() as db:
            return await self._managed(db, actor, ref, removes=False)

    async def _managed(self, db: AsyncSession, actor: Actor, ref: str, *, removes: bool = True) -> User:
        superadmins = await sql.hold_superadmins(db) if removes else set()
        user = await sql.find_user(db, ref, hold=True)
        if user is None:
            raise UserNotFound(f"There is no user {ref[:80]!r}.")
        check_management(actor, user, superadmins)
        return user

    async def _take_credentials(self, db: AsyncSession, user: User) -> Sequence[str]:
        now = self._clock.now()
        keys = await store.revoke_keys_of(db, user.id, now)
        certificates = await store.revoke_certificates_of(db, user.id, now)
        return [*await store.delete_sessions_of(db, user.id), *keys, *certificates]

    def _end(self, user: User, credentials: Iterable[str]) -> None:
        for credential_id in credentials:
            self._ended(credential_id, user.id)
        self._changed(user.id)


def check_management(actor: Actor, user: User, superadmins: Collection[str] = ()) -> None:
    """Whether the actor may manage somebody, who may not be the last of `superadmins` (ids, locked).

    Raises RoleTooHigh, LastSuperadmin, Conflict for oneself.
    """
    if user.id != actor.id and Role(user.role) not in assignable(actor):
        raise RoleTooHigh(f"{user.username} is {user.role} and you are {actor.role}: that is not yours to change.")
    if set(superadmins) == {user.id}:
        raise LastSuperadmin(user.username)
    if user.id == actor.id:
        raise Conflict("This is your own account: somebody else has to do that.")


def check_gift(actor: Actor, role: Role, given: tuple[str, ...] | None) -> None:
    """Whether the actor may give somebody this role and these scopes (None: the role's). Raises RoleTooHigh."""
    if role not in assignable(actor):
        raise RoleTooHigh(f"You are {actor.role} and cannot give the role {role}.")
    wanted = _held(role, given)
    missing = next((one for one in wanted if not (covers(actor.held, [one]) and covers(actor.within, [one]))), None)
    if missing is not None:
        raise RoleTooHigh(f"You cannot give the scope {missing}: you do not have it here yourself.")


def _held(role: Role, given: tuple[str, ...] | None) -> tuple[str, ...]:
    return ROLE_SCOPES[role] if given is None else given
