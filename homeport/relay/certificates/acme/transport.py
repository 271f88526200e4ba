"""HTTPS to an ACME directory: only to addresses that the outbound guard has judged, and never more than fits."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from homeport import __version__
from homeport.kit.guard import OutboundGuard
from homeport.relay.certificates.problems import AcmeFailed

if TYPE_CHECKING:
    import httpx

SECONDS = 15.0
MOST_BYTES = 512 * 1024
MOST_ADDRESSES = 3  # of one host, tried in turn
_AGENT = f"homeport/{__version__}"


@dataclass(frozen=True)
class Answer:
    """Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Raises AcmeFailed for what is no JSON object."""
        try:
            found = json.loads(self.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise AcmeFailed(f"The directory answered {self.status} with something that is not JSON.")
        return found


class Transport:
    """`ca_file` is a PEM file of authorities to trust beside the system's, for private directories."""

    def __init__(self, guard: OutboundGuard, ca_file: Path | None = None) -> None:
        self._guard = guard
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None

    async def send(
        self, method: str, url: str, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Raises AcmeFailed when there is no answer, DestinationRefused and DestinationUnknown."""
        import httpx

        parts = urlsplit(url)
        try:
            port = parts.port or 443
        except ValueError:
            port = 0
        if parts.scheme != "https" or not parts.hostname or parts.username or not port:
            raise AcmeFailed(f"{url[:200]!r} is not an https:// address.")
        if self._tls is None:
            self._tls = await asyncio.to_thread(self._context)
        addresses = await self._guard.resolve(parts.hostname, port)
        path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        sent = {"Host": parts.netloc, "User-Agent": _AGENT, "Accept-Encoding": "identity", **(headers or {})}
        reason = ""
        try:
            async with (
                asyncio.timeout(SECONDS),
                httpx.AsyncClient(verify=self._tls, trust_env=False, timeout=SECONDS) as client,
            ):
                for address in addresses[:MOST_ADDRESSES]:
                    host = f"[{address}]" if ":" in address else address
                    request = client.build_request(
                        method, f"https://{host}:{port}{path}", content=content, headers=sent,
                        extensions={"sni_hostname": parts.hostname},
                    )  # fmt: skip
                    try:
                        return await _read(client, request)
                    except httpx.ConnectError as problem:  # it may be reachable by its other address
                        reason = str(problem)
        except (httpx.HTTPError, TimeoutError) as problem:
            reason = str(problem) or type(problem).__name__
        raise AcmeFailed(f"{parts.hostname} did not answer: {reason[:200]}.")

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._ca_file is not None:
            try:
                context.load_verify_locations(cafile=str(self._ca_file))
            except (OSError, ssl.SSLError) as problem:
                raise AcmeFailed(
                    f"The CA file {self._ca_file} (setting acme_ca_file) cannot be used: {problem}."
                ) from None
        return context


async def _read(client: httpx.AsyncClient, request: httpx.Request) -> Answer:
    answer = await client.send(request, stream=True)
    try:
        body = b""
        async for piece in answer.aiter_raw(16 * 1024):
            body += piece
            if len(body) > MOST_BYTES:
                raise AcmeFailed(f"{request.headers['host']} answered more than {MOST_BYTES // 1024} KB.")
    finally:
        await answer.aclose()
    return Answer(answer.status_code, {name.lower(): text for name, text in answer.headers.items()}, body)
