"""WS /api/live: every change, once, in order, for each open tab; a tab that was cut off resumes where it was."""

from __future__ import annotations

import asyncio
import re
import secrets
from dataclasses import dataclass

import orjson
import structlog
from fastapi import APIRouter, WebSocket

from homeport.identity import Actor, Identity, Verb, allowed
from homeport.identity.guard import CurrentActor, require
from homeport.identity.sockets import TRY_AGAIN_LATER, Socket
from homeport.kit.bus import Bus
from homeport.kit.changes import Change
from homeport.kit.routes import Router

KEPT_CHANGES = 10_000
KEPT_BYTES = 8 * 1024 * 1024
_CURSOR = re.compile(r"([a-z0-9]{1,16})\.([0-9]{1,15})")

# What an actor has to be able to read for a topic to be told.
TOPICS = {
    "service": Verb.SERVICES_READ,
    "release": Verb.SERVICES_READ,
    "event": Verb.SERVICES_READ,
    "metrics": Verb.SERVICES_READ,
    "job": Verb.JOBS_READ,
    "customer": Verb.CUSTOMERS_READ,
    "plan": Verb.CUSTOMERS_READ,
    "endpoint": Verb.SERVICES_READ,
    "tunnel": Verb.TUNNELS_READ,
}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Entry:
    """A change as every socket sends it, and who may see it."""

    text: str
    verb: Verb
    customer_id: str | None


class LiveFeed:
    """The last 10,000 changes, 8 MiB at most. A cursor is `<epoch>.<number>`; the epoch is this start of the portal.

    Sockets keep a place in this one list instead of queues of their own: a slow one costs no memory, and one that falls
    out of the list is closed with 1013 and comes back with its cursor.
    """

    def __init__(self, bus: Bus, *, kept_changes: int = KEPT_CHANGES, kept_bytes: int = KEPT_BYTES) -> None:
        self.epoch = secrets.token_hex(4)
        self.last = 0
        self._entries: dict[int, Entry] = {}
        self._bytes = 0
        self._kept_changes = kept_changes
        self._kept_bytes = kept_bytes
        self._news = asyncio.Event()
        bus.subscribe(Change, self.publish)

    def publish(self, change: Change) -> None:
        """Number the change, serialise it once, wake the sockets."""
        verb = TOPICS.get(change.topic)
        if verb is None:
            log.error("a change of an unknown topic", topic=change.topic)
            return
        self.last += 1
        message = {
            "type": "change",
            "cursor": self.cursor(self.last),
            "topic": change.topic,
            "action": change.action,
            "id": change.id,
            "data": change.data,
        }
        text = orjson.dumps(message, default=dict).decode()
        self._entries[self.last] = Entry(text, verb, change.customer_id)
        self._bytes += len(text)
        while self._bytes > self._kept_bytes or len(self._entries) > self._kept_changes:
            oldest = next(iter(self._entries))
            self._bytes -= len(self._entries.pop(oldest).text)
        news, self._news = self._news, asyncio.Event()
        news.set()

    def cursor(self, number: int) -> str:
        return f"{self.epoch}.{number}"

    def place_of(self, cursor: str | None) -> int | None:
        """The number of the change that a cursor names; None when what came after it is not all here any more."""
        found = _CURSOR.fullmatch(cursor or "")
        if found is None or found[1] != self.epoch:
            return None
        number = int(found[2])
        oldest = next(iter(self._entries), self.last + 1)
        return number if oldest - 1 <= number <= self.last else None

    async def tell(self, socket: Socket, cursor: str | None) -> None:
        """Everything after `cursor` (from now on without one) that the socket's actor may see, until it ends."""
        place = self.place_of(cursor)
        kind = "reset" if cursor and place is None else "hello"
        if place is None:
            place = self.last
        await socket.send(orjson.dumps({"type": kind, "cursor": self.cursor(place)}).decode())
        while True:
            news = self._news
            while place < self.last:
                place += 1
                entry = self._entries.get(place)
                if entry is None:  # it fell out of the list: going on would lose it
                    await socket.leave(TRY_AGAIN_LATER, "too slow")
                if _visible(entry, socket.actor):
                    await socket.send(entry.text)
            await news.wait()


def _visible(entry: Entry, actor: Actor) -> bool:
    return allowed(actor, entry.verb, entry)


def routes(feed: LiveFeed, identity: Identity) -> APIRouter:
    router = Router()

    @router.websocket("/api/live", dependencies=[require(Verb.ACCOUNT_SELF)])
    async def live(websocket: WebSocket, actor: CurrentActor, cursor: str | None = None) -> None:
        async with identity.socket(websocket, actor) as socket:
            await feed.tell(socket, cursor)

    return router
