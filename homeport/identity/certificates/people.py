"""A person's own certificates: each stands for the person, with the role and scopes of that moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from homeport.identity import scopes
from homeport.identity import store as identity_store
from homeport.identity.access import Actor, Role, covers
from homeport.identity.cache import LastUses
from homeport.identity.certificates import store
from homeport.identity.certificates.agents import Ended
from homeport.identity.certificates.authority import LIFETIME, ClientAuthority
from homeport.identity.certificates.bundles import Format, new_key, pack
from homeport.identity.certificates.issuing import Issued, Order, checked_label, lasting, sign
from homeport.identity.certificates.problems import CertificateNotFound
from homeport.identity.certificates.signing_requests import key_of
from homeport.identity.models import ClientCertificate
from homeport.identity.problems import Forbidden
from homeport.kit.clock import Clock
from homeport.kit.problems import Conflict
from homeport.storage import Database

MOST = 20  # good ones that a person may have


class OwnCertificates:
    """Owns the rows of people in `client_certificates`."""

    def __init__(
        self, database: Database, clock: Clock, authority: ClientAuthority, uses: LastUses, ended: Ended
    ) -> None:
        self._database = database
        self._clock = clock
        self._authority = authority
        self._uses = uses
        self._ended = ended

    async def issue(
        self,
        actor: Actor,
        label: str,
        *,
        form: Format = "p12",
        legacy: bool = False,
        days: int | None = None,
        csr: str | None = None,
    ) -> Issued:
        """One that may do what its person may, within what it was made by; for the key of `csr`, if there is one.

        Raises ValidationFailed, CsrInvalid, Conflict.
        """
        label, lasts = checked_label(label), lasting(days)
        return await self._issue(actor, label, form, lasts, actor.within, legacy=legacy, csr=csr)

    async def rotate(
        self,
        actor: Actor,
        ref: str | None,
        *,
        form: Format = "p12",
        legacy: bool = False,
        csr: str | None = None,
        label: str = "browser",
    ) -> tuple[Issued, str | None]:
        """A new one in place of `ref` (None: of the one in use, else the newest), which is refused from now on; its id.

        Whoever has none yet gets a first one, called `label`. Raises CertificateNotFound for a `ref` that is unknown.
        """
        now = self._clock.now()
        async with self._database.read() as db:
            rows = [row for row in await store.list_of_person(db, actor.id) if _is_good(row, now)]
        wanted = ref or actor.credential_id
        old = next((row for row in rows if row.id == wanted), None)
        if old is None and ref is not None:
            raise CertificateNotFound(f"You have no certificate {ref[:80]}.")
        old = old or (rows[0] if rows else None)
        if old is None:
            first = await self._issue(actor, checked_label(label), form, LIFETIME, actor.within, legacy=legacy, csr=csr)
            return first, None
        held = scopes.read(old.scopes) or ()
        within = held if covers(actor.within, held) else actor.within
        issued = await self._issue(actor, old.label, form, LIFETIME, within, legacy=legacy, csr=csr, replaces=old)
        self._ended(old.id, actor.id)
        return issued, old.id

    async def list_for(self, user_id: str) -> Sequence[ClientCertificate]:
        """The person's, revoked ones too, the newest first, each with its last use up to this moment."""
        async with self._database.read() as db:
            rows = await store.list_of_person(db, user_id)
        for row in rows:
            row.last_used_at = self._uses.latest(row.id, row.last_used_at)
        return rows

    async def revoke(self, ref: str, user_id: str) -> None:
        """Refused from now on, and what is open by it ends. Raises CertificateNotFound, for another person's too."""
        async with self._database.write() as db:
            row = await store.find_of_person(db, ref, user_id)
            if row is None or not await store.revoke(db, [row.id], self._clock.now()):
                raise CertificateNotFound(f"You have no certificate {ref[:80]} that is good.")
        self._ended(row.id, user_id)

    async def list_all(self) -> Sequence[tuple[ClientCertificate, str]]:
        """Everybody's, each with its person's user name, the newest first."""
        async with self._database.read() as db:
            found = await store.list_of_people(db)
        for row, _ in found:
            row.last_used_at = self._uses.latest(row.id, row.last_used_at)
        return [(row, user.username) for row, user in found]

    async def revoke_anybodys(self, actor: Actor, ref: str) -> ClientCertificate | None:
        """Another person's, by whoever outranks them, or one's own; None when no person has a certificate `ref`.

        Raises CertificateNotFound for one that was revoked before, Forbidden.
        """
        async with self._database.read() as db:
            found = await store.find_of_anybody(db, ref)
        if found is None:
            return None
        row, user = found
        if user.id != actor.id and Role(user.role).rank >= actor.role.rank and actor.role is not Role.SUPERADMIN:
            raise Forbidden(f"You may not do this: {user.username} has the role {user.role}, as high as yours.")
        await self.revoke(row.id, user.id)
        return row

    async def _issue(
        self,
        actor: Actor,
        label: str,
        form: Format,
        lasts: timedelta,
        within: tuple[str, ...],
        *,
        legacy: bool,
        csr: str | None,
        replaces: ClientCertificate | None = None,
    ) -> Issued:
        order = Order(
            kind=store.PERSON,
            label=label,
            within=within,
            method="csr" if csr else form,
            lasts=lasts,
            user_id=actor.id,
            unit=actor.name,
            created_by=actor.id,
            until=actor.expires_at if actor.kind == "key" else None,
        )
        key, now = None if csr else new_key(), self._clock.now()
        public = key.public_key() if key else key_of(csr or "")
        issued = sign(self._authority, self._clock, public, order)
        async with self._database.write() as db:
            await identity_store.hold_person(db, actor, now)
            if replaces is not None:
                await store.revoke(db, [replaces.id], now)
            elif sum(_is_good(row, now) for row in await store.list_of_person(db, actor.id)) >= MOST:
                raise Conflict(f"You have {MOST} certificates already: revoke one that you do not use.")
            db.add(issued.row)
        if key is None:
            return issued
        name = f"Homeport {actor.name} {label}"
        bundle = pack(key, issued.certificate, self._authority.certificate, form, name=name, legacy=legacy)
        return Issued(issued.row, issued.certificate, bundle)


def _is_good(row: ClientCertificate, now: datetime) -> bool:
    return row.revoked_at is None and row.expires_at > now
