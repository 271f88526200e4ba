"""Open WebSockets: each ends when its client goes, when its credential ends, or when the portal stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import NoReturn, Protocol, Self

import structlog
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from homeport.identity.access import Actor
from homeport.identity.problems import RateLimited
from homeport.identity.rate_limits import Taken
from homeport.kit.clock import Clock
from homeport.kit.problems import Problem

# RFC 6455 7.4.1 and the IANA registry of close codes; 4000 and up are for applications.
NORMAL = 1000
POLICY = 1008
INTERNAL_ERROR = 1011
SERVICE_RESTART = 1012
TRY_AGAIN_LATER = 1013
CREDENTIAL_ENDED = 4401

# ASGI extension of our server: {"write": f}; f(text) writes a whole message without waiting, False when it cannot now.
WRITE_TEXT = "homeport.write_text"

SEND_TIMEOUT = 30.0  # seconds that one message may take to get into the socket's buffer
CLOSE_TIMEOUT = 2.0
_LONGEST_TIMER = 86_400.0

# Seed 003's clients may bring their token as a sub-protocol, which an answer has to repeat (RFC 6455 4.2.2).
BEARER_PROTOCOL = "bearer."

log = structlog.get_logger()


def bearer_protocol(connection: HTTPConnection) -> str | None:
    """The sub-protocol that is a token, as it was offered."""
    offered: list[str] = connection.scope.get("subprotocols") or []
    return next((name for name in offered if name.startswith(BEARER_PROTOCOL)), None)


def _cannot(_text: str) -> bool:
    return False


class Open(Protocol):
    """Something that a credential opened, and that ends with it."""

    @property
    def actor(self) -> Actor: ...

    def end(self, code: int, reason: str) -> None:
        """Its credential has ended or may less: a WebSocket's close code, and why."""
        ...


class Socket:
    """An accepted WebSocket for the length of an `async with` block.

    The block is left, without an exception for whoever stands around it, when the client closes or vanishes, when the
    credential is revoked or expires (4401), when the portal stops (1012), or when `end` is called. What the client
    sends is read and dropped. A Problem raised in the block closes with 1011 and its code as the reason.
    """

    def __init__(self, websocket: WebSocket, actor: Actor, sockets: OpenSockets) -> None:
        self.actor = actor
        self._websocket = websocket
        self._sockets = sockets
        extension = websocket.scope.get("extensions", {}).get(WRITE_TEXT, {})
        self._write: Callable[[str], bool] = extension.get("write", _cannot)
        self._block: asyncio.Task[object] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._end: tuple[int, str] | None = None
        self._gone = False

    async def __aenter__(self) -> Self:
        self._sockets.add(self)  # before anything else is awaited: of many at once no more come in than may
        try:
            await self._websocket.accept(bearer_protocol(self._websocket))
        except BaseException:
            self._sockets.remove(self)
            raise
        self._block = asyncio.current_task()
        self._reader = asyncio.create_task(self._read(), name="socket reader")
        self._watch_expiry()
        if self._end is not None:  # its credential ended meanwhile
            self._leave()
        return self

    async def send(self, text: str) -> None:
        """One text message. Waits while the client's buffer is full, 30 seconds at most."""
        if self._write(text):  # a third of the cost of the way through every layer of the application
            return
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await self._websocket.send_text(text)
        except TimeoutError:
            await self.leave(TRY_AGAIN_LATER, "too slow")

    async def leave(self, code: int, reason: str) -> NoReturn:
        """From within the block: leave it here and close."""
        self.end(code, reason)
        await asyncio.get_running_loop().create_future()  # the block's cancellation arrives here
        raise AssertionError("the block was not cancelled")

    def end(self, code: int, reason: str) -> None:
        """From anywhere: make the block end and close; the first call decides the code."""
        if self._end is None and not self._gone:
            self._end = (code, reason)
            self._leave()

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._sockets.remove(self)
        if self._timer:
            self._timer.cancel()
        if self._reader:
            self._reader.cancel()
        if isinstance(problem, asyncio.CancelledError):
            ours = self._block is not None and (self._gone or self._end is not None) and not self._block.uncancel()
            await self._close(*(self._end or (SERVICE_RESTART, "the portal stops")))
            return ours
        if isinstance(problem, WebSocketDisconnect | WebSocketDisconnected):
            return True
        if isinstance(problem, Problem):
            await self._close(INTERNAL_ERROR, problem.code)
            return True
        if isinstance(problem, Exception):
            log.error("a WebSocket's handler failed", path=self._websocket.url.path, exc_info=problem)
            await self._close(INTERNAL_ERROR, "internal")
            return True
        if problem is None:
            await self._close(*(self._end or (NORMAL, "")))
        return False

    def _leave(self) -> None:
        if self._block is not None:
            self._block.cancel()

    async def _read(self) -> None:
        while (await self._websocket.receive())["type"] != "websocket.disconnect":
            pass
        if self._end is None:
            self._gone = True
            self._leave()

    def _watch_expiry(self) -> None:
        if self.actor.expires_at is None:
            return
        left = (self.actor.expires_at - self._sockets.clock.now()).total_seconds()
        if left <= 0:
            self.end(CREDENTIAL_ENDED, "signed out")
        else:
            self._timer = asyncio.get_running_loop().call_later(min(left, _LONGEST_TIMER), self._watch_expiry)

    async def _close(self, code: int, reason: str) -> None:
        if self._gone:
            return
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._websocket.close(code, reason[:120])
        except (TimeoutError, WebSocketDisconnect, WebSocketDisconnected, RuntimeError):
            self._gone = True  # it went first, or it takes nothing any more


class OpenSockets:
    """All of them, so that they can be ended by credential. Event loop's thread only."""

    def __init__(self, clock: Clock, *, most: int = 0) -> None:
        """`most`: how many one person or machine may have open; 0 is no limit."""
        self.clock = clock
        self._most = most
        self.peak = 0  # the most that were open at once
        self._open: set[Socket] = set()
        self._watched: set[Open] = set()

    def watch(self, what: Open) -> None:
        """Let this end with its credential too; it is no socket, and does not count as one."""
        self._watched.add(what)

    def unwatch(self, what: Open) -> None:
        self._watched.discard(what)

    def add(self, socket: Socket) -> None:
        """Raises RateLimited."""
        self.refuse_too_many(socket.actor)
        self._open.add(socket)
        self.peak = max(self.peak, len(self._open))

    def remove(self, socket: Socket) -> None:
        self._open.discard(socket)

    def __len__(self) -> int:
        return len(self._open)

    def credentials(self) -> set[str]:
        """The credentials behind the open sockets, and behind what is watched beside them."""
        everything: list[Open] = [*self._open, *self._watched]
        return {one.actor.credential_id for one in everything if one.actor.credential_id}

    def people(self) -> set[str]:
        """The ids of the people (not machines) behind the open sockets."""
        return {socket.actor.id for socket in self._open if socket.actor.kind in {"user", "key"}}

    def end_credential(self, credential_id: str) -> None:
        everything: list[Open] = [*self._open, *self._watched]
        for socket in [one for one in everything if one.actor.credential_id == credential_id]:
            socket.end(CREDENTIAL_ENDED, "signed out")

    def end_user(self, user_id: str) -> None:
        """All of a person's, by whatever credential."""
        everything: list[Open] = [*self._open, *self._watched]
        for socket in [one for one in everything if one.actor.id == user_id]:
            socket.end(CREDENTIAL_ENDED, "signed out")

    def refuse_too_many(self, actor: Actor) -> None:
        """Raises RateLimited when the same person (or machine) has as many open as may be."""
        if self._most and sum(one.actor.id == actor.id for one in self._open) >= self._most:
            raise RateLimited(Taken(self._most, 0, int(self.clock.now().timestamp()) + 1).headers, 1)

    def end_all(self) -> None:
        """At shutdown; clients come back and resume."""
        for socket in list(self._open):
            socket.end(SERVICE_RESTART, "the portal restarts")
