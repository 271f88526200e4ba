"""tls-alpn-01 through a tunnel: whoever comes by the lease's name and asks by acme-tls/1 is shown the answer."""

from __future__ import annotations

from homeport.kit.clock import Clock
from homeport.relay.agent.held import Held
from homeport.relay.certificates.acme import AlpnAnswers
from homeport.relay.certificates.acme.challenges import challenge_context


class TunnelAnswers(AlpnAnswers):
    """Stands among the lease's `answers`, where each new connection looks first."""

    def __init__(self, held: Held, clock: Clock) -> None:
        super().__init__(clock)
        self._held = held
        self._now = clock

    async def present(self, domain: str, _token: str, authorization: str) -> None:
        """Visitors with other wishes are served as before."""
        self._held.answers[domain] = challenge_context(domain, authorization, self._now)

    async def withdraw(self, domain: str, _token: str, _authorization: str) -> None:
        """Nothing is left of it."""
        self._held.answers.pop(domain, None)
