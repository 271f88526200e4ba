"""The engine's own word on our containers: its event stream, taken up again when it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from homeport.kit.clock import Clock
from homeport.kit.problems import Problem
from homeport.services.docker import Engine, labels

log = structlog.get_logger()

AGAIN_SECONDS = 1.0
LONGEST_AGAIN_SECONDS = 30.0
ACTIONS = ("start", "oom", "die", "destroy")


class Watch:
    """`on_event` is given each event of a routed container, in order; `on_connected` comes before the first of each
    connection, for what happened meanwhile."""

    def __init__(
        self,
        engine: Engine,
        portal_id: str,
        clock: Clock,
        on_connected: Callable[[], Awaitable[None]],
        on_event: Callable[[str, str, Mapping[str, str]], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._filters = {
            "type": ["container"],
            "event": list(ACTIONS),
            "label": [f"{labels.PORTAL}={portal_id}", labels.RELEASE],
        }
        self._clock = clock
        self._on_connected = on_connected
        self._on_event = on_event
        self._task: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()

    async def open(self) -> None:
        """Returns when it hears, or when there is no engine now; it goes on trying."""
        if self._engine.url is None:
            return
        self._task = asyncio.create_task(self._run(), name="watch Docker Engine")
        waiting = asyncio.create_task(self._connected.wait(), name="wait for Docker Engine")
        await asyncio.wait({waiting}, timeout=AGAIN_SECONDS if await self._engine.available() else 0)
        waiting.cancel()
        await asyncio.wait({waiting})

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        pause = AGAIN_SECONDS
        said = False
        while True:
            try:
                async with self._engine.stream("GET", "/events", query={"filters": self._filters}) as answer:
                    await self._on_connected()
                    self._connected.set()
                    pause, said = AGAIN_SECONDS, False
                    async for event in self._engine.lines(answer):
                        actor = event["Actor"]
                        await self._on_event(event["Action"], actor["ID"], actor["Attributes"])
            except (Problem, KeyError, ValueError) as trouble:  # also an event that is none
                if not said:  # a machine that never had an engine need not hear of it
                    tell = log.warning if self._connected.is_set() else log.debug
                    tell("Docker Engine is not heard", reason=str(trouble))
                said = True
            await self._clock.sleep(pause)
            pause = min(pause * 2, LONGEST_AGAIN_SECONDS)
