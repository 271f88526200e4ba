"""People who look at the agent by their wallet: challenge, signature, a session for a day (seed 004)."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from homeport.kit.clock import Clock
from homeport.relay.challenges import Challenge, Challenges, Purpose
from homeport.relay.problems import AdminUnauthorized, InvalidRequest, TokenRefused, WalletRefused
from homeport.wire.ethereum import InvalidAddress, checksum_address

LOGIN = Purpose("wac_", "Sign in to Portal", "/v1/agent/auth/login")
LASTS = timedelta(hours=24)
MOST_SESSIONS = 64
_CLIENT = "this machine"  # all who ask are here


@dataclass(frozen=True, slots=True)
class AgentSession:
    """Who reads, until when (UTC)."""

    wallet: str
    expires_at: datetime


class AgentWallets:
    """Sessions are in memory. `own` gives the addresses of the agent's own keys: whoever has one may look.

    Raises InvalidAddress (a ValueError) for a listed wallet that is none.
    """

    def __init__(self, listed: Iterable[str], own: Callable[[], Collection[str]], clock: Clock) -> None:
        self._listed = frozenset(checksum_address(wallet) for wallet in listed)
        self._own = own
        self._clock = clock
        self._challenges = Challenges(clock, "localhost")
        self._sessions: OrderedDict[bytes, AgentSession] = OrderedDict()  # in the order of their ends

    def challenge(self, address: str, host: str) -> Challenge:
        """For the wallet to sign. Raises InvalidRequest for what is no address, WalletRefused, RateLimited."""
        try:
            wallet = checksum_address(address)
        except InvalidAddress as problem:
            raise InvalidRequest(f"The wallet's address is invalid: {problem}.") from None
        self._require_allowed(wallet)
        return self._challenges.begin(LOGIN, wallet, host=host, client=_CLIENT, secure=False)

    def sign_in(self, identifier: str, message: str, signature: str) -> tuple[str, AgentSession]:
        """The session's token, which nobody else learns. Raises AdminUnauthorized, WalletRefused."""
        try:
            challenge = self._challenges.finish(LOGIN, identifier, message, signature)
        except (InvalidRequest, TokenRefused) as problem:
            raise AdminUnauthorized(problem.message) from None
        self._require_allowed(challenge.wallet)
        token = f"was_{secrets.token_hex(32)}"
        session = AgentSession(challenge.wallet, self._clock.now() + LASTS)
        self._sessions[_digest(token)] = session
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return token, session

    def find(self, token: str) -> AgentSession | None:
        """The session of a token, unless it is over, or its wallet may no longer look."""
        session = self._sessions.get(_digest(token))
        if session is None or session.expires_at <= self._clock.now() or not self._allowed(session.wallet):
            return None
        return session

    def sign_out(self, token: str) -> None:
        """End it, if there is one."""
        self._sessions.pop(_digest(token), None)

    def _allowed(self, wallet: str) -> bool:
        return wallet in self._listed or wallet in self._own()

    def _require_allowed(self, wallet: str) -> None:
        if not self._allowed(wallet):
            raise WalletRefused("This wallet may not look at the agent: name it with `homeport agent run --wallet`.")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token[:200].encode()).digest()
