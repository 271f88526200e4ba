"""What happens by itself: instances that end, supervisors that are lost, health that changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import structlog

from homeport.kit.clock import Clock
from homeport.services import store
from homeport.services.catalogue import Catalogue
from homeport.services.drivers import InstanceState, Observation
from homeport.services.health import Health
from homeport.services.lifecycle import Lifecycle
from homeport.services.live import Live
from homeport.storage import Database

log = structlog.get_logger()

LOOPING = timedelta(seconds=4)  # a back-off this long means that it keeps failing


class Reactions:
    """Hears the driver and the health monitor, and acts one after the other in a task of its own."""

    def __init__(
        self, database: Database, clock: Clock, live: Live, catalogue: Catalogue, lifecycle: Lifecycle
    ) -> None:
        self._database = database
        self._clock = clock
        self._live = live
        self._catalogue = catalogue
        self._lifecycle = lifecycle
        self._news: dict[str, Observation] = {}
        self._health_news: dict[str, Health] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._task = asyncio.create_task(self._run(), name="reactions")

    async def close(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def observed(self, observation: Observation) -> None:
        """The driver's news. Only the newest of each instance waits."""
        self._live.saw(observation)
        self._news[observation.id] = observation
        self._wake.set()

    def health_changed(self, service_id: str, health: Health) -> None:
        """The monitor's news."""
        self._health_news[service_id] = health
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            news, self._news = self._news, {}
            health_news, self._health_news = self._health_news, {}
            for observation in news.values():
                await self._survive(self._react(observation))
            for service_id, health in health_news.items():
                await self._survive(self._react_to_health(service_id, health))

    @staticmethod
    async def _survive(reaction: Awaitable[None]) -> None:
        try:
            await reaction
        except Exception:
            log.exception("a reaction to an instance's news failed")

    async def _react(self, observation: Observation) -> None:
        service_id = self._live.service_of(observation.id)
        if service_id is None:
            return  # a deploy's own business, or no longer ours
        async with self._database.read() as session:
            service = await store.find_service(session, service_id)
            release = await store.find_live_release(session, service_id)
        if service is None or release is None or release.id != observation.id or service.desired != "running":
            return
        if observation.state is InstanceState.LOST:
            await self._lifecycle.revive(service, release, "Its supervisor had ended; it was started again.")
        elif observation.state is InstanceState.BACKOFF:
            delay = (observation.retry_at - self._clock.now()) if observation.retry_at else timedelta()
            message = f"{observation.reason or f'ended with exit code {observation.exit_code}'}; starting again"
            failing = {"status": "failed", "error": message} if delay >= LOOPING else {}
            event = ("restart", "failed", message) if _worth_telling(observation.restarts) else None
            await self._catalogue.change(service_id, event=event, **failing)
        elif observation.state is InstanceState.RUNNING:
            message = "Started again after it had ended by itself"
            event = ("restart", "success", message) if _worth_telling(observation.restarts) else None
            await self._catalogue.change(service_id, event=event)

    async def _react_to_health(self, service_id: str, health: Health) -> None:
        messages = {"healthy": "Health check passed", "unhealthy": f"Health check failed: {health.message}"}
        async with self._database.read() as session:
            service = await store.find_service(session, service_id)
        if service is None or health.status not in messages:
            return
        changes: dict[str, Any] = {}
        if health.status != service.health_status:
            changes = {"health_status": health.status, "event": ("health", health.status, messages[health.status])}
        if health.status == "healthy" and service.status == "failed":
            changes |= {"status": "running", "error": None}
        if changes:
            await self._catalogue.change(service_id, **changes)


def _worth_telling(restarts: int) -> bool:
    """The first three, then ever fewer: a crash loop does not fill the timeline."""
    return restarts <= 3 or restarts in (5, 10, 20, 50) or restarts % 100 == 0
