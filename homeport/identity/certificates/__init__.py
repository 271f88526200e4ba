"""Client certificates: of machines (agents) and of people, signed by an authority of their own.

Owns the tables `client_certificates` and `enrolment_tokens`. Routes are in `certificates.http`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from homeport.identity.cache import CredentialCache, LastUses
from homeport.identity.certificates.admission import Admission
from homeport.identity.certificates.agents import Agents, Ended, Narrowed
from homeport.identity.certificates.authority import ClientAuthority
from homeport.identity.certificates.enrolment import Enrolment
from homeport.identity.certificates.peer import PEER, Door, Peer
from homeport.identity.certificates.people import OwnCertificates
from homeport.identity.client_address import Proxies
from homeport.kit.clock import Clock
from homeport.storage import Database

__all__ = ["PEER", "Certificates", "ClientAuthority", "Peer"]


class Certificates:
    """`open()` before use. `port` is where certificates are asked for; 0 until, and unless, something listens."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        cache: CredentialCache,
        uses: LastUses,
        key_dir: Path,
        proxies: Proxies,
        ended: Ended,
        narrowed: Narrowed,
    ) -> None:
        self.port = 0
        self.authority = ClientAuthority(key_dir, clock)
        self.admission = Admission(database, clock, cache, uses, Door(proxies))
        self.agents = Agents(database, clock, self.authority, uses, ended, narrowed)
        self.own = OwnCertificates(database, clock, self.authority, uses, ended)
        self.enrolment = Enrolment(database, clock, self.authority)

    async def open(self) -> None:
        """Read or make the authority. Raises ClientAuthorityBroken."""
        await asyncio.to_thread(self.authority.open)
