"""The relay's API as an agent calls it: probe, registration by signature, renewal (relay A.1 to A.5)."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from homeport import __version__
from homeport.kit.clock import Clock, parse_rfc3339
from homeport.relay.agent.held import Held
from homeport.relay.agent.identity import AgentIdentity
from homeport.relay.agent.problems import (
    HostnameTaken,
    LeaseLost,
    RelayIncompatible,
    RelayRefused,
    RelayUnreachable,
    RelayUntrusted,
)
from homeport.relay.agent.relays import Relay
from homeport.relay.agent.sessions import refusal, refused
from homeport.relay.agent.tcp import is_localhost

PROTOCOLS = ("7", "5")
SECONDS = 15.0
MOST_BYTES = 256 * 1024
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,62})(?:\.[a-z0-9](?:[a-z0-9-]{0,62}))*")
_ADDRESS = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}")


@dataclass(frozen=True)
class Wish:
    """What to ask a relay for. `ttl` is the lease's lifetime in seconds, unless the relay knows better."""

    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    thumbnail: str = ""
    hide: bool = False
    tcp: bool = False
    udp: bool = False
    ttl: int = 120

    def metadata(self) -> dict[str, Any]:
        """As the relay takes it."""
        return {
            "description": self.description,
            "owner": self.owner,
            "tags": list(self.tags),
            "thumbnail": self.thumbnail,
            "hide": self.hide,
        }


class RelayClient:
    """Speaks to one relay for one identity.

    Every call raises RelayUnreachable when another try may help, RelayIncompatible, and RelayRefused.
    """

    def __init__(self, relay: Relay, identity: AgentIdentity, clock: Clock) -> None:
        self._relay = relay
        self._identity = identity
        self._clock = clock
        host, port = relay.destination
        host = "localhost" if is_localhost(host) else host
        self._http = httpx.AsyncClient(
            base_url=f"https://{f'[{host}]' if ':' in host else host}:{port}",
            verify=relay.context,
            timeout=SECONDS,
            trust_env=False,
            headers={
                "Host": relay.authority,
                "User-Agent": f"homeport/{__version__}",
                "Accept-Encoding": "identity",
            },
        )

    async def close(self) -> None:
        """End kept connections."""
        await self._http.aclose()

    async def protocol(self) -> str:
        """The version that the relay speaks. Raises RelayIncompatible for one that this agent does not."""
        try:
            found = await self._call("GET", "/sdk/domain")
        except (RelayRefused, LeaseLost) as problem:
            raise RelayIncompatible(problem.message) from None
        version = str(found.get("protocol_version", ""))
        if version not in PROTOCOLS:
            raise RelayIncompatible(
                f"{self._relay.url} speaks version {version[:20]!r} of the protocol, "
                f"this agent {' and '.join(PROTOCOLS)}."
            )
        return version

    async def register(self, wish: Wish, protocol: str) -> Held:
        """A lease, for our signature. Raises HostnameTaken."""
        identity = {"name": self._identity.name, "address": self._identity.address}
        asked = {
            "identity": identity,
            "metadata": wish.metadata(),
            "ttl": wish.ttl,
            "tcp_enabled": wish.tcp,
            "udp_enabled": wish.udp,
        }
        bearer = {"Authorization": f"Bearer {self._relay.bearer}"} if self._relay.bearer else {}
        try:
            challenge = await self._call("POST", "/sdk/register/challenge", asked, bearer)
            message = self._to_sign(str(challenge.get("siwe_message", "")))
            signed = {
                "challenge_id": challenge.get("challenge_id"),
                "siwe_message": message,
                "siwe_signature": await asyncio.to_thread(self._identity.sign, message),  # the first loads the library
            }
            given = await self._call("POST", "/sdk/register", signed, bearer)
        except RelayRefused as problem:
            if problem.code == "hostname_conflict":
                raise HostnameTaken(
                    f"The name {self._identity.name!r} is somebody else's on {self._relay.url}: take another --name."
                ) from None
            raise
        return self._held(given, protocol, wish)

    async def renew(self, held: Held, wish: Wish) -> None:
        """`held` has a fresh token and end afterwards. Raises LeaseLost."""
        asked: dict[str, Any] = {"access_token": held.token, "ttl": wish.ttl}
        if held.protocol != "5":
            asked["metadata"] = wish.metadata()
        given = await self._call("POST", "/sdk/renew", asked, {"X-Portal-Access-Token": held.token})
        held.token = _token(given, self._relay) or held.token
        held.expires_at = self._expiry(given, wish)

    async def unregister(self, held: Held) -> None:
        """The name is free again. Raises LeaseLost."""
        await self._call("POST", "/sdk/unregister", {"access_token": held.token}, _with(held))

    async def certificate(self, held: Held, request: str) -> str:
        """The chain (PEM) for a signing request (PEM), by the relay's own authority."""
        given = await self._call("POST", "/sdk/certificate", {"access_token": held.token, "csr": request}, _with(held))
        return str(given.get("certificate", ""))

    def _to_sign(self, message: str) -> str:
        """The message, when it is for this relay and for us (relay B.2): signed for another, it would be that one's
        visitor who has our name. Raises RelayIncompatible."""
        relay, lines = self._relay, message.split("\n")
        own = {relay.authority, relay.host, f"{relay.authority.removesuffix(f':{relay.port}')}:{relay.port}"}
        domain, _, rest = lines[0].partition(" ")
        uri = next((line.removeprefix("URI: ") for line in lines if line.startswith("URI: ")), "")
        fits = (
            domain.lower() in own
            and rest == "wants you to sign in with your Ethereum account:"
            and lines[1:2] == [self._identity.address]
            and uri.lower() in {f"https://{each}/sdk/register" for each in own}
        )
        if not fits:
            raise RelayIncompatible(f"{relay.url} asked for a signature that is not for itself: it was not given.")
        return message

    def _held(self, given: Mapping[str, Any], protocol: str, wish: Wish) -> Held:
        relay = self._relay
        theirs = given.get("identity")
        name = theirs.get("name") if isinstance(theirs, Mapping) else None
        if str(name or "").lower() != self._identity.name:
            raise RelayIncompatible(f"{relay.url} registered another name than was asked for.")
        token = _token(given, relay)
        if not token:
            raise RelayIncompatible(f"{relay.url} gave no token.")
        hostname = str(given.get("hostname") or f"{self._identity.name}.{relay.host}").lower()
        if not _HOST.fullmatch(hostname):
            raise RelayIncompatible(f"{relay.url} gave a host name that is none.")
        return Held(
            relay=relay,
            protocol=protocol,
            hostname=hostname,
            token=token,
            expires_at=self._expiry(given, wish),
            sni_port=_port(given.get("sni_port")),
            tcp_addr=_address(given.get("tcp_addr")),
            udp_addr=_address(given.get("udp_addr")),
            udp_enabled=bool(given.get("udp_enabled")),
        )

    def _expiry(self, given: Mapping[str, Any], wish: Wish) -> datetime:
        """As the relay says it, unless our clocks differ so much that it makes no sense: then what was asked for."""
        now = self._clock.now()
        try:
            expires_at = parse_rfc3339(str(given.get("expires_at", "")))
        except (ValueError, OverflowError):
            expires_at = now
        longest = timedelta(seconds=wish.ttl + 5)
        return expires_at if timedelta(seconds=1) < expires_at - now <= longest else now + timedelta(seconds=wish.ttl)

    async def _call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        relay = self._relay
        try:
            async with (
                asyncio.timeout(SECONDS),  # of it all: httpx would wait as long for each piece
                self._http.stream(
                    method, path, json=body, headers=headers, extensions={"sni_hostname": relay.host}
                ) as answer,
            ):
                content = b""
                async for piece in answer.aiter_raw():
                    content += piece
                    if len(content) > MOST_BYTES:
                        raise RelayIncompatible(f"{relay.url} answered too much to be a relay.")
        except httpx.HTTPError as fault:
            raise _unreachable(relay, fault) from None
        except TimeoutError:
            raise RelayUnreachable(f"{relay.url} did not answer within {SECONDS:.0f} seconds.") from None
        return _data(relay, answer.status_code, content)


def _data(relay: Relay, status: int, content: bytes) -> Mapping[str, Any]:
    """What is in the envelope (relay A.0)."""
    if status >= 400:
        raise refusal(status, content, relay)
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("ok"), bool):
        raise RelayIncompatible(f"{relay.url} answered {status}, and not as a relay does.")
    if not body["ok"]:
        raise refused(status, body.get("error") or {}, relay)
    data = body.get("data")
    return data if isinstance(data, dict) else {}


def _unreachable(relay: Relay, fault: httpx.HTTPError) -> RelayUnreachable:
    why: BaseException | None = fault
    while why is not None:
        if isinstance(why, ssl.SSLCertVerificationError):
            return RelayUntrusted(
                f"The certificate of {relay.url} is not trusted here ({why.verify_message}): "
                "give its authority's file with --ca FILE."
            )
        why = why.__cause__ or why.__context__
    if isinstance(fault, httpx.TimeoutException):
        return RelayUnreachable(f"{relay.url} did not answer within {SECONDS:.0f} seconds.")
    return RelayUnreachable(f"{relay.url} cannot be reached ({str(fault)[:200] or type(fault).__name__}).")


def _token(given: Mapping[str, Any], relay: Relay) -> str:
    """It goes into a header: nothing but visible ASCII."""
    token = str(given.get("access_token") or "").strip()
    if token and not (token.isascii() and token.isprintable() and " " not in token and len(token) <= 8192):
        raise RelayIncompatible(f"{relay.url} gave a token that fits no header.")
    return token


def _with(held: Held) -> dict[str, str]:
    return {"X-Portal-Access-Token": held.token}


def _port(value: object) -> int:
    return value if type(value) is int and 0 < value < 65536 else 0


def _address(value: object) -> str:
    """host:port, which people are shown; empty for anything else."""
    return value if isinstance(value, str) and _ADDRESS.fullmatch(value) else ""
