"""A browser that runs elsewhere and listens for the DevTools protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from homeport.relay.thumbnails.browser.devtools import MOST_MESSAGE, BrowserFailed
from homeport.relay.thumbnails.browser.visit import Visit
from homeport.relay.thumbnails.pictures import NoPicture
from homeport.settings import Settings

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

SECONDS = 30.0  # for a picture
MOST_ABOUT = 64 * 1024  # bytes of what it says of itself


class RemoteCamera:
    """The administrator names its URL, so that is asked without the outbound guard. What it can reach is for whoever
    runs it to say: here it is only kept from asking other origins over HTTP."""

    def __init__(self, settings: Callable[[], Settings], url: str) -> None:
        self._settings = settings
        self._url = url.rstrip("/")

    async def capture(self, hostname: str) -> bytes:
        """A JPEG. Raises NoPicture."""
        import httpx
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException

        page = f"https://{hostname}{self._settings().port_suffix}/"
        try:
            async with asyncio.timeout(SECONDS):
                url = await self._socket_url()
                async with connect(url, max_size=MOST_MESSAGE, proxy=None, compression=None) as socket:
                    return await Visit(Socket(socket), page).picture()
        except NoPicture:
            raise
        except (BrowserFailed, KeyError, ValueError) as problem:
            raise NoPicture(f"the browser failed: {problem}") from problem
        except TimeoutError:
            raise NoPicture(f"the browser took longer than {SECONDS:g} seconds") from None
        except (httpx.HTTPError, httpx.InvalidURL, WebSocketException, OSError) as problem:
            raise NoPicture(f"the browser is not there: {problem}") from problem

    async def _socket_url(self) -> str:
        """Its own answer names a host that may be none here: the path counts."""
        import httpx

        from homeport.kit.outbound_http import read_at_most

        async with (
            httpx.AsyncClient(trust_env=False, timeout=SECONDS) as client,
            client.stream("GET", f"{self._url}/json/version") as answer,
        ):
            about = json.loads(await read_at_most(answer, MOST_ABOUT))
        path = urlsplit(str(about["webSocketDebuggerUrl"])).path
        here = urlsplit(self._url)
        return f"{'wss' if here.scheme == 'https' else 'ws'}://{here.netloc}{path}"


class Socket:
    """Messages are those of a WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def send(self, message: bytes) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            await self._socket.send(message, text=True)
        except ConnectionClosed:
            raise BrowserFailed("it has closed the connection") from None

    async def receive(self) -> bytes:
        from websockets.exceptions import ConnectionClosed

        try:
            return await self._socket.recv(decode=False)
        except ConnectionClosed:
            raise BrowserFailed("it has closed the connection") from None
