"""A proxy on a real port, and apps behind it that do exactly what a test says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from homeport.services.exposure import Routes, Target
from homeport.services.proxy import Limits, Proxy

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class ScriptedApp:
    """Runs `script` for each connection."""

    def __init__(self, script: Script) -> None:
        self.connections = 0
        self.port = 0
        self._script = script
        self._server: asyncio.Server
        self._running: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and drop every connection, as a killed process does."""
        self._server.close()
        for task, writer in list(self._running.items()):
            writer.transport.abort()
            task.cancel()

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer), name="scripted app")
        self._running[task] = writer
        task.add_done_callback(self._running.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._script(reader, writer)
        finally:
            writer.close()


def replying(answer: bytes) -> Script:
    """A script that reads a head and answers with these bytes, for as long as the connection lasts."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)

    return script


def answering(body: bytes) -> Script:
    """A script that answers 200 with `body` and keeps the connection."""
    return replying(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


@dataclass
class Stage:
    """`port` speaks plain HTTP; the app that a request wants is in its Host."""

    routes: Routes
    proxy: Proxy
    port: int
    apps: list[ScriptedApp] = field(default_factory=list)

    async def app(self, script: Script, *, name: str = "app", instance: str = "rel_1") -> ScriptedApp:
        """Start an app and point `name` to it."""
        app = ScriptedApp(script)
        await app.open()
        self.apps.append(app)
        self.routes.point(name, Target(app.port, instance), service_id="svc_1")
        return app

    async def talk(self, data: bytes, *, within: float = 10) -> bytes:
        """Send on a new connection, and everything that comes back until the proxy closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        try:
            async with asyncio.timeout(within):
                return await reader.read()
        finally:
            writer.close()

    async def ask(self, *lines: str, path: str = "/", method: str = "GET", host: str = "app.localhost") -> bytes:
        """One request with these further header lines; the whole answer."""
        head = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *lines, "", ""]
        return await self.talk("\r\n".join(head).encode())


@asynccontextmanager
async def staged(limits: Limits | None = None) -> AsyncIterator[Stage]:
    """A stage that looks at its deadlines every 50 ms."""
    routes = Routes()
    proxy = Proxy(routes, limits=replace(limits or Limits(), linger=0.2), tick=0.05)
    server = await asyncio.get_running_loop().create_server(proxy.protocol, "127.0.0.1", 0)
    stage = Stage(routes, proxy, int(server.sockets[0].getsockname()[1]))
    try:
        yield stage
    finally:
        server.close()
        await proxy.close(timeout=0.2)
        for app in stage.apps:
            await app.close()
