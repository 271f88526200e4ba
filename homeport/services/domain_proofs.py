"""Whether a domain is somebody's own: a TXT record or a file that only its owner can have put there."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from homeport.kit.addresses import address_and_port
from homeport.kit.guard import OutboundGuard
from homeport.kit.problems import Problem
from homeport.services.domain_names import file_path, proof_value, txt_name

TxtResolver = Callable[[str], Awaitable[Sequence[str]]]

SECONDS = 10.0  # for each way
MAX_FILE_BYTES = 1024
MAX_RECORDS = 100
DNS_PORT = 53
HTTP_PORT = 80


class ProofMissing(Exception):
    """One way did not prove it; the message is half a sentence that says what was found."""


@dataclass(frozen=True)
class Findings:
    """What each way has found: None is the proof, else why it is none."""

    dns: str | None
    http: str | None

    @property
    def proven(self) -> bool:
        return self.dns is None or self.http is None


class Proofs:
    """Asks DNS, and the domain's own web server through the outbound guard; both at once."""

    def __init__(self, resolve_txt: TxtResolver, guard: OutboundGuard, *, http_port: int = HTTP_PORT) -> None:
        self._resolve_txt = resolve_txt
        self._guard = guard
        self._http_port = http_port

    async def look(self, domain: str, token: str) -> Findings:
        """Takes ten seconds at most."""
        ways = (self._dns(domain, token), self._http(domain, token))
        return Findings(*await asyncio.gather(*map(_outcome, ways)))

    async def _dns(self, domain: str, token: str) -> None:
        records = await self._resolve_txt(txt_name(domain))
        wanted = proof_value(token).encode()
        if not any(hmac.compare_digest(record.strip().encode(), wanted) for record in records[:MAX_RECORDS]):
            raise ProofMissing(f"{txt_name(domain)} has no TXT record with this value")

    async def _http(self, domain: str, token: str) -> None:
        """A redirect is no proof: who is asked is the domain itself."""
        import httpx

        addresses = await self._guard.resolve(domain, self._http_port)
        address = addresses[0]
        host = f"[{address}]" if ":" in address else address
        shown = f"http://{domain}{file_path(token)}"
        try:
            async with (
                httpx.AsyncClient(trust_env=False, timeout=SECONDS) as client,
                client.stream(
                    "GET",
                    f"http://{host}:{self._http_port}{file_path(token)}",
                    headers={"Host": domain, "Accept-Encoding": "identity", "User-Agent": "homeport"},
                ) as answer,
            ):
                if answer.status_code != 200:
                    raise ProofMissing(f"{shown} answered {answer.status_code}")
                body = b""
                async for piece in answer.aiter_raw(MAX_FILE_BYTES):
                    body += piece
                    if len(body) > MAX_FILE_BYTES:
                        raise ProofMissing(f"{shown} answered more than {MAX_FILE_BYTES} bytes")
        except httpx.HTTPError as problem:
            raise ProofMissing(f"{shown} did not answer ({type(problem).__name__})") from None
        if not hmac.compare_digest(body.strip(), proof_value(token).encode()):
            raise ProofMissing(f"{shown} answered something else")


async def _outcome(way: Awaitable[None]) -> str | None:
    try:
        async with asyncio.timeout(SECONDS):
            await way
    except ProofMissing as missing:
        return str(missing)
    except Problem as problem:  # the guard's
        return problem.message.rstrip(".")
    except TimeoutError:
        return "there was no answer in time"
    return None


def txt_resolver(servers: Sequence[str] = ()) -> TxtResolver:
    """Asks `servers` (address or address:port), or whom this machine asks."""
    endpoints = [address_and_port(server, DNS_PORT) for server in servers]

    async def resolve(name: str) -> Sequence[str]:
        import dns.asyncresolver
        import dns.exception
        import dns.nameserver
        import dns.resolver

        try:
            resolver = dns.asyncresolver.Resolver(configure=not endpoints)
            if endpoints:
                resolver.nameservers = [dns.nameserver.Do53Nameserver(*endpoint) for endpoint in endpoints]
            answer = await resolver.resolve(f"{name}.", "TXT", lifetime=SECONDS - 1, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            return ()
        except dns.exception.DNSException as problem:
            raise ProofMissing(f"the name servers gave no answer for {name} ({type(problem).__name__})") from None
        records = answer.rrset or ()
        return [b"".join(record.strings).decode("utf-8", "replace") for record in records]

    return resolve
