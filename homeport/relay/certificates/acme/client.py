"""An ACME client (RFC 8555): directory, account, and one order from its names to its certificate."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from homeport.kit.clock import Clock
from homeport.relay.certificates.acme.accounts import Account
from homeport.relay.certificates.acme.jws import AccountKey, bound
from homeport.relay.certificates.acme.transport import Answer, Transport
from homeport.relay.certificates.problems import AcmeFailed

POLL_SECONDS = (0.25, 0.5, 1.0, 2.0)  # then the last one again
LONGEST_WAIT = 5.0  # seconds that a directory may ask us to wait between two polls
MOST_NAMES = 100
_TRIES = 12  # of a request whose nonce the directory does not know any more


@dataclass(frozen=True)
class Binding:
    """What some authorities hand out to tie the account to a customer: a key's id and the key in base64url."""

    key_id: str
    secret: str

    def __repr__(self) -> str:
        return f"Binding({self.key_id!r})"


@dataclass(frozen=True)
class Authorization:
    """What one name asks for: `challenge_url` is told when the answer stands, `url` says whether it was seen.

    `domain` is without a wildcard's `*.`.
    """

    url: str
    domain: str
    challenge_url: str
    token: str


class AcmeClient:
    """Speaks to one directory with one account's key. Every method raises AcmeFailed, and what the guard raises."""

    def __init__(self, directory_url: str, key: AccountKey, transport: Transport, clock: Clock) -> None:
        self._directory_url = directory_url
        self.key = key
        self._transport = transport
        self._clock = clock
        self._directory: Mapping[str, Any] = {}
        self._nonce = ""
        self._account_url = ""

    async def enter(self, account: Account, email: str, binding: Binding | None = None) -> str:
        """Use the account, or register it; its address. An account that the directory has forgotten is made anew."""
        self._directory = (await self._checked(await self._transport.send("GET", self._directory_url))).json()
        if account.url:
            self._account_url = account.url
            return account.url
        wanted: dict[str, Any] = {"termsOfServiceAgreed": True}
        if email:
            wanted["contact"] = [f"mailto:{email}"]
        url = self._resource("newAccount")
        if binding is not None:
            wanted["externalAccountBinding"] = bound(self.key.jwk, url, binding.key_id, binding.secret)
        answer = await self._post(url, wanted)
        self._account_url = answer.headers.get("location", "")
        if not self._account_url:
            raise AcmeFailed("The directory gave the account no address.")
        return self._account_url

    async def order(self, names: Sequence[str]) -> tuple[str, dict[str, Any]]:
        """A new order: its address and what it says."""
        wanted = {"identifiers": [{"type": "dns", "value": name} for name in names]}
        answer = await self._post(self._resource("newOrder"), wanted)
        return answer.headers.get("location", ""), answer.json()

    async def authorization(self, url: str, kind: str) -> Authorization | None:
        """What is asked for by a challenge of that kind; None when the name is proven already."""
        body = (await self._post(url, None)).json()
        domain = str((body.get("identifier") or {}).get("value", ""))
        if body.get("status") == "valid":
            return None
        offered = [each for each in body.get("challenges") or () if isinstance(each, dict)]
        challenge = next((each for each in offered if each.get("type") == kind), None)
        if challenge is None:
            kinds = ", ".join(sorted(str(each.get("type")) for each in offered)) or "nothing"
            raise AcmeFailed(f"For {domain} the directory offers {kinds}, and not {kind}.")
        return Authorization(url, domain, str(challenge.get("url", "")), str(challenge.get("token", "")))

    async def answer(self, asked: Authorization) -> None:
        """Say that the answer stands."""
        await self._post(asked.challenge_url, {})

    async def proven(self, asked: Authorization, deadline: float) -> None:
        """Returns once the directory has seen the answer. `deadline` is by the clock's monotonic seconds."""
        body = await self._poll(asked.url, {"pending", "processing"}, deadline)
        if body.get("status") != "valid":
            raise AcmeFailed(f"{asked.domain} is not proven: {_why(body)}")

    async def finalize(self, url: str, order: Mapping[str, Any], csr: bytes, deadline: float) -> str:
        """The chain in PEM, for a signing request in DER."""
        request = base64.urlsafe_b64encode(csr).decode().rstrip("=")
        answer = await self._post(str(order.get("finalize", "")), {"csr": request})
        body = answer.json()
        if body.get("status") != "valid":
            body = await self._poll(answer.headers.get("location") or url, {"pending", "processing", "ready"}, deadline)
        if body.get("status") != "valid" or not body.get("certificate"):
            raise AcmeFailed(f"The order did not become a certificate: {_why(body)}")
        found = await self._post(str(body["certificate"]), None, accept="application/pem-certificate-chain")
        return found.body.decode("ascii", "replace")

    async def _poll(self, url: str, busy: set[str], deadline: float) -> dict[str, Any]:
        tries = 0
        while True:
            answer = await self._post(url, None)
            body = answer.json()
            if body.get("status") not in busy:
                return body
            if self._clock.monotonic() >= deadline:
                raise AcmeFailed(f"The directory has not decided in time: it is still {body.get('status')}.")
            asked = answer.headers.get("retry-after", "")
            pause = POLL_SECONDS[min(tries, len(POLL_SECONDS) - 1)]
            await self._clock.sleep(min(float(asked), LONGEST_WAIT) if asked.isdigit() else pause)
            tries += 1

    def _resource(self, name: str) -> str:
        url = self._directory.get(name)
        if not isinstance(url, str):
            raise AcmeFailed(f"{self._directory_url[:200]} is no ACME directory: it does not say where {name} is.")
        return url

    async def _post(self, url: str, payload: object | None, *, accept: str = "application/json") -> Answer:
        """A signed request; a nonce that is not known any more is replaced (RFC 8555 section 6.5)."""
        headers = {"Content-Type": "application/jose+json", "Accept": accept}
        who: dict[str, Any] = {"kid": self._account_url} if self._account_url else {"jwk": self.key.jwk}
        for last in range(_TRIES - 1, -1, -1):
            if not self._nonce:
                fresh = await self._transport.send("HEAD", self._resource("newNonce"))
                self._nonce = fresh.headers.get("replay-nonce", "")
            protected = {"nonce": self._nonce, "url": url, **who}
            answer = await self._transport.send("POST", url, self.key.sign(payload, protected), headers)
            self._nonce = answer.headers.get("replay-nonce", "")
            if answer.status != 400 or not last or not _problem(answer).get("type", "").endswith(":badNonce"):
                break
        if answer.headers.get("location"):
            absolute = urljoin(url, answer.headers["location"])
            answer = Answer(answer.status, {**answer.headers, "location": absolute}, answer.body)
        return await self._checked(answer)

    async def _checked(self, answer: Answer) -> Answer:
        if answer.status < 300:
            return answer
        problem = _problem(answer)
        detail = _printable(problem.get("detail", "")) or "it gave no reason"
        kind = problem.get("type", "").rpartition(":")[2]
        later = answer.headers.get("retry-after", "")
        when = f" Try again after {_printable(later)[:40]}{' seconds' if later.isdigit() else ''}." if later else ""
        details: dict[str, Any] = {"type": kind, "directory_status": answer.status}
        if later.isdigit():
            details["retry_after"] = int(later)
        raise AcmeFailed(f"The directory refused ({answer.status}): {detail}.{when}", details=details)


def _problem(answer: Answer) -> dict[str, str]:
    try:
        found = answer.json()
    except AcmeFailed:
        return {}
    return {name: text for name, text in found.items() if isinstance(text, str)}


def _why(body: Mapping[str, Any]) -> str:
    """The directory's own words, of the order or of the first challenge that failed."""
    for each in (body, *(body.get("challenges") or ())):
        error = each.get("error") if isinstance(each, dict) else None
        if isinstance(error, dict):
            return f"{_printable(str(error.get('detail', '')))}."
    return f"it is {body.get('status')}."


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:300].rstrip(".")
