"""Signing in by authorization code with PKCE (RFC 6749 4.1, RFC 7636, OpenID Connect Core 1.0)."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import structlog

from homeport.identity.openid.accounts import Person, person_of
from homeport.identity.openid.problems import ProviderUnavailable, SignInRefused, TokenRefused
from homeport.identity.openid.provider import Provider
from homeport.identity.openid.tokens import Tokens, Verified
from homeport.kit.clock import Clock
from homeport.kit.sealing import SealBroken, Sealer

COOKIE = "__Host-homeport_oidc"
SECONDS = 600  # that a person has for signing in there
SCOPE = "openid profile email"
_CONTEXT = "oidc sign-in"
_LONGEST_NEXT = 500

log = structlog.get_logger()


@dataclass(frozen=True)
class Begun:
    """Where to send the browser, and the sealed cookie that it has to come back with."""

    url: str
    cookie: str


@dataclass(frozen=True)
class Ended:
    """Who came back, with which session there, and where on this portal they want to go."""

    person: Person
    sid: str | None
    id_token: str
    next: str


class CodeFlow:
    """What a sign-in under way needs to know travels in a sealed cookie: nothing is kept here."""

    def __init__(
        self,
        provider: Provider,
        tokens: Tokens,
        sealer: Sealer,
        clock: Clock,
        role_claim: str,
        base_url: Callable[[], str],
    ) -> None:
        self._provider = provider
        self._tokens = tokens
        self._sealer = sealer
        self._clock = clock
        self._role_claim = role_claim
        self._base_url = base_url

    @property
    def redirect_uri(self) -> str:
        return f"{self._base_url()}/api/auth/oidc/callback"

    async def begin(self, then: str) -> Begun:
        """`then` is where to go afterwards: a path of this portal, anything else counts as `/`.

        Raises ProviderUnavailable.
        """
        metadata = await self._provider.metadata()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": SCOPE,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        kept = {"s": state, "n": nonce, "v": verifier, "t": local_path(then), "a": self._clock.now().timestamp()}
        joined = "&" if urlsplit(metadata.authorization_endpoint).query else "?"
        url = f"{metadata.authorization_endpoint}{joined}{urlencode(query)}"
        return Begun(url, self._sealer.seal(json.dumps(kept), _CONTEXT))

    async def end(self, cookie: str | None, answer: Mapping[str, str]) -> Ended:
        """`answer` is the query that the provider sent the browser back with.

        Raises SignInRefused, TokenRefused, ProviderUnavailable.
        """
        kept = self._kept(cookie)
        if not hmac.compare_digest(answer.get("state", "").encode(), str(kept["s"]).encode()):
            raise SignInRefused("This sign-in was begun in another window: begin again.")
        metadata = await self._provider.metadata()
        issuer = answer.get("iss")  # RFC 9207 2.4
        if (issuer is None and metadata.names_itself) or issuer not in (None, self._provider.issuer):
            raise SignInRefused("This sign-in comes from another provider.")
        if "error" in answer:
            log.info("the provider refused a sign-in", reason=answer["error"][:100])
            raise SignInRefused("The provider did not sign you in.")
        code = answer.get("code", "")
        if not 0 < len(code) <= 4096:
            raise SignInRefused("The provider sent no code.")
        answered = await self._provider.exchange(code, str(kept["v"]), self.redirect_uri)
        id_token = answered.get("id_token")
        if not isinstance(id_token, str):
            raise ProviderUnavailable("The provider sent no ID token.")
        verified = await self._tokens.id_token(id_token, str(kept["n"]))
        more = await self._claims_of_access(answered.get("access_token"), verified)
        person = person_of(self._provider.issuer, verified, self._role_claim, more)
        return Ended(person, verified.sid, id_token, str(kept["t"]))

    def _kept(self, cookie: str | None) -> Mapping[str, Any]:
        if not cookie:
            raise SignInRefused("This sign-in was not begun in this browser, or took too long: begin again.")
        try:
            kept: dict[str, Any] = json.loads(self._sealer.open(cookie, _CONTEXT))
        except SealBroken:
            raise SignInRefused("This sign-in was not begun here: begin again.") from None
        if self._clock.now().timestamp() - kept["a"] > SECONDS:
            raise SignInRefused("This sign-in took too long: begin again.")
        return kept

    async def _claims_of_access(self, token: Any, verified: Verified) -> Mapping[str, Any] | None:
        """Keycloak tells roles in the access token only. One that is opaque, or somebody else's, tells nothing."""
        if not isinstance(token, str):
            return None
        try:
            access = await self._tokens.access_token(token)
        except TokenRefused:
            return None
        return access.claims if access.subject == verified.subject else None


def local_path(given: str) -> str:
    """A path of this portal, `/` for anything that leads elsewhere (`//host`, `/\\host`, a scheme, control letters)."""
    fine = (
        given.startswith("/")
        and len(given) <= _LONGEST_NEXT
        and not given.startswith(("//", "/\\"))
        and all(letter.isascii() and letter.isprintable() and letter != "\\" for letter in given)
    )
    return given if fine else "/"
