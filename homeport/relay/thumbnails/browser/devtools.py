"""The DevTools protocol (https://chromedevtools.github.io/devtools-protocol/): one conversation with a browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

MOST_MESSAGE = 4 * 1024 * 1024  # bytes

Message = Mapping[str, Any]


class BrowserFailed(Exception):
    """Half a sentence: what the browser did not do."""


class Link(Protocol):
    """Carries messages of at most MOST_MESSAGE bytes. Both raise BrowserFailed when the browser is gone."""

    async def send(self, message: bytes) -> None: ...

    async def receive(self) -> bytes: ...


class DevTools:
    """Asks one thing after another. Events that come meanwhile go to `heard`, which may `tell` something in return."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._count = 0
        self._told: list[bytes] = []
        self.session = ""  # of the page, once there is one
        self.heard: Callable[[str, Message], None] = lambda _name, _event: None

    async def call(self, method: str, **given: Any) -> Message:
        """The result of a command. Raises BrowserFailed for its error too."""
        await self._link.send(self._command(method, given))
        asked = self._count
        while (message := await self._next()).get("id") != asked:
            pass
        if "error" in message:
            raise BrowserFailed(f"{method}: {str(message['error'])[:200]}")
        result = message.get("result")
        return result if isinstance(result, dict) else {}

    def tell(self, method: str, **given: Any) -> None:
        """A command whose result nobody waits for; it leaves as soon as the event has been heard."""
        self._told.append(self._command(method, given))

    async def listen(self, seconds: float, enough: Callable[[], bool]) -> None:
        """Hear events until it is enough, or time is over."""
        try:
            async with asyncio.timeout(seconds):
                while not enough():
                    await self._next()
        except TimeoutError:
            return

    def _command(self, method: str, given: Message) -> bytes:
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": given}
        if self.session:
            message["sessionId"] = self.session
        return json.dumps(message).encode()

    async def _next(self) -> Message:
        try:
            message = json.loads(await self._link.receive())
        except ValueError:
            raise BrowserFailed("it does not speak the DevTools protocol") from None
        if not isinstance(message, dict):
            raise BrowserFailed("it does not speak the DevTools protocol")
        if "method" in message:
            event = message.get("params")
            self.heard(str(message["method"]), event if isinstance(event, dict) else {})
            while self._told:
                await self._link.send(self._told.pop(0))
        return message
