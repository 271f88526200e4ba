"""From a wish to a pair: account, order, answers, signing request. Nothing of an order outlives a failure or a kill."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from homeport.kit.clock import Clock
from homeport.kit.guard import OutboundGuard
from homeport.kit.problems import Problem
from homeport.relay.certificates.acme.accounts import Accounts
from homeport.relay.certificates.acme.alpn_answers import AlpnAnswers
from homeport.relay.certificates.acme.answers import Answers, Tell
from homeport.relay.certificates.acme.client import AcmeClient, Authorization, Binding
from homeport.relay.certificates.acme.dns_answers import dns_answers
from homeport.relay.certificates.acme.http_answers import HttpAnswers
from homeport.relay.certificates.acme.jws import AccountKey
from homeport.relay.certificates.acme.transport import Transport
from homeport.relay.certificates.origin import Wish
from homeport.relay.certificates.pairs import Pair, covers, key_pem, read_pair
from homeport.relay.certificates.problems import AcmeFailed

log = structlog.get_logger()

SKEW = timedelta(minutes=5)  # a directory's clock may be ahead of ours
DECISION_SECONDS = 90.0  # from the answers' standing to the certificate


class Issuer(Protocol):
    """Gets a pair for a wish. `tell` hears of records that a person has to set; then it waits for `go_on`."""

    async def issue(self, wish: Wish, tell: Tell, go_on: asyncio.Event) -> Pair:
        """Raises a Problem when there is none to be had."""
        ...


class AcmeIssuer:
    """One key pair for each certificate, ECDSA on P-256; it never leaves this machine. `key_for` gives the key for a
    wish whose certificates all have the same one, None for the others."""

    def __init__(
        self,
        accounts: Accounts,
        transport: Transport,
        guard: OutboundGuard,
        clock: Clock,
        http: HttpAnswers,
        alpn: AlpnAnswers,
        binding: Binding | None = None,
        *,
        key_for: Callable[[Wish], ec.EllipticCurvePrivateKey | None] = lambda _: None,
    ) -> None:
        self._key_for = key_for
        self._accounts = accounts
        self._transport = transport
        self._guard = guard
        self._clock = clock
        self._http = http
        self._alpn = alpn
        self._binding = binding

    async def issue(self, wish: Wish, tell: Tell, go_on: asyncio.Event) -> Pair:
        """Seconds to minutes; an hour when a person takes part."""
        answers = self._answers(wish, tell, go_on)
        client, url, order = await self._order(wish)
        links = [str(each) for each in order.get("authorizations") or ()]
        if len(links) > len(wish.names):
            raise AcmeFailed("The directory asks for more names than were ordered.")
        asked = [await client.authorization(link, wish.challenge) for link in links]
        open_ = [each for each in asked if each is not None]
        ordered = {name.removeprefix("*.") for name in wish.names}
        if strange := next((each.domain for each in open_ if each.domain not in ordered), None):
            raise AcmeFailed(f"The directory wants a proof for {strange[:100]!r}, which was not ordered.")
        await self._prove(client, answers, open_)
        key = self._key_for(wish) or ec.generate_private_key(ec.SECP256R1())
        request = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(x509.Name([]))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in wish.names]), critical=False)
            .sign(key, hashes.SHA256())
        )
        deadline = self._clock.monotonic() + DECISION_SECONDS
        chain = await client.finalize(url, order, request.public_bytes(serialization.Encoding.DER), deadline)
        pair = read_pair(chain, key_pem(key), self._clock.now() + SKEW)
        if missing := [name for name in wish.names if not covers(pair.names, name)]:
            raise AcmeFailed(f"The directory's certificate leaves out {missing[0]}.")
        return pair

    def _answers(self, wish: Wish, tell: Tell, go_on: asyncio.Event) -> Answers:
        if wish.challenge == "dns-01":
            return dns_answers(wish.dns or {}, self._guard, self._transport, self._clock, tell, go_on)
        return self._http if wish.challenge == "http-01" else self._alpn

    async def _order(self, wish: Wish) -> tuple[AcmeClient, str, dict[str, Any]]:
        account = await self._accounts.find(wish.directory_url)
        client = AcmeClient(wish.directory_url, AccountKey.from_pem(account.key), self._transport, self._clock)
        for _ in range(2):
            url = await client.enter(account, wish.email, self._binding)
            if url != account.url:
                account = replace(account, url=url)
                await self._accounts.keep(account)
            try:
                return client, *(await client.order(wish.names))
            except AcmeFailed as problem:
                if (problem.details or {}).get("type") != "accountDoesNotExist":
                    raise
                log.info("the directory has forgotten the account: registering anew", directory=wish.directory_url)
                account = replace(account, url="")
                client = AcmeClient(wish.directory_url, AccountKey.from_pem(account.key), self._transport, self._clock)
        raise AcmeFailed("The directory forgets its account at once.")

    async def _prove(self, client: AcmeClient, answers: Answers, asked: Sequence[Authorization]) -> None:
        async with AsyncExitStack() as stack:
            for each in asked:
                authorization = client.key.authorization(each.token)
                stack.push_async_callback(_withdraw, answers, each, authorization)
                await answers.present(each.domain, each.token, authorization)
            await answers.ready()
            deadline = self._clock.monotonic() + DECISION_SECONDS
            try:
                for each in asked:
                    await client.answer(each)
                for each in asked:
                    await client.proven(each, deadline)
            except AcmeFailed as problem:
                if answers is self._http and self._http.trouble:
                    raise AcmeFailed(
                        f"{problem.message} Here, {self._http.trouble}.", details=problem.details
                    ) from None
                raise


async def _withdraw(answers: Answers, asked: Authorization, authorization: str) -> None:
    """What cannot be taken away is said in the log: the certificate is had all the same."""
    try:
        await answers.withdraw(asked.domain, asked.token, authorization)
    except Problem as problem:
        log.warning("an answer to an ACME challenge was left behind", domain=asked.domain, reason=problem.message)
