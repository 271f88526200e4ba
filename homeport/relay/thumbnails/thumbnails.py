"""Whose picture there is, and who takes the next one: leases decide that, never somebody who asks for a picture."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal, Protocol

import structlog

from homeport.kit.bus import Bus
from homeport.kit.clock import Clock
from homeport.kit.guard import OutboundGuard
from homeport.relay.events import LeaseBegan, LeaseEnded
from homeport.relay.identities import normal_host
from homeport.relay.lease import Lease
from homeport.relay.leases import Leases
from homeport.relay.policy import Policy
from homeport.relay.thumbnails.fetching import Fetcher
from homeport.relay.thumbnails.gallery import Gallery
from homeport.relay.thumbnails.pictures import NoPicture, Picture, picture_in, picture_of
from homeport.relay.thumbnails.timetable import Timetable

MOST_QUEUED = 32
LOOK_SECONDS = 5.0
PATH = "/thumbnail/"

Way = Literal["given", "fetched", "captured"]
log = structlog.get_logger()


class Camera(Protocol):
    """Something that sees a tunnel's page as a visitor would."""

    async def capture(self, hostname: str) -> bytes:
        """A JPEG of the page at the tunnel's root. Raises NoPicture."""
        ...


class Thumbnails:
    """Pictures in memory; `run` takes and fetches those that are due. Without a camera no page is looked at."""

    def __init__(
        self,
        leases: Leases,
        policy: Policy,
        clock: Clock,
        bus: Bus,
        guard: OutboundGuard,
        camera: Camera | None,
        *,
        ca_file: Path | None = None,
    ) -> None:
        self._leases = leases
        self._policy = policy
        self._clock = clock
        self._camera = camera
        self._fetcher = Fetcher(guard, ca_file)
        self._gallery = Gallery()
        self._timetable = Timetable()
        self._captures: asyncio.Queue[Lease] = asyncio.Queue(MOST_QUEUED)
        self._fetches: asyncio.Queue[Lease] = asyncio.Queue(MOST_QUEUED)
        self._queued: set[str] = set()
        bus.subscribe(LeaseBegan, self._began)
        bus.subscribe(LeaseEnded, self._ended)

    @property
    def busy(self) -> int:
        """Pictures that are being made, or wait for it."""
        return len(self._queued)

    def at(self, hostname: str) -> Picture | None:
        """The picture of the public tunnel of this name, if there is one now."""
        lease = self._leases.at(hostname)
        if lease is None or lease.hostname != normal_host(hostname) or not self._is_public(lease):
            return None
        return self._find(lease)

    def path(self, lease: Lease) -> str:
        """Where the lease's picture is served, empty where there is none."""
        return f"{PATH}{lease.hostname}" if self._is_public(lease) and self._has(lease) else ""

    async def run(self) -> None:
        """Look for what is due, until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look_again(), name="thumbnails that are due")
            tasks.create_task(self._work(self._fetches, self._fetch), name="thumbnails from elsewhere")
            if self._camera is not None:
                tasks.create_task(self._work(self._captures, self._capture), name="thumbnails of pages")

    async def close(self) -> None:
        await self._fetcher.close()

    def look(self) -> None:
        """Queue what is due: of tunnels that are public and served now."""
        now = self._clock.monotonic()
        for lease in self._leases.all():
            way, source = self._source(lease)
            queue = self._fetches if way == "fetched" else self._captures
            if way == "given" or queue.full() or (way == "captured" and self._camera is None):
                continue
            if lease.key in self._queued or not self._timetable.due(lease.key, source, now):
                continue
            if lease.sessions is not None and lease.sessions.ready and self._is_public(lease):
                self._queued.add(lease.key)
                queue.put_nowait(lease)

    async def _look_again(self) -> None:
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            try:
                self.look()
            except Exception:
                log.exception("looking for thumbnails that are due failed")

    async def _work(self, queue: asyncio.Queue[Lease], make: Callable[[Lease, str], Awaitable[Picture]]) -> None:
        while True:
            lease = await queue.get()
            try:
                await self._make(lease, make)
            except Exception:
                log.exception("a thumbnail failed", tunnel=lease.hostname)
                self._timetable.failed(lease.key, self._source(lease)[1], self._clock.monotonic())
            finally:
                self._queued.discard(lease.key)

    async def _make(self, lease: Lease, make: Callable[[Lease, str], Awaitable[Picture]]) -> None:
        wanted = self._source(lease)
        if not self._is_still(lease):
            return
        try:
            picture = await make(lease, wanted[1])
        except NoPicture as problem:
            self._timetable.failed(lease.key, wanted[1], self._clock.monotonic())
            log.info("no thumbnail", tunnel=lease.hostname, reason=str(problem)[:300])
            return
        self._timetable.done(lease.key, wanted[1], self._clock.monotonic())
        if self._is_still(lease) and self._source(lease) == wanted:
            self._gallery.hang(lease.key, wanted[1], picture)

    async def _fetch(self, _lease: Lease, url: str) -> Picture:
        return await self._fetcher.fetch(url)

    async def _capture(self, lease: Lease, _source: str) -> Picture:
        if self._camera is None:
            raise NoPicture("there is no browser")
        return picture_of(await self._camera.capture(lease.hostname))

    # What a lease has

    def _source(self, lease: Lease) -> tuple[Way, str]:
        """How its picture is made, and from what; its own page where it names nothing that can be shown."""
        named = lease.metadata.thumbnail.strip()
        if named[:5].lower() == "data:" and _given(named) is not None:
            return "given", named
        if named[:8].lower() == "https://":
            return "fetched", named
        return "captured", ""

    def _has(self, lease: Lease) -> bool:
        way, source = self._source(lease)
        return way == "given" or self._gallery.holds(lease.key, source)

    def _find(self, lease: Lease) -> Picture | None:
        way, source = self._source(lease)
        return _given(source) if way == "given" else self._gallery.find(lease.key, source)

    def _is_public(self, lease: Lease) -> bool:
        return not lease.metadata.hide and self._policy.routable(lease.key)

    def _is_still(self, lease: Lease) -> bool:
        return self._leases.of(lease.key) is lease and self._is_public(lease)

    def _began(self, event: LeaseBegan) -> None:
        self._timetable.anew(event.lease.key, self._clock.monotonic())

    def _ended(self, event: LeaseEnded) -> None:
        if event.reason != "replaced":
            self._gallery.take_down(event.lease.key)


@functools.lru_cache(maxsize=512)
def _given(url: str) -> Picture | None:
    """What a data URL holds; metadata is short, so these are some KB."""
    try:
        return picture_in(url)
    except NoPicture:
        return None
