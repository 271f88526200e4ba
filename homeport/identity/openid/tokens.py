"""The provider's tokens: three kinds, each judged by the rules of its own specification. The clock is ours."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from homeport.identity.openid.keys import ALGORITHMS
from homeport.identity.openid.problems import TokenRefused
from homeport.identity.openid.provider import Provider
from homeport.kit.clock import Clock

LONGEST = 16 * 1024  # characters
LEEWAY = 60  # seconds that the provider's clock may be ahead or behind
LOGOUT_SECONDS = 600  # a logout token is not older
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
# An access token counts for a day at most, so that what is known of ended sessions need not be kept for longer.
LONGEST_LIFE = timedelta(hours=24)
_YEAR_3000 = 32_503_680_000  # seconds
_PLAIN = {"", "jwt"}
_ACCESS = {*_PLAIN, "at+jwt", "application/at+jwt"}  # RFC 9068 4
_LOGOUT = {*_PLAIN, "logout+jwt", "application/logout+jwt"}
# What Keycloak calls tokens that are none for an API; an ID token says `nonce` or `at_hash` elsewhere.
_NO_ACCESS = {"id", "logout", "refresh", "offline"}


@dataclass(frozen=True)
class Verified:
    """Claims whose signature, issuer and times hold."""

    claims: Mapping[str, Any]
    issued_at: datetime
    expires_at: datetime

    @property
    def subject(self) -> str:
        return str(self.claims["sub"])

    @property
    def sid(self) -> str | None:
        """The provider's session that it belongs to."""
        sid = self.claims.get("sid")
        return sid if isinstance(sid, str) and 0 < len(sid) <= 200 else None


@dataclass(frozen=True)
class Logout:
    """What a logout token ends: one session there, or all of a subject's. `id` is good once."""

    id: str
    sid: str | None
    subject: str | None
    issued_at: datetime


def issuer_in(token: str) -> str | None:
    """The issuer that a JWT names, unverified; None for what is no JWT."""
    if len(token) > LONGEST or token.count(".") != 2:
        return None
    body = token.split(".")[1]
    try:
        claims = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, RecursionError):
        return None
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else None


class Tokens:
    """Judges tokens of one provider. `audience`: whom access tokens have to be for; empty means the client."""

    def __init__(self, provider: Provider, clock: Clock, audience: str) -> None:
        self._provider = provider
        self._clock = clock
        self._audience = audience

    async def id_token(self, token: str, nonce: str) -> Verified:
        """OpenID Connect Core 1.0, 3.1.3.7. Raises TokenRefused, ProviderUnavailable."""
        verified = await self._verified(token, _PLAIN)
        claims = verified.claims
        self._check_client(claims)
        given = claims.get("nonce")
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
            raise TokenRefused("This ID token answers another sign-in.")
        _check_subject(claims)
        return verified

    async def access_token(self, token: str) -> Verified:
        """RFC 9068, and Keycloak's of the same shape. Raises TokenRefused, ProviderUnavailable."""
        verified = await self._verified(token, _ACCESS)
        claims = verified.claims
        audiences = _audiences(claims)
        if self._audience:
            meant = self._audience in audiences
        else:
            meant = self._provider.client_id in (*audiences, claims.get("azp"))
        if not meant:
            raise TokenRefused("This token is for another audience.")
        if str(claims.get("typ", "")).lower() in _NO_ACCESS or {"nonce", "at_hash", "c_hash", "events"} & claims.keys():
            raise TokenRefused("This is no access token.")
        _check_subject(claims)
        end = min(verified.expires_at, verified.issued_at + LONGEST_LIFE)
        if end <= self._clock.now():
            raise TokenRefused("This token has expired.")
        return Verified(claims, verified.issued_at, end)

    async def logout_token(self, token: str) -> Logout:
        """OpenID Connect Back-Channel Logout 1.0, 2.6. Raises TokenRefused, ProviderUnavailable."""
        verified = await self._verified(token, _LOGOUT)
        claims = verified.claims
        self._check_client(claims)
        if self._clock.now() - verified.issued_at > timedelta(seconds=LOGOUT_SECONDS):
            raise TokenRefused("This logout token is too old.")
        events = claims.get("events")
        if not isinstance(events, Mapping) or not isinstance(events.get(LOGOUT_EVENT), Mapping):
            raise TokenRefused("This is no logout token.")
        if "nonce" in claims:
            raise TokenRefused("A logout token has no nonce.")
        subject = claims.get("sub")
        if subject is not None:
            _check_subject(claims)
        if not (subject or verified.sid):
            raise TokenRefused("This logout token names neither a session nor a subject.")
        token_id = claims.get("jti")
        if not isinstance(token_id, str) or not 0 < len(token_id) <= 400:
            raise TokenRefused("This logout token has no id.")
        return Logout(token_id, verified.sid, subject, verified.issued_at)

    def _check_client(self, claims: Mapping[str, Any]) -> None:
        client, audiences = self._provider.client_id, _audiences(claims)
        if client not in audiences:
            raise TokenRefused("This token is for another audience.")
        if claims.get("azp", client) != client or (
            len(audiences) > 1 and "azp" not in claims and "events" not in claims
        ):
            raise TokenRefused("This token was given to another client.")

    async def _verified(self, token: str, types: set[str]) -> Verified:
        """Signature, algorithm, kind, issuer and times."""
        if len(token) > LONGEST:
            raise TokenRefused("This token is too long.")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise TokenRefused("This is no signed token.") from None
        algorithm, key_id = header.get("alg"), header.get("kid")
        if (
            not isinstance(algorithm, str)
            or algorithm not in ALGORITHMS
            or not (key_id is None or isinstance(key_id, str))
        ):
            raise TokenRefused("This token is signed in a way that is not accepted.")
        if str(header.get("typ", "")).lower() not in types:
            raise TokenRefused("This token is of another kind.")
        key = await self._provider.find_key(key_id, algorithm)
        if key is None:
            raise TokenRefused("This token is signed with a key that the provider does not have.")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self._provider.issuer,
                options={
                    "require": ["iss", "exp", "iat"],
                    "verify_aud": False,  # by its kind, above
                    "verify_exp": False,  # by our clock, below
                    "verify_iat": False,
                    "verify_nbf": False,
                    "verify_sub": False,
                    "verify_jti": False,
                },
            )
        except jwt.InvalidTokenError as problem:
            raise TokenRefused(f"This token does not hold ({type(problem).__name__}).") from None
        now = self._clock.now().timestamp()
        expires, issued, begins = (claims.get(name, 0) for name in ("exp", "iat", "nbf"))
        if not all(_is_instant(instant) for instant in (expires, issued, begins)):
            raise TokenRefused("This token has no proper times.")
        if expires <= now - LEEWAY:
            raise TokenRefused("This token has expired.")
        if issued > now + LEEWAY or begins > now + LEEWAY:
            raise TokenRefused("This token is not valid yet: the clocks differ.")
        return Verified(claims, datetime.fromtimestamp(issued, UTC), datetime.fromtimestamp(expires, UTC))


def _audiences(claims: Mapping[str, Any]) -> list[Any]:
    given = claims.get("aud")
    return given if isinstance(given, list) else [given]


def _check_subject(claims: Mapping[str, Any]) -> None:
    """OpenID Connect Core 1.0, 2: at most 255 ASCII characters; no provider is known with more than 200."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 200:
        raise TokenRefused("This token does not say whose it is.")


def _is_instant(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _YEAR_3000
