"""Certificates of machines: agents, and what agents delegate (plugin-agents)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity import scopes
from homeport.identity.access import Actor
from homeport.identity.cache import LastUses
from homeport.identity.certificates import store
from homeport.identity.certificates.authority import ClientAuthority
from homeport.identity.certificates.bundles import Format, new_key, pack
from homeport.identity.certificates.issuing import (
    Issued,
    Order,
    checked_capabilities,
    checked_label,
    checked_sites,
    lasting,
    sign,
)
from homeport.identity.certificates.problems import CertificateNotFound, LabelTaken
from homeport.identity.certificates.signing_requests import key_of
from homeport.identity.models import ClientCertificate
from homeport.identity.problems import ScopeInsufficient
from homeport.kit.clock import Clock
from homeport.storage import Database

Ended = Callable[[str, str], None]  # a credential's id and its actor's: it is no more
Narrowed = Callable[[str], None]  # a credential's id: what it may do has changed

REMEMBERED = 10  # revoked certificates of one label: an agent may renew its own as often as it likes


class Agents:
    """Owns the rows of machines in `client_certificates`. A label has one certificate that is good."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        authority: ClientAuthority,
        uses: LastUses,
        ended: Ended,
        narrowed: Narrowed,
    ) -> None:
        self._database = database
        self._clock = clock
        self._authority = authority
        self._uses = uses
        self._ended = ended
        self._narrowed = narrowed

    async def issue(
        self,
        actor: Actor,
        label: str,
        *,
        capabilities: Sequence[str] | None,
        allowed_sites: Sequence[str] = (),
        form: Format = "p12",
        legacy: bool = False,
        days: int | None = None,
    ) -> Issued:
        """A certificate with a key made here, which is shown once. Raises ValidationFailed, LabelTaken."""
        order = Order(
            kind=store.AGENT,
            label=checked_label(label),
            within=checked_capabilities(actor, capabilities),
            method=form,
            lasts=lasting(days),
            allowed_sites=checked_sites(allowed_sites),
            created_by=actor.id,
        )
        key = new_key()
        issued = sign(self._authority, self._clock, key.public_key(), order)
        await self._keep(issued.row)
        name = f"Homeport {label}"
        bundle = pack(key, issued.certificate, self._authority.certificate, form, name=name, legacy=legacy)
        return Issued(issued.row, issued.certificate, bundle)

    async def list(self) -> Sequence[ClientCertificate]:
        """Every agent, revoked ones too, the newest first, each with its last use up to this moment."""
        async with self._database.read() as db:
            rows = await store.list_machines(db)
        for row in rows:
            row.last_used_at = self._uses.latest(row.id, row.last_used_at)
        return rows

    async def get(self, ref: str) -> ClientCertificate:
        """By label or id. Raises CertificateNotFound."""
        async with self._database.read() as db:
            return await _get(db, ref)

    async def revoke(self, ref: str) -> Sequence[str]:
        """Refused from now on, with all that it delegated, and what is open by them ends; the labels that are no more.
        Raises CertificateNotFound, also when it was revoked before."""
        now = self._clock.now()
        async with self._database.write() as db:
            row = await _get(db, ref)
            rows = [row, *await store.delegated(db, row.label)]
            gone = await store.revoke(db, [one.id for one in rows], now)
            await store.delete_tokens(db, row.label)
        if not gone:
            raise CertificateNotFound(f"The certificate of {row.label} was revoked before.")
        for credential_id in gone:
            self._ended(credential_id, credential_id)
        return [one.label for one in rows if one.id in gone]

    async def set_capabilities(self, actor: Actor, ref: str, capabilities: Sequence[str]) -> ClientCertificate:
        """From the next request on; what is open by it ends. Raises CertificateNotFound, ValidationFailed."""
        wanted = checked_capabilities(actor, capabilities)
        async with self._database.write() as db:
            row = await _good(db, ref)
            row.scopes = ",".join(wanted)
            affected = [row.id, *(one.id for one in await store.delegated(db, row.label))]
        for credential_id in affected:
            self._narrowed(credential_id)
        return row

    async def set_sites(self, ref: str, sites: Sequence[str]) -> ClientCertificate:
        """Raises CertificateNotFound, ValidationFailed."""
        async with self._database.write() as db:
            row = await _good(db, ref)
            row.allowed_sites = list(checked_sites(sites))
        self._narrowed(row.id)
        return row

    async def renew(self, actor: Actor, csr: str) -> Issued:
        """The agent's own next certificate, for a key of its own; the one in use is revoked.
        Raises ScopeInsufficient for who is no agent, CsrInvalid."""
        if actor.kind != "agent":
            raise ScopeInsufficient(actor.kind)
        key = key_of(csr)
        async with self._database.write() as db:
            old = await _good(db, actor.id)
            order = Order(
                kind=old.kind,
                label=old.label,
                within=scopes.read(old.scopes) or (),
                method="csr",
                allowed_sites=tuple(old.allowed_sites),
                delegated_by=old.delegated_by,
                created_by=old.created_by,
            )
            issued = sign(self._authority, self._clock, key, order)
            await store.revoke(db, [old.id], self._clock.now())
            await store.forget_replaced(db, old.label, REMEMBERED)
            await db.flush()
            db.add(issued.row)
        self._ended(old.id, old.id)
        return issued

    async def _keep(self, row: ClientCertificate) -> None:
        try:
            async with self._database.write() as db:
                await add_machine(db, row)
        except IntegrityError as problem:  # another one with this label came between
            raise _taken(row.label) from problem


async def add_machine(db: AsyncSession, row: ClientCertificate) -> None:
    """Raises LabelTaken."""
    if await store.has_machine(db, row.label, row.created_at):
        raise _taken(row.label)
    await store.retire_expired(db, row.label, row.created_at)
    await store.forget_replaced(db, row.label, REMEMBERED)
    db.add(row)
    await db.flush()


def _taken(label: str) -> LabelTaken:
    return LabelTaken(f"{label} has a certificate already: revoke that one first, or take another label.")


async def _get(db: AsyncSession, ref: str) -> ClientCertificate:
    row = await store.find_machine(db, ref)
    if row is None:
        raise CertificateNotFound(f"There is no agent {ref[:80]}.")
    return row


async def _good(db: AsyncSession, ref: str) -> ClientCertificate:
    row = await _get(db, ref)
    if row.revoked_at is not None:
        raise CertificateNotFound(f"The certificate of {row.label} was revoked.")
    return row
