"""Whom the client certificate of a request stands for: nobody, unless everything about it is known and good."""

from __future__ import annotations

import hmac
from typing import cast

from starlette.requests import HTTPConnection

from homeport.identity import scopes
from homeport.identity.access import EVERYTHING, Actor, Role
from homeport.identity.actors import person
from homeport.identity.cache import CredentialCache, LastUses
from homeport.identity.certificates import store
from homeport.identity.certificates.peer import Door, Shown
from homeport.identity.models import ClientCertificate, User
from homeport.identity.problems import CertificateRequired, CertificateRevoked
from homeport.kit.clock import Clock
from homeport.storage import Database

ADMITTED = "homeport.certificate"  # where the actor lies in the ASGI scope, once asked for
_CACHED = "crt:"


class Admission:
    """The first two gates of spec/host.md A.0. One query at most, none for a certificate that was just used."""

    def __init__(self, database: Database, clock: Clock, cache: CredentialCache, uses: LastUses, door: Door) -> None:
        self._database = database
        self._clock = clock
        self._cache = cache
        self._uses = uses
        self._door = door

    async def admit(self, connection: HTTPConnection) -> Actor | None:
        """Whom the certificate stands for; None where none is asked for.

        Raises CertificateRequired (none, or one that is unknown here, expired, or of somebody who is banned) and
        CertificateRevoked.
        """
        if not self._door.asks(connection):
            return None
        if (known := cast(Actor | None, connection.scope.get(ADMITTED))) is not None:
            return known
        shown = self._door.shown(connection)
        if shown is None:
            raise CertificateRequired
        actor = await self._actor_of(shown)
        connection.scope[ADMITTED] = actor
        return actor

    async def _actor_of(self, shown: Shown) -> Actor:
        lookup, now = _CACHED + shown.serial, self._clock.now()
        known = self._cache.find(lookup)
        if known is None:
            generation = self._cache.generation
            async with self._database.read() as db:
                found = await store.find_by_serial(db, shown.serial, now)
            if found is None:
                raise CertificateRequired
            certificate, user, delegator = found
            if not _fits(shown, _proof(certificate)):
                raise CertificateRequired
            if certificate.revoked_at is not None:
                raise CertificateRevoked
            actor = _actor(certificate, user, delegator)
            if actor is None:
                raise CertificateRequired
            known = self._cache.remember(lookup, actor, _proof(certificate), generation)
        elif not _fits(shown, known.proof):
            raise CertificateRequired
        actor = known.actor
        if actor.expires_at is None or actor.expires_at <= now:
            raise CertificateRequired
        self._uses.note(str(actor.credential_id), now)
        return actor


def common_name_of(kind: str, label: str) -> str:
    """The CN of what we issue: it says the kind, and nothing else is inferred from it."""
    return label if kind == store.PLUGIN_AGENT else f"{kind}:{label}"


def _proof(certificate: ClientCertificate) -> bytes:
    """The fingerprint (32 bytes), then the common name."""
    name = common_name_of(certificate.kind, certificate.label)
    return bytes.fromhex(certificate.fingerprint_sha256) + name.encode()


def _fits(shown: Shown, proof: bytes) -> bool:
    if shown.fingerprint is not None:
        return hmac.compare_digest(shown.fingerprint, proof[:32])
    return shown.common_name is not None and hmac.compare_digest(shown.common_name.encode(), proof[32:])


def _actor(certificate: ClientCertificate, user: User | None, delegator: ClientCertificate | None) -> Actor | None:
    """None for a person who is gone or banned, an agent whose delegator is no more, and a kind that there is not."""
    capabilities = scopes.read(certificate.scopes) or ()
    if certificate.kind == store.PERSON:
        if user is None or user.banned_at is not None:
            return None
        return person(user, credential_id=certificate.id, expires_at=certificate.expires_at, within=capabilities)
    if certificate.kind == store.PLUGIN_AGENT:
        if delegator is None:
            return None
        within = scopes.read(delegator.scopes) or ()  # whatever its delegator loses, it loses
        until = min(certificate.expires_at, delegator.expires_at)
    elif certificate.kind == store.AGENT:
        within, until = EVERYTHING, certificate.expires_at
    else:
        return None
    return Actor(
        id=certificate.id,
        kind="agent",
        name=common_name_of(certificate.kind, certificate.label),
        role=Role.USER,
        credential_id=certificate.id,
        expires_at=until,
        scopes=capabilities,
        within=within,
    )
