"""Domains of one's own: asked for, proven, and led to their service."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity import Actor
from homeport.kit.clock import Clock
from homeport.kit.ids import new_id
from homeport.kit.problems import Conflict
from homeport.services import store
from homeport.services.catalogue import Catalogue
from homeport.services.domain_names import normal_domain, proof_body
from homeport.services.domain_proofs import Proofs
from homeport.services.exposure import Routes
from homeport.services.models import DomainRow, ServiceRow
from homeport.services.problems import DomainNotFound, DomainNotProven, DomainTaken
from homeport.services.quota import admit_feature
from homeport.storage import Database

MOST = 50  # of one service


class Domains:
    """Owns the table `service_domains`, and the names of others in `Routes`."""

    def __init__(
        self, database: Database, clock: Clock, own: str, routes: Routes, catalogue: Catalogue, proofs: Proofs
    ) -> None:
        self._database = database
        self._clock = clock
        self._own = own
        self._routes = routes
        self._catalogue = catalogue
        self._proofs = proofs

    async def open(self) -> None:
        """Lead every proven domain to its service."""
        async with self._database.read() as session:
            for domain, name in await store.verified_domains(session):
                self._routes.alias(domain, name)

    async def list(self, actor: Actor, ref: str) -> dict[str, Any]:
        async with self._database.read() as session:
            service = await store.get_service(session, actor, ref)
            rows = await store.domains_of(session, service.id)
        return {"data": [proof_body(row) for row in rows], "total": len(rows)}

    async def add(self, actor: Actor, ref: str, text: str) -> dict[str, Any]:
        """A domain that waits for its proof; asked again, the same. Raises ValidationFailed, DomainTaken, Conflict."""
        domain = normal_domain(text, self._own)
        async with self._database.write() as session:
            service = await store.get_service(session, actor, ref)
            await admit_feature(session, service, "custom_domains")
            if row := await store.find_domain(session, service.id, domain):
                return proof_body(row)
            if len(await store.domains_of(session, service.id)) >= MOST:
                raise Conflict(f"{service.name} has {MOST} domains already: remove one first.")
            await self._refuse_taken(session, domain, service)
            row = DomainRow(
                id=new_id("dom"), service_id=service.id, domain=domain, token=secrets.token_urlsafe(24),
                status="pending", created_at=self._clock.now(), verified_at=None,
            )  # fmt: skip
            session.add(row)
        self._catalogue.publish(service)
        return proof_body(row)

    async def verify(self, actor: Actor, ref: str, text: str) -> dict[str, Any]:
        """Look for the proof now, and lead the domain to the service. Fine when it is proven already.

        Raises DomainNotFound, DomainNotProven, DomainTaken.
        """
        async with self._database.read() as session:
            service, row = await self._find(session, actor, ref, text)
        if row.status == "verified":
            return proof_body(row)
        found = await self._proofs.look(row.domain, row.token)
        if not found.proven:
            raise DomainNotProven(
                f"{row.domain} is not proven: {found.dns}; {found.http}.",
                details={"dns": found.dns, "http": found.http},
            )
        try:
            async with self._database.write() as session:
                service, row = await self._find(session, actor, ref, text)
                await admit_feature(session, service, "custom_domains")
                await self._refuse_taken(session, row.domain, service)
                row.status, row.verified_at, row.proven = "verified", self._clock.now(), row.domain
        except IntegrityError:  # another service's proof, at the same moment on PostgreSQL
            raise _taken(row.domain) from None
        if self._routes.find(service.name) is not None:  # else it was deleted at this moment
            self._routes.alias(row.domain, service.name)
        self._catalogue.publish(service)
        return proof_body(row)

    async def remove(self, actor: Actor, ref: str, text: str) -> None:
        """It leads nowhere from now on. Raises DomainNotFound."""
        async with self._database.write() as session:
            service, row = await self._find(session, actor, ref, text)
            await session.delete(row)
        if row.status == "verified":
            self._routes.unalias(row.domain)
        self._catalogue.publish(service)

    async def _find(self, session: AsyncSession, actor: Actor, ref: str, text: str) -> tuple[ServiceRow, DomainRow]:
        service = await store.get_service(session, actor, ref)
        row = await store.find_domain(session, service.id, normal_domain(text, self._own))
        if row is None:
            raise DomainNotFound(f"{service.name} has no domain {text[:253]!r}.")
        return service, row

    @staticmethod
    async def _refuse_taken(session: AsyncSession, domain: str, service: ServiceRow) -> None:
        if await store.domain_is_taken(session, domain, service.id):
            raise _taken(domain)


def _taken(domain: str) -> DomainTaken:
    return DomainTaken(f"{domain} belongs to another service.")
