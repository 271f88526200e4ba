"""Administrators of the relay by their wallet: challenge, signature, a session in a cookie (digest B.5, F.1)."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.requests import HTTPConnection

from homeport.identity.access import Actor, Role
from homeport.kit.clock import Clock
from homeport.kit.ids import new_id
from homeport.relay.challenges import ADMINISTRATION, Challenge, Challenges
from homeport.relay.problems import AdminUnauthorized, InvalidRequest, TokenRefused, WalletRefused
from homeport.wire.ethereum import InvalidAddress, checksum_address

COOKIE = "portal_admin"
PATH = "/admin"
LASTS = timedelta(hours=24)
MOST_SESSIONS = 256  # one more takes the place of the oldest
SCOPES = ("relay:*",)
_PREFIX = "was_"
_TOKEN_BYTES = 32
_LONGEST_TOKEN = 200
_MOST_COOKIES = 8


@dataclass(frozen=True, slots=True)
class WalletSession:
    """`id` is for the audit log; the token is known to its holder only."""

    id: str
    wallet: str
    expires_at: datetime

    @property
    def actor(self) -> Actor:
        """Named by the wallet, for nothing but the relay."""
        return Actor(
            id=self.wallet[2:],
            kind="agent",
            name=self.wallet,
            role=Role.ADMIN,
            credential_id=self.id,
            expires_at=self.expires_at,
            scopes=SCOPES,
        )


class Wallets:
    """Sessions live in memory: a restart ends them. `listed` (EIP-55) may, and `relay_address` may always."""

    def __init__(
        self, listed: Iterable[str], relay_address: Callable[[], str], challenges: Challenges, clock: Clock
    ) -> None:
        self._listed = frozenset(listed)
        self._relay_address = relay_address
        self._challenges = challenges
        self._clock = clock
        self._sessions: OrderedDict[bytes, WalletSession] = OrderedDict()  # in the order of their ends

    @property
    def allowed(self) -> list[str]:
        """Every wallet that may administer, the relay's own first."""
        own = self._relay_address()
        return [own, *sorted(self._listed - {own})]

    def challenge(self, address: str, *, host: str, client: str) -> Challenge:
        """For the wallet to sign. Raises InvalidRequest for what is no address, WalletRefused, RateLimited."""
        try:
            wallet = checksum_address(address)
        except InvalidAddress as problem:
            raise InvalidRequest(f"The wallet's address is invalid: {problem}.") from None
        self._require_allowed(wallet)
        return self._challenges.begin(ADMINISTRATION, wallet, host=host, client=client)

    def sign_in(self, challenge_id: str, message: str, signature: str) -> tuple[str, WalletSession]:
        """The session's token and the session.

        Raises AdminUnauthorized for a challenge that is unknown, over or not signed well, WalletRefused.
        """
        try:
            challenge = self._challenges.finish(ADMINISTRATION, challenge_id, message, signature)
        except (InvalidRequest, TokenRefused) as problem:
            raise AdminUnauthorized(problem.message) from None
        self._require_allowed(challenge.wallet)
        now = self._clock.now()
        self._sweep(now)
        token = _PREFIX + secrets.token_hex(_TOKEN_BYTES)
        session = WalletSession(new_id("wal"), challenge.wallet, now + LASTS)
        self._sessions[_digest(token)] = session
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return token, session

    def find(self, token: str) -> WalletSession | None:
        """The session of a token, unless it is over."""
        if not token.startswith(_PREFIX) or len(token) > _LONGEST_TOKEN:
            return None
        session = self._sessions.get(_digest(token))
        return session if session is not None and session.expires_at > self._clock.now() else None

    def sign_out(self, token: str) -> WalletSession | None:
        """The session that this ended."""
        session = self.find(token)
        self._sessions.pop(_digest(token[:_LONGEST_TOKEN]), None)
        return session

    def actor_of(self, connection: HTTPConnection) -> Actor | None:
        """Who asks below /admin by such a cookie; for identity, which asks this before anything a browser sends."""
        path = connection.scope["path"]
        if path != PATH and not path.startswith(f"{PATH}/"):
            return None
        session = next(filter(None, map(self.find, cookies(connection))), None)
        return session.actor if session is not None else None

    def _require_allowed(self, wallet: str) -> None:
        if wallet != self._relay_address() and wallet not in self._listed:
            raise WalletRefused("This wallet does not administer the relay: relay_wallets lists those that do.")

    def _sweep(self, now: datetime) -> None:
        while self._sessions:
            digest, oldest = next(iter(self._sessions.items()))
            if oldest.expires_at > now:
                return
            del self._sessions[digest]


def cookies(connection: HTTPConnection) -> list[str]:
    """The values of all cookies of that name. There may be several: pages of tunnels live below the portal's name, and
    can set one for it, which must not hide ours (RFC 6265 8.6)."""
    pairs = (pair.strip().partition("=") for field in connection.headers.getlist("cookie") for pair in field.split(";"))
    return [value for name, _, value in pairs if name == COOKIE][:_MOST_COOKIES]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
