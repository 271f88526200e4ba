"""The OpenID provider over HTTP: what it says of itself, its keys, and its token endpoint."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote_plus, urlsplit

import structlog
from jwt import PyJWK

from homeport.identity.openid.keys import KeySet
from homeport.identity.openid.problems import ProviderUnavailable, SignInRefused
from homeport.kit.clock import Clock
from homeport.kit.guard import OutboundGuard
from homeport.kit.problems import Problem
from homeport.settings import Settings

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

SECONDS = 10.0  # for a whole exchange
MAX_ANSWER = 256 * 1024  # bytes
KEPT_SECONDS = 3600.0  # what the provider says of itself, and its keys
REFETCH_SECONDS = 30.0  # at the most often, for a key that is unknown
RETRY_SECONDS = 5.0  # after a failure

log = structlog.get_logger()


@dataclass(frozen=True)
class Metadata:
    """What this portal needs of OpenID Connect Discovery 1.0, 3."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None
    secret_in_body: bool  # client_secret_post is the only way it knows
    names_itself: bool  # RFC 9207: its answers carry `iss`


class Provider:
    """One provider, by its issuer URL. All that it answers is bounded in size and time."""

    def __init__(self, settings: Settings, clock: Clock, guard: OutboundGuard) -> None:
        self.issuer = settings.oidc_issuer
        self.client_id = settings.oidc_client_id
        self._secret = settings.oidc_client_secret
        self._clock = clock
        self._guard = guard
        self._lock = asyncio.Lock()
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._failed: tuple[float, str] | None = None
        self._client: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Ask no more."""
        if self._client is not None:
            await self._client.aclose()

    @property
    def _discovery(self) -> str:
        return f"{self.issuer.removesuffix('/')}/.well-known/openid-configuration"

    async def metadata(self) -> Metadata:
        """Read once an hour. Raises ProviderUnavailable."""
        if known := self._younger_than(KEPT_SECONDS, self._metadata):
            return known
        async with self._lock:
            return self._younger_than(KEPT_SECONDS, self._metadata) or await self._read_metadata()

    async def find_key(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        """The public key of that id; an unknown one is looked for again, every 30 s at most.

        Raises ProviderUnavailable when there are no keys at all.
        """
        known = self._younger_than(KEPT_SECONDS, self._keys)
        if known and (key := known.find(key_id, algorithm)):
            return key
        async with self._lock:
            keys = self._younger_than(REFETCH_SECONDS, self._keys) or await self._read_keys()
        return keys.find(key_id, algorithm)

    async def check(self) -> int:
        """Ask for everything anew: how many keys it signs with. Raises ProviderUnavailable, which tells why here."""
        try:
            document = await self._get(self._discovery)
            keys = KeySet(await self._get(self._metadata_of(document).jwks_uri))
        except ValueError as problem:
            raise ProviderUnavailable(str(problem)) from None
        return len(keys)

    async def exchange(self, code: str, verifier: str, redirect_uri: str) -> Mapping[str, Any]:
        """The tokens for an authorization code. Raises SignInRefused, ProviderUnavailable."""
        metadata = await self.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"Accept": "application/json"}
        secret = self._secret.get_secret_value()
        if not secret or metadata.secret_in_body:
            form["client_id"] = self.client_id
        if secret and metadata.secret_in_body:
            form["client_secret"] = secret
        status, answer = await self._ask(
            "POST", metadata.token_endpoint, headers, form, sign=not metadata.secret_in_body
        )
        if status == 200:
            return answer
        if status in (400, 401):  # RFC 6749 5.2; its words are for the log, not for whoever stands at the door
            log.warning("the provider refused a code", reason=_short(answer.get("error")))
            raise SignInRefused("The provider did not accept this sign-in: begin again.")
        raise ProviderUnavailable(f"The OpenID provider answered with status {status}.")

    def _younger_than(self, seconds: float, known: tuple[float, T] | None) -> T | None:
        return known[1] if known is not None and self._clock.monotonic() - known[0] < seconds else None

    async def _read_metadata(self) -> Metadata:
        self._refuse_so_soon()
        try:
            metadata = self._metadata_of(await self._get(self._discovery))
        except (ProviderUnavailable, ValueError) as problem:
            raise self._failing(problem) from None
        self._metadata = (self._clock.monotonic(), metadata)
        return metadata

    async def _read_keys(self) -> KeySet:
        metadata = self._metadata[1] if self._metadata else await self._read_metadata()
        self._refuse_so_soon()
        try:
            keys = KeySet(await self._get(metadata.jwks_uri))
        except (ProviderUnavailable, ValueError) as problem:
            if self._keys is None:
                raise self._failing(problem) from None
            log.warning("the provider's keys cannot be read: those from before still count", problem=str(problem)[:200])
            keys = self._keys[1]
        self._keys = (self._clock.monotonic(), keys)
        return keys

    def _refuse_so_soon(self) -> None:
        if self._failed is not None and self._clock.monotonic() - self._failed[0] < RETRY_SECONDS:
            raise ProviderUnavailable(self._failed[1])

    def _failing(self, problem: Exception) -> ProviderUnavailable:
        log.warning("the OpenID provider cannot be used", issuer=self.issuer, problem=str(problem)[:200])
        self._failed = (self._clock.monotonic(), "The OpenID provider does not answer as it should; try again later.")
        return ProviderUnavailable(self._failed[1])

    def _metadata_of(self, document: Mapping[str, Any]) -> Metadata:
        if document.get("issuer") != self.issuer:  # Discovery 4.3: exactly
            raise ValueError(f"it calls itself {_short(document.get('issuer'))}")
        methods = document.get("token_endpoint_auth_methods_supported")
        methods = methods if isinstance(methods, list) else ["client_secret_basic"]
        return Metadata(
            authorization_endpoint=self._endpoint(document, "authorization_endpoint"),
            token_endpoint=self._endpoint(document, "token_endpoint"),
            jwks_uri=self._endpoint(document, "jwks_uri"),
            end_session_endpoint=self._endpoint(document, "end_session_endpoint")
            if document.get("end_session_endpoint")
            else None,
            secret_in_body="client_secret_post" in methods and "client_secret_basic" not in methods,
            names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        )

    @staticmethod
    def _endpoint(document: Mapping[str, Any], name: str) -> str:
        """An absolute URL, over TLS unless it is on this machine."""
        given = document.get(name)
        url = urlsplit(given) if isinstance(given, str) else urlsplit("")
        host = url.hostname or ""
        if (
            not host
            or url.username is not None
            or url.fragment
            or not (url.scheme == "https" or _is_here(url.scheme, host))
        ):
            raise ValueError(f"its {name} is no https address")
        return str(given)

    async def _get(self, url: str) -> Mapping[str, Any]:
        status, answer = await self._ask("GET", url, {"Accept": "application/json"}, None)
        if status != 200:
            raise ProviderUnavailable(f"status {status}")
        return answer

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None, *, sign: bool = False
    ) -> tuple[int, Mapping[str, Any]]:
        """Status and JSON object. Raises ProviderUnavailable for whatever else happens."""
        import httpx

        from homeport.kit.outbound_http import guarded_client, read_at_most

        if self._client is None:
            self._client = await asyncio.to_thread(guarded_client, self._guard, seconds=SECONDS)
        secret = self._secret.get_secret_value()
        # RFC 6749 2.3.1: both are form-encoded first
        auth = httpx.BasicAuth(quote_plus(self.client_id), quote_plus(secret)) if sign and secret else None
        try:
            async with (
                asyncio.timeout(SECONDS),
                self._client.stream(method, url, headers=dict(headers), data=form and dict(form), auth=auth) as answer,
            ):
                self._client.cookies.clear()  # nothing is remembered from one answer to the next
                body = await read_at_most(answer, MAX_ANSWER)
            document = json.loads(body) if body.strip() else {}
        except TimeoutError:
            raise ProviderUnavailable(f"no answer within {SECONDS:g} s") from None
        except Problem as problem:  # the guard's
            raise ProviderUnavailable(problem.message) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, RecursionError) as problem:
            raise ProviderUnavailable(f"it cannot be reached or understood ({type(problem).__name__})") from None
        if not isinstance(document, dict):
            raise ProviderUnavailable("its answer is no JSON object")
        return answer.status_code, document


def _is_here(scheme: str, host: str) -> bool:
    try:
        return scheme == "http" and (host == "localhost" or ip_address(host).is_loopback)
    except ValueError:
        return False


def _short(value: Any) -> str:
    return "".join(letter for letter in str(value)[:100] if letter.isprintable())
