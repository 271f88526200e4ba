"""What this relay tells of itself, whom it asks, and what it passes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import delete, select

from homeport.kit.clock import Clock
from homeport.kit.guard import OutboundGuard
from homeport.kit.problems import Problem
from homeport.relay.discovery.announcements import Announcements
from homeport.relay.discovery.peers import Peers, Refused
from homeport.relay.models import PeerRow
from homeport.relay.problems import InvalidRequest
from homeport.relay.relay_identity import RelayIdentity
from homeport.settings import Settings
from homeport.storage import Database
from homeport.wire.relay_descriptor import SECOND, Descriptor, InvalidDescriptor, normal_url, read

EVERY = timedelta(seconds=30)
SAMPLED_SECONDS = 10  # how often traffic is measured: whoever asks in between changes nothing
LASTS = 300 * SECOND  # a descriptor of ours
FRESH = 10 * SECOND  # it is given out for so long before the next one is signed
SECONDS_TO_ANSWER = 15.0
MOST_ANSWER = 2 * 1024 * 1024  # bytes
MOST_READ = 1024  # descriptors of one answer
MOST_NEW = 64  # of those, that say something new: a signature costs a tenth of a millisecond
READ_A_TURN = 32  # then the event loop sees to the others
TARGETS_AT_ONCE = 8
SAVED_EVERY = 6  # rounds of upkeep

log = structlog.get_logger()


class Discovery:
    """Off unless settings turn it on; then `run` asks and announces, and `descriptors` answers others.

    `traffic` gives all bytes so far and the visitors that are connected now; `offers` whether tunnels get UDP and TCP
    ports now, by default what the settings say.
    """

    def __init__(
        self,
        database: Database,
        settings: Callable[[], Settings],
        clock: Clock,
        guard: OutboundGuard,
        identity: RelayIdentity,
        traffic: Callable[[], tuple[int, int]],
        *,
        offers: Callable[[], tuple[bool, bool]] | None = None,
    ) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._guard = guard
        self._identity = identity
        self._traffic = traffic
        self._offers = offers
        self.enabled = settings().relay and settings().relay_discovery
        self.version = settings().relay_protocol
        self.announcements = Announcements()
        self._peers: Peers | None = None
        self._own: Descriptor | None = None
        self._bps = 0.0
        self._client: Any = None

    @property
    def peers(self) -> Peers:
        """Made when first asked for: the portal's port is known by then. Raises InvalidDescriptor for a bootstrap that
        is no https URL."""
        if self._peers is None:
            settings = self._settings()
            url = normal_url(settings.base_url)
            given = [normal_url(each) for each in settings.relay_bootstraps]
            self._peers = Peers(self._clock, self.version, url, settings.domain.lower(), given)
        return self._peers

    async def open(self) -> None:
        """Go on with the relays that were known."""
        if not self.enabled:
            return
        await self._identity.open()
        async with self._database.read() as db:
            rows = (await db.execute(select(PeerRow))).scalars().all()
        self.peers.load(rows)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def own(self) -> Descriptor:
        """Signed now, or some seconds ago."""
        now = int(self._clock.now().timestamp() * 1_000_000) * 1000  # microseconds are all that a clock has here
        if self._own is None or not 0 <= now - self._own.issued_ns < FRESH:
            settings = self._settings()
            udp, tcp = self._offers() if self._offers is not None else (settings.relay_udp, settings.relay_tcp)
            self._own = Descriptor(
                address=self._identity.address,
                version=self.version,
                issued_ns=now,
                expires_ns=now + LASTS,
                url=normal_url(settings.base_url),
                supports_udp=udp,
                supports_tcp=tcp,
                connections=self._traffic()[1],
                bps=round(self._bps, 3),
            ).signed(self._identity.key)
        return self._own

    def descriptors(self) -> list[Descriptor]:
        """Ours first, then everybody's."""
        return [self.own(), *self.peers.current()]

    def announced(self, value: Any, version: str) -> None:
        """Take the announcement of another relay. Raises InvalidRequest."""
        if version and version != self.version:
            raise InvalidRequest(f"This relay speaks version {self.version}.")
        try:
            self.peers.accept(read(value))
        except (InvalidDescriptor, Refused) as problem:
            raise InvalidRequest(f"The descriptor is not taken: {problem}.") from problem

    async def run(self) -> None:
        """Ask and announce every 30 s, until it is cancelled."""
        if not self.enabled:
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sample(), name="relay traffic")
            tasks.create_task(self._rounds(), name="relay discovery")

    async def round(self) -> None:
        """Once: ask the bootstraps and who is due, then announce ourselves to the bootstraps."""
        peers = self.peers
        peers.sweep()
        targets = [*peers.bootstraps, *peers.due()]
        limit = asyncio.Semaphore(TARGETS_AT_ONCE)
        await asyncio.gather(*(self._ask(url, limit) for url in targets))
        await asyncio.gather(*(self._announce(url, limit) for url in peers.bootstraps))

    async def save(self) -> None:
        """Put the peers on disk, in place of those from before."""
        rows = self.peers.rows()
        async with self._database.write() as db:
            await db.execute(delete(PeerRow))
            db.add_all(rows)

    async def _rounds(self) -> None:
        saved = count = 0
        while True:
            try:
                await self.round()
                count += 1
                if self.peers.changes != saved and count % SAVED_EVERY == 0:
                    changes = self.peers.changes
                    await self.save()
                    saved = changes
            except Exception:
                log.exception("a round of relay discovery failed")
            await self._clock.sleep(EVERY.total_seconds())

    async def _sample(self) -> None:
        before, at = self._traffic()[0], self._clock.monotonic()
        while True:
            await self._clock.sleep(SAMPLED_SECONDS)
            bytes_, now = self._traffic()[0], self._clock.monotonic()
            if now > at:
                self._bps = (bytes_ - before) / (now - at)
            before, at = bytes_, now

    async def _ask(self, url: str, limit: asyncio.Semaphore) -> None:
        async with limit:
            try:
                answer = await self._request("GET", f"{url}/discovery")
                data = json.loads(answer)["data"]
                given = data["relays"]
                if str(data.get("protocol_version", "")) != self.version or not isinstance(given, list):
                    raise ValueError("it speaks another version")
            except Exception as problem:
                self.peers.failed(url, EVERY)
                log.info("a relay gave no answer", relay=url, reason=str(problem) or type(problem).__name__)
                return
        await self._take(given[:MOST_READ], url)
        self.peers.answered(url, EVERY)

    async def _take(self, given: list[Any], asked: str) -> None:
        """What a relay says of itself, and some of what it says of others: the rest in its turn."""
        new = 0
        for number, value in enumerate(given):
            if number % READ_A_TURN == READ_A_TURN - 1:
                await asyncio.sleep(0)
            try:
                descriptor = read(value)
                if descriptor.url != asked:
                    if new >= MOST_NEW or not self.peers.is_news(descriptor):
                        continue
                    new += 1
                self.peers.accept(descriptor, asked=asked)
            except (InvalidDescriptor, Refused):
                continue

    async def _announce(self, url: str, limit: asyncio.Semaphore) -> None:
        body = {"protocol_version": self.version, "descriptor": dict(self.own().raw)}
        async with limit:
            try:
                await self._request("POST", f"{url}/discovery/announce", body)
            except Exception as problem:
                log.info("a relay took no announcement", relay=url, reason=str(problem) or type(problem).__name__)

    async def _request(self, method: str, url: str, body: Any = None) -> bytes:
        """The body of a good answer. Raises what goes wrong with it."""
        from homeport.kit.outbound_http import guarded_client, read_at_most  # an HTTP client: only where it is used

        if self._client is None:
            authorities: Path | None = self._settings().relay_ca_file
            self._client = await asyncio.to_thread(
                guarded_client, self._guard, seconds=SECONDS_TO_ANSWER, ca_file=authorities
            )
        async with asyncio.timeout(2 * SECONDS_TO_ANSWER), self._client.stream(method, url, json=body) as answer:
            content: bytes = await read_at_most(answer, MOST_ANSWER)
            if answer.status_code >= 300:
                raise Unanswered(f"it answered {answer.status_code}")
            return content


class Unanswered(Problem):
    """Another relay answered with an error."""

    code = "relay_unanswered"
    status = 502
