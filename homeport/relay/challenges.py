"""Challenges that a wallet signs, to register a tunnel or to administer the relay: used once, for two minutes (B.2)."""

from __future__ import annotations

import secrets
import string
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from homeport.kit.clock import Clock
from homeport.relay.problems import InvalidRequest, RateLimited, TokenRefused
from homeport.wire.ethereum import InvalidSignature, recover_message
from homeport.wire.siwe import InvalidMessage, SiweMessage, compose, is_authority, parse

LASTS = timedelta(minutes=2)
PENDING_PER_CLIENT = 32
PENDING_IN_ALL = 4096
_LETTERS = string.ascii_letters + string.digits
_NONCE_LETTERS = 16
_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class Purpose:
    """What is signed for: how its ids begin, the sentence in the message, the path that takes the signature.

    `own_host`: the message names nobody but this portal. A page of another site could otherwise ask for a challenge
    with its own name in it, and the wallet that signs it there would be warned of nothing.
    """

    prefix: str
    statement: str
    path: str
    own_host: bool = False


REGISTRATION = Purpose("rch_", "Register a portal lease", "/sdk/register")
ADMINISTRATION = Purpose("wac_", "Sign in to Portal relay admin", "/admin/auth/login", own_host=True)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One that waits for its signature. `client` is whom it counts for, `payload` what was asked for with it."""

    id: str
    purpose: Purpose
    wallet: str
    client: str
    expires_at: datetime
    message: str
    payload: Any


class Challenges:
    """In memory; bounded by client (an address or network), and in all: then the oldest makes way. `domain` stands
    where no Host came along."""

    def __init__(self, clock: Clock, domain: str) -> None:
        self._clock = clock
        self._domain = domain
        self._pending: dict[str, Challenge] = {}  # in the order of their ends
        self._by_client: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._pending)

    def begin(
        self, purpose: Purpose, wallet: str, *, host: str, client: str, payload: Any = None, secure: bool = True
    ) -> Challenge:
        """A message for `wallet` (EIP-55) to sign. `host` is the request's Host header.

        Raises RateLimited for a client with too many open ones, InvalidRequest for a Host that is none, or not ours.
        """
        self.sweep()
        host = host or self._domain
        if not is_authority(host):
            raise InvalidRequest("The Host header is no host.")
        if purpose.own_host and urlsplit(f"//{host}").hostname not in {self._domain.lower(), *_THIS_MACHINE}:
            raise InvalidRequest(f"Sign in at the portal's own name, {self._domain}.")
        if self._by_client[client] >= PENDING_PER_CLIENT:
            raise RateLimited(
                "Too many challenges are open: answer them, or wait until they end.",
                details={"retry_after": self._until_one_ends(client)},
            )
        if len(self._pending) >= PENDING_IN_ALL:  # who has many addresses keeps nobody out: wallets answer at once
            self._drop(next(iter(self._pending.values())))
        now = self._clock.now().replace(microsecond=0)
        identifier = purpose.prefix + secrets.token_hex(8)
        message = SiweMessage(
            host,
            wallet,
            purpose.statement,
            f"{'https' if secure else 'http'}://{host}{purpose.path}",
            "".join(secrets.choice(_LETTERS) for _ in range(_NONCE_LETTERS)),
            now,
            now + LASTS,
            identifier,
        )
        challenge = Challenge(identifier, purpose, wallet, client, now + LASTS, compose(message), payload)
        self._pending[identifier] = challenge
        self._by_client[client] += 1
        return challenge

    def finish(self, purpose: Purpose, identifier: str, message: str, signature: str) -> Challenge:
        """The challenge that this signature answers, which is used up by it; a wrong one may be mended until the end.

        Raises InvalidRequest for an id that is unknown or over and for another text, TokenRefused for a signature that
        is none, or another wallet's.
        """
        challenge = self._pending.get(identifier)
        if challenge is None or challenge.purpose != purpose:
            raise InvalidRequest("There is no such challenge: ask for a new one.")
        if challenge.expires_at <= self._clock.now():
            self._drop(challenge)
            raise InvalidRequest("The challenge has expired: ask for a new one.")
        text = message.strip()
        if text != challenge.message:
            raise InvalidRequest("The message is not the one that was to be signed.")
        try:
            signer = recover_message(text, signature.strip())
            if signer != parse(text).address:
                raise InvalidSignature("another wallet signed")
        except (InvalidSignature, InvalidMessage) as problem:
            raise TokenRefused(f"The signature is not good: {problem}.") from None
        self._drop(challenge)
        return challenge

    def sweep(self) -> None:
        """Forget those whose time is over."""
        now = self._clock.now()
        while self._pending:
            oldest = next(iter(self._pending.values()))
            if oldest.expires_at > now:
                return
            self._drop(oldest)

    def _drop(self, challenge: Challenge) -> None:
        if self._pending.pop(challenge.id, None) is not None:
            self._by_client[challenge.client] -= 1
            if not self._by_client[challenge.client]:
                del self._by_client[challenge.client]

    def _until_one_ends(self, client: str) -> int:
        ends = next(one.expires_at for one in self._pending.values() if one.client == client)
        return max(1, round((ends - self._clock.now()).total_seconds()))
