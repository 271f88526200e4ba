"""HTTPS to an ACME directory: only to addresses that the outbound guard has judged, and never more than fits."""

from __future__ import annotations

import asyncio
import json
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
        self._client: httpx.AsyncClient | None = None

    async def send(
        self, method: str, url: str, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Raises AcmeFailed when there is no answer, DestinationRefused and DestinationUnknown."""
        import httpx

        from homeport.kit.outbound_http import AnswerTooLarge, read_at_most

        host = _host(url)
        client = self._client
        if client is None:
            client = self._client = await asyncio.to_thread(self._new_client)
        sent = {"User-Agent": _AGENT, "Accept-Encoding": "identity", **(headers or {})}
        try:
            async with (
                asyncio.timeout(SECONDS),
                client.stream(method, url, content=content, headers=sent) as answer,
            ):
                body = await read_at_most(answer, MOST_BYTES)
        except AnswerTooLarge:
            raise AcmeFailed(f"{host} answered more than {MOST_BYTES // 1024} KB.") from None
        except (httpx.HTTPError, TimeoutError) as problem:
            reason = str(problem)[:200] or type(problem).__name__
            raise AcmeFailed(f"{host} did not answer: {reason}.") from None
        return Answer(answer.status_code, {name.lower(): text for name, text in answer.headers.items()}, body)

    async def close(self) -> None:
        """End connections that were kept for the next request."""
        if self._client is not None:
            await self._client.aclose()

    def _new_client(self) -> httpx.AsyncClient:
        from homeport.kit.outbound_http import guarded_client

        try:
            return guarded_client(self._guard, seconds=SECONDS, ca_file=self._ca_file)
        except OSError as problem:  # ssl.SSLError is one
            raise AcmeFailed(f"The CA file {self._ca_file} (setting acme_ca_file) cannot be used: {problem}.") from None


def _host(url: str) -> str:
    """Raises AcmeFailed for anything but https, whoever named the address."""
    parts = urlsplit(url)
    try:
        port = parts.port or 443
    except ValueError:
        port = 0
    if parts.scheme != "https" or not parts.hostname or parts.username or not port:
        raise AcmeFailed(f"{url[:200]!r} is not an https:// address.")
    return parts.hostname
