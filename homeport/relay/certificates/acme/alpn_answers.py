"""tls-alpn-01 (RFC 8737): the main port shows a certificate made for the challenge to who asks by acme-tls/1."""

from __future__ import annotations

import asyncio
import ssl

from homeport.kit.clock import Clock
from homeport.relay.certificates.acme.challenges import ALPN, challenge_context
from homeport.relay.ingress import Handler, TlsHandler
from homeport.wire.client_hello import ClientHello


class AlpnAnswers:
    """Asked by the ingress before anybody else; nobody's connection is touched while no order is open."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._contexts: dict[str, ssl.SSLContext] = {}

    def find(self, hello: ClientHello) -> Handler | None:
        """Who answers this hello; None: it asks for something else."""
        if ALPN not in hello.alpn or hello.server_name is None:
            return None
        context = self._contexts.get(hello.server_name)
        return None if context is None else TlsHandler(lambda _: context, lambda _: _Silent())

    async def present(self, domain: str, _token: str, authorization: str) -> None:
        """The certificate stands when this returns."""
        self._contexts[domain] = challenge_context(domain, authorization, self._clock)

    async def ready(self) -> None:
        """It stands as soon as it is presented."""

    async def withdraw(self, domain: str, _token: str, _authorization: str) -> None:
        """The name is as any other again."""
        self._contexts.pop(domain, None)


class _Silent(asyncio.Protocol):
    """The handshake was all that was wanted (RFC 8737 section 3)."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
