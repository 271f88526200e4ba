"""Questions that an authenticator signs: each good once, for five minutes, in memory."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections import OrderedDict

from homeport.kit.clock import Clock

SECONDS = 300
OPEN = 10_000


class Challenges:
    """`purpose` says for what, and for whom, a challenge was made; it opens nothing else."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    def new(self, purpose: str) -> bytes:
        """32 random bytes. When too many are open, the oldest one goes."""
        challenge = secrets.token_bytes(32)
        self._open[challenge] = (purpose, self._clock.monotonic() + SECONDS)
        if len(self._open) > OPEN:
            self._open.popitem(last=False)
        return challenge

    def take(self, client_data: str, purpose: str) -> bytes | None:
        """The challenge that `client_data` (base64url of clientDataJSON, WebAuthn 5.8.1) says it answers.

        None when it was not made for `purpose`, is too old, or was taken before.
        """
        challenge = _challenge_in(client_data)
        known = self._open.pop(challenge, None) if challenge else None
        if known is None or known[0] != purpose or known[1] <= self._clock.monotonic():
            return None
        return challenge


def _challenge_in(client_data: str) -> bytes | None:
    try:
        said = json.loads(_decoded(client_data))
        return _decoded(said["challenge"])
    except (binascii.Error, ValueError, TypeError, KeyError, RecursionError):
        return None


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
