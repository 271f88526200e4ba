"""The reverse sessions of one tunnel: some that wait, more when visitors come, one try after another while it fails."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Literal

import structlog

from homeport.kit.problems import Problem
from homeport.relay.agent.backoff import Backoff
from homeport.relay.agent.connection import Buffers, Connection, Dialer
from homeport.relay.agent.held import Held
from homeport.relay.agent.problems import RelayRefused, RelayUnreachable, SessionEnded
from homeport.relay.agent.relays import Relay
from homeport.relay.agent.sessions import ReverseSession, open_session

log = structlog.get_logger()

READY = 2  # sessions that wait, whatever happens
MOST_READY = 8  # relays keep no more (relay C.5)
MOST_DIALING = 16
DEMAND_SECONDS = 3.0  # visitors of so long are an estimate of those to come
AT_ONCE_SECONDS = 0.05  # a session claimed so soon was waited for: others probably are
TOO_MANY_SECONDS = 1.0  # a session that ends so soon, while others wait, was one more than the relay keeps
REJECTED_SECONDS = 5.0  # until it is asked again whether somebody has approved

Claimed = Callable[[Connection, Literal["tls", "tcp"], bytes], None]


class SessionPool:
    """`claimed` takes over the connection of a session that got its visitor, with the visitor's first bytes.

    `trouble` hears why no session could be had, or None when one could.
    """

    def __init__(
        self,
        relay: Relay,
        buffers: Buffers,
        backoff: Backoff,
        claimed: Claimed,
        trouble: Callable[[Problem | None], None],
    ) -> None:
        self._relay = relay
        self._dialer = Dialer(relay, buffers)
        self._backoff = backoff
        self._claimed = claimed
        self._trouble = trouble
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._claims: deque[float] = deque(maxlen=MOST_DIALING)
        self._waited_for = False
        self._dialing = 0
        self._pause_until = 0.0
        self._enough_until = 0.0
        self._failing = False
        self._over: Problem | None = None
        self.ready = 0

    async def run(self, held: Held) -> None:
        """Until the lease is lost (LeaseLost), or the relay wants no session of ours at all (RelayRefused,
        RelayIncompatible). What visitors use goes on."""
        loop = asyncio.get_running_loop()
        self._over = None
        try:
            while True:
                self._wake.clear()
                if self._over is not None:
                    raise self._over
                while self._wants_more(loop.time()):
                    self._dialing += 1
                    task = asyncio.create_task(self._session(held), name=f"session:{held.hostname}")
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                pause = self._pause_until - loop.time()
                try:
                    async with asyncio.timeout(pause if pause > 0 else None):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.ready = self._dialing = 0

    def _wants_more(self, now: float) -> bool:
        if now < self._pause_until or self._over is not None:
            return False
        if self._failing:
            return self._dialing == 0  # one finds out as much as sixteen
        if now < self._enough_until and self.ready >= READY:
            return False
        while self._claims and now - self._claims[0] > DEMAND_SECONDS:
            self._claims.popleft()
        wanted = min(MOST_READY, READY + len(self._claims))
        if self._waited_for and not self.ready and self._claims:
            wanted = MOST_DIALING
        return self.ready + self._dialing < wanted

    async def _session(self, held: Held) -> None:
        session: ReverseSession | None = None
        try:
            try:
                session = await open_session(self._relay, self._dialer, held.token)
            finally:
                self._dialing -= 1
            await self._serve(session)
            session = None
        except (RelayUnreachable, SessionEnded) as problem:
            self._failed(problem, self._backoff.next())
        except RelayRefused as problem:
            if problem.code == "lease_rejected":
                self._failed(problem, REJECTED_SECONDS)
            else:
                self._over = problem
        except Problem as problem:
            self._over = problem
        except Exception:
            log.exception("a session broke", relay=self._relay.url)
            broke = SessionEnded(f"A session at {self._relay.url} broke; the agent's log says why.")
            self._failed(broke, self._backoff.next())
        finally:
            if session is not None:
                session.connection.close()
            self._wake.set()

    async def _serve(self, session: ReverseSession) -> None:
        """Wait for its visitor, and hand it over. Raises SessionEnded."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.ready += 1
        self._failing = False
        self._trouble(None)
        self._wake.set()
        try:
            kind = await session.claimed()
        except SessionEnded:
            if self.ready > 1 and loop.time() - began < TOO_MANY_SECONDS:
                self._enough_until = loop.time() + TOO_MANY_SECONDS
                session.connection.close()
                return
            raise
        finally:
            self.ready -= 1
        self._backoff.reset()
        now = loop.time()
        self._waited_for = now - began < AT_ONCE_SECONDS
        self._claims.append(now)
        self._claimed(session.connection, kind, session.early)

    def _failed(self, problem: Problem, pause: float) -> None:
        self._pause_until = asyncio.get_running_loop().time() + pause
        self._failing = not self.ready
        if not self.ready:
            self._trouble(problem)
