"""HTTP to places that users or settings name: every connection goes to an address that the outbound guard has judged.

Brings an HTTP client along: import it where it is needed, not at the start.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi
import httpx

from homeport.kit.guard import OutboundGuard


class AnswerTooLarge(ValueError):
    """More than the caller wants to read."""


class GuardedTransport(httpx.AsyncBaseTransport):
    """Connects to the address that was judged, under the name that was asked for; at each redirect too.

    Raises the guard's problems. Trusts the authorities of this machine, Mozilla's, and those in `ca_file` (PEM); raises
    OSError when that cannot be used. Reading all those takes 0.1 s: make it in a thread, and keep it.
    """

    def __init__(self, guard: OutboundGuard, ca_file: Path | None = None) -> None:
        self._guard = guard
        context = ssl.create_default_context()
        context.load_verify_locations(certifi.where())
        if ca_file is not None:
            context.load_verify_locations(ca_file)
        # A kept connection would serve any name at its address, and was verified for one only.
        none_kept = httpx.Limits(max_keepalive_connections=0)
        self._inner = httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=none_kept)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        address = (await self._guard.resolve(url.host, port))[0]
        judged = httpx.Request(
            request.method,
            url.copy_with(host=address),
            headers=request.headers,  # Host is in them
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": url.host},
        )
        return await self._inner.handle_async_request(judged)

    async def aclose(self) -> None:
        await self._inner.aclose()


def guarded_client(guard: OutboundGuard, *, seconds: float, ca_file: Path | None = None) -> httpx.AsyncClient:
    """Follows no redirect, heeds no proxy of the environment; `seconds` for each step of a request."""
    return httpx.AsyncClient(
        transport=GuardedTransport(guard, ca_file), trust_env=False, follow_redirects=False, timeout=seconds
    )


async def read_at_most(answer: httpx.Response, most: int) -> bytes:
    """The body of a streamed answer. Raises AnswerTooLarge beyond `most` bytes."""
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > most:
            raise AnswerTooLarge(f"the answer is larger than {most // 1024} KB")
    return bytes(body)
