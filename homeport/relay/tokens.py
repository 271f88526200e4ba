"""Lease tokens: JWTs of the relay's own key (ES256K, RFC 8812), which say whose lease somebody speaks for (B.4)."""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import orjson

from homeport.kit.clock import Clock
from homeport.relay.lease import TunnelIdentity
from homeport.relay.problems import TokenRefused
from homeport.relay.relay_identity import RelayIdentity

AUDIENCE = "portal-sdk"
REMEMBERED = 8192  # tokens whose signature was found good; the longest unused goes first
_LONGEST = 2048  # characters
_HEADER = b'{"alg":"ES256K","typ":"JWT"}'


@dataclass(frozen=True, slots=True)
class LeaseToken:
    """What a well signed token says: for whom, of which lease, from when until when (seconds since the epoch)."""

    identity: TunnelIdentity
    lease_id: str
    not_before: int
    expires_at: int


class LeaseTokens:
    """Issues and reads. `issuer` gives the portal's own address; a token of another issuer is refused.

    A token names the lease it was issued for, beside seed 004's claims: it is no good for a later lease of the same
    identity.
    """

    def __init__(self, relay: RelayIdentity, clock: Clock, issuer: Callable[[], str]) -> None:
        self._relay = relay
        self._clock = clock
        self._issuer = issuer
        self._known: OrderedDict[str, LeaseToken] = OrderedDict()

    async def ready(self) -> None:
        """Read or make the key where that is allowed to take a moment."""
        await self._relay.open()

    def issue(self, identity: TunnelIdentity, lease_id: str, begins_at: datetime, expires_at: datetime) -> str:
        """Good from `begins_at` until `expires_at`, in whole seconds. Both are of one look at the clock: the seconds
        between them are those that the lease was given."""
        now = int(begins_at.timestamp())
        claims = {
            "iss": self._issuer(),
            "sub": identity.key,
            "aud": [AUDIENCE],
            "jti": f"tok_{secrets.token_hex(8)}",
            "iat": now,
            "nbf": now,
            "exp": int(expires_at.timestamp()),
            "identity": {"name": identity.name, "address": identity.address},
            "lease": lease_id,
        }
        signed = _packed(_HEADER) + b"." + _packed(orjson.dumps(claims))
        return (signed + b"." + _packed(self._sign(signed))).decode()

    def read(self, token: str) -> TunnelIdentity:
        """Whose token it is, now. Raises TokenRefused."""
        found = self.signed(token)
        self.require_current(found)
        return found.identity

    def require_current(self, token: LeaseToken) -> None:
        """Raises TokenRefused before and after the token's time."""
        if not token.not_before <= self._clock.now().timestamp() < token.expires_at:
            raise TokenRefused("The access token has expired.")

    def signed(self, token: str) -> LeaseToken:
        """What this relay once signed, whatever the time is. Raises TokenRefused."""
        found = self._known.get(token)
        if found is not None:
            self._known.move_to_end(token)
            return found
        found = self._known[token] = self._verified(token)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found

    def _verified(self, token: str) -> LeaseToken:
        if not token or len(token) > _LONGEST or not token.isascii():
            raise TokenRefused("An access token is required.")
        signed, _, signature = token.encode().rpartition(b".")
        head, _, body = signed.partition(b".")
        try:
            header, claims, raw = orjson.loads(_unpacked(head)), orjson.loads(_unpacked(body)), _unpacked(signature)
            if header["alg"] != "ES256K" or not self._fits(signed, raw):
                raise TokenRefused("The access token was not signed by this relay.")
            who = TunnelIdentity(claims["identity"]["name"], claims["identity"]["address"])
            if claims["iss"] != self._issuer() or AUDIENCE not in claims["aud"] or claims["sub"] != who.key:
                raise TokenRefused("The access token is not for this relay.")
            return LeaseToken(who, str(claims["lease"]), int(claims["nbf"]), int(claims["exp"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise TokenRefused("This is no access token.") from None

    def _sign(self, signed: bytes) -> bytes:
        """64 bytes: r and s."""
        from coincurve import PrivateKey

        return PrivateKey(self._relay.key).sign_recoverable(signed)[:64]  # of the same r and s, low s

    def _fits(self, signed: bytes, signature: bytes) -> bool:
        from coincurve import PublicKey

        if len(signature) != 64:
            return False
        return PublicKey(self._relay.public_key).verify(_der(signature), signed, hasher=_sha256)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _der(signature: bytes) -> bytes:
    """r and s as the library wants them (SEC 1 C.5)."""
    parts = b""
    for number in (signature[:32], signature[32:]):
        digits = number.lstrip(b"\0")
        if not digits or digits[0] >= 0x80:
            digits = b"\0" + digits
        parts += bytes([2, len(digits)]) + digits
    return bytes([0x30, len(parts)]) + parts


def _packed(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _unpacked(data: bytes) -> bytes:
    return urlsafe_b64decode(data + b"=" * (-len(data) % 4))
