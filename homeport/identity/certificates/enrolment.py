"""Enrolment: a token, good once and for ten minutes, gets a machine a certificate for a key that never leaves it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError

from homeport.identity import scopes
from homeport.identity.access import Actor
from homeport.identity.certificates import store
from homeport.identity.certificates.agents import add_machine
from homeport.identity.certificates.authority import ClientAuthority
from homeport.identity.certificates.issuing import (
    LONGEST_NAME,
    Issued,
    Order,
    checked_capabilities,
    checked_label,
    sign,
)
from homeport.identity.certificates.problems import CertificateNotFound, EnrolmentRefused, LabelTaken
from homeport.identity.certificates.signing_requests import key_of
from homeport.identity.models import EnrolmentToken
from homeport.identity.problems import ScopeInsufficient
from homeport.kit.clock import Clock
from homeport.kit.problems import Conflict, ValidationFailed
from homeport.storage import Database

TOKEN_LASTS = timedelta(minutes=10)
DELEGATED = 50  # good certificates that one agent may have delegated
_LONGEST_TOKEN = 200


@dataclass(frozen=True)
class NewToken:
    """`token` is shown once; only its SHA-256 is kept."""

    token: str
    label: str
    expires_at: datetime


class Enrolment:
    """Owns the table `enrolment_tokens`."""

    def __init__(self, database: Database, clock: Clock, authority: ClientAuthority) -> None:
        self._database = database
        self._clock = clock
        self._authority = authority

    async def invite(self, actor: Actor, label: str, capabilities: Sequence[str] | None) -> NewToken:
        """A token for an agent; the label's earlier one is no longer good. Raises ValidationFailed, LabelTaken."""
        wanted = checked_capabilities(actor, capabilities)
        return await self._token(actor, checked_label(label), store.AGENT, wanted)

    async def delegate(self, actor: Actor, label: str, capabilities: Sequence[str] | None) -> NewToken:
        """An agent lets another program of its own have a certificate that does no more than its own.

        Raises ScopeInsufficient for who is no agent (nothing is delegated twice), ValidationFailed, LabelTaken,
        Conflict for one that has delegated enough.
        """
        kind, _, delegator = actor.name.partition(":")
        if actor.kind != "agent" or kind != store.AGENT:
            raise ScopeInsufficient(kind if actor.kind == "agent" else actor.kind)
        name = f"{store.PLUGIN_AGENT}:{delegator}:{checked_label(label)}"
        if len(name) > LONGEST_NAME:
            raise ValidationFailed({"label": f"is too long: with your own label it has {len(name)} characters, of 64"})
        wanted = actor.held if capabilities is None else checked_capabilities(actor, capabilities)
        return await self._token(actor, name, store.PLUGIN_AGENT, wanted, delegator)

    async def cancel(self, label: str) -> None:
        """The label's token is no longer good. Raises CertificateNotFound when there is none."""
        async with self._database.write() as db:
            await store.delete_old_tokens(db, self._clock.now())
            if not await store.delete_tokens(db, label):
                raise CertificateNotFound(f"Nobody is about to enrol as {label[:80]}.")

    async def enrol(self, token: str, csr: str) -> Issued:
        """A certificate for the request's key. The token is used up only when that succeeds.

        Raises EnrolmentRefused, CsrInvalid, LabelTaken.
        """
        now = self._clock.now()
        digest = hashlib.sha256(token.encode()).digest()
        async with self._database.read() as db:
            if len(token) > _LONGEST_TOKEN or await store.find_token(db, digest, now) is None:
                raise _refused()
        key = key_of(csr)
        try:
            async with self._database.write() as db:
                taken = await store.take_token(db, digest, now)
                if taken is None:
                    raise _refused()
                delegator = taken.delegated_by
                if delegator is not None and not await store.has_machine(db, delegator, now):
                    raise _refused()
                order = Order(
                    kind=taken.kind,
                    label=taken.label,
                    within=scopes.read(taken.scopes) or (),
                    method="csr",
                    delegated_by=delegator,
                    created_by=taken.created_by,
                )
                issued = sign(self._authority, self._clock, key, order)
                await add_machine(db, issued.row)
        except IntegrityError as problem:
            raise LabelTaken(f"{taken.label if taken else 'This label'} has a certificate already.") from problem
        return issued

    async def _token(
        self, actor: Actor, label: str, kind: str, within: tuple[str, ...], delegator: str | None = None
    ) -> NewToken:
        token, now = secrets.token_hex(32), self._clock.now().replace(microsecond=0)
        row = EnrolmentToken(
            sha256=hashlib.sha256(token.encode()).digest(),
            label=label,
            kind=kind,
            scopes=",".join(within),
            delegated_by=delegator,
            created_by=actor.id,
            created_at=now,
            expires_at=now + TOKEN_LASTS,
            used_at=None,
        )
        async with self._database.write() as db:
            if await store.has_machine(db, label, now):
                raise LabelTaken(f"{label} has a certificate already: revoke that one first, or take another label.")
            await store.delete_old_tokens(db, now)
            await store.delete_tokens(db, label)
            if delegator is not None and await store.count_delegated(db, delegator, now) >= DELEGATED:
                raise Conflict(f"{DELEGATED} certificates are delegated already: let an administrator revoke one.")
            db.add(row)
        return NewToken(token, label, row.expires_at)


def _refused() -> EnrolmentRefused:
    return EnrolmentRefused("This enrolment token is unknown, was used before, or is older than ten minutes.")
