"""http-01 (RFC 8555 section 8.3): a small plain HTTP listener that is open only while an order is."""

from __future__ import annotations

import asyncio
import contextlib
import re

import structlog

log = structlog.get_logger()

PATH = "/.well-known/acme-challenge/"
HEAD_SECONDS = 5.0
MOST_HEAD_BYTES = 8 * 1024
MOST_CONNECTIONS = 64
_LINE = re.compile(rb"GET (?:http://[^/ ]+)?/\.well-known/acme-challenge/([A-Za-z0-9_-]{1,200}) HTTP/1\.[01]\r?\n")


class HttpAnswers:
    """`port` 0: no listener of our own, a reverse proxy sends port 80 to the portal's main port.

    Answers there, too: `find` is asked by the ingress for each plain HTTP request.
    """

    def __init__(self, bind: str, port: int) -> None:
        self._hosts = {"localhost": ["127.0.0.1", "::1"], "127.0.0.1": ["127.0.0.1", "::1"]}.get(bind, [bind])
        self._port = port
        self._authorizations: dict[str, str] = {}
        self._servers: list[asyncio.Server] = []
        self._open = 0
        self._lock = asyncio.Lock()
        self.trouble = ""  # half a sentence: why nothing listens

    def find(self, path: str) -> str | None:
        """The answer at a path, for the ingress."""
        return self._authorizations.get(path.removeprefix(PATH)) if path.startswith(PATH) else None

    async def present(self, _domain: str, token: str, authorization: str) -> None:
        """Listens from the first on. Where it cannot, a proxy may still forward: the directory will tell."""
        async with self._lock:
            self._authorizations[token] = authorization
            if not self._servers and self._port:
                await self._listen()

    async def ready(self) -> None:
        """It stands as soon as it is presented."""

    async def withdraw(self, _domain: str, token: str, _authorization: str) -> None:
        """Stops listening after the last."""
        async with self._lock:
            self._authorizations.pop(token, None)
            if not self._authorizations:
                servers, self._servers = self._servers, []
                for server in servers:
                    server.close()

    async def _listen(self) -> None:
        self.trouble = ""
        for host in self._hosts:
            try:
                server = await asyncio.start_server(self._serve, host, self._port, limit=MOST_HEAD_BYTES)
                self._servers.append(server)
            except OSError as problem:
                if not self._servers:
                    self.trouble = f"nothing could listen on {host} port {self._port} ({problem.strerror or problem})"
                    log.info("no listener for ACME", reason=self.trouble)
                    return

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= MOST_CONNECTIONS:
                async with asyncio.timeout(HEAD_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(self.answer(head))
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as problem:
            log.debug("closed before it asked", reason=str(problem) or "too slow")
        finally:
            self._open -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def answer(self, head: bytes) -> bytes:
        """A whole HTTP answer to a request's head."""
        line = _LINE.match(head)
        found = self._authorizations.get(line[1].decode()) if line else None
        return plain(200, found) if found is not None else plain(404, "not found\n")


def plain(status: int, text: str) -> bytes:
    """A small answer, after which the connection ends."""
    reason = {200: "OK", 404: "Not Found"}[status]
    return (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n"
        f"Connection: close\r\n\r\n{text}"
    ).encode()
