"""Which certificate a name gets, and everything that an administrator can do about it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509

from homeport.kit.clock import Clock, rfc3339
from homeport.kit.problems import ValidationFailed
from homeport.relay.authority import Authority
from homeport.relay.certificates.keyless import Keyless
from homeport.relay.certificates.names import host_name, host_or_address
from homeport.relay.certificates.orders import Order, Orders
from homeport.relay.certificates.origin import KEYLESS, Challenge, Origin, Wish
from homeport.relay.certificates.pairs import Pair, covers, describe, names_of, read_pair
from homeport.relay.certificates.problems import RenewalRefused
from homeport.relay.certificates.renewals import Renewals
from homeport.relay.certificates.self_signed import KeyType, self_signed
from homeport.relay.certificates.shelf import Kept, Shelf
from homeport.relay.ingress import Handler
from homeport.wire.client_hello import ClientHello

ANSWER_SECONDS = 55.0  # a request for an ACME certificate answers by then, with the order if it is not decided
SOON = timedelta(days=30)
MOST_NAMES = 100


@dataclass(frozen=True)
class Defaults:
    """What an order uses where the request says nothing."""

    domain: str
    email: str
    directory_url: str
    challenge: Challenge
    stream_domain: str = ""


class Certificates:
    """An uploaded, self-signed or ACME certificate that covers a name serves it; else the own authority's leaf does.

    Clients of the relay are shown the pair of `keyless`, which signs their handshakes.
    `wanted` lists apps' own domains. `answer_hello` and `answer_plain` are for the ingress: challenges of open orders.
    `open` before serving; `run` renews; `close` ends open orders, and `end` what they used.
    """

    def __init__(
        self,
        authority: Authority,
        shelf: Shelf,
        orders: Orders,
        clock: Clock,
        defaults: Defaults,
        keyless: Keyless,
        *,
        wanted: Callable[[], Iterable[str]] = lambda: (),
        answer_hello: Callable[[ClientHello], Handler | None] = lambda _: None,
        answer_plain: Callable[[str], str | None] = lambda _: None,
        end: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.answer_hello = answer_hello
        self.answer_plain = answer_plain
        self.orders = orders
        self.shelf = shelf
        self.keyless = keyless
        self.renewals = Renewals(shelf, orders, clock, wanted=wanted, wish_for=self._wish_for)
        self._authority = authority
        self._clock = clock
        self._defaults = defaults
        self._end = end

    async def open(self) -> None:
        """Read what is kept. Raises AuthorityBroken."""
        await self.shelf.open()
        await self.keyless.open()

    async def run(self) -> None:
        """Renew until it is cancelled."""
        await self.renewals.run()

    async def close(self) -> None:
        """Open orders are given up."""
        await self.orders.close()
        if self._end is not None:
            await self._end()

    def context_for(self, name: str | None) -> ssl.SSLContext:
        """The server context for a new connection; a look-up in a dictionary unless the authority has to mint."""
        return self.shelf.context_for(name) or self._authority.context_for(name)

    def context_for_hello(self, hello: ClientHello) -> ssl.SSLContext:
        """The same for a hello to the portal's own port: what cannot be a browser gets the relay's own pair."""
        pair = self.keyless.pair_for(hello)
        return pair.context if pair is not None else self.context_for(hello.server_name)

    def own_authority(self) -> Authority | None:
        """The own authority where it signs for the portal's own name; None where another certificate serves that."""
        return self._authority if self.shelf.find_for(self._defaults.domain) is None else None

    def info(self, hostname: str | None = None) -> dict[str, Any]:
        """The certificate that `hostname` (by default the portal's own name) is shown (seed 002 docs)."""
        name = host_name(hostname) if hostname else self._defaults.domain
        kept = self.shelf.find_for(name)
        leaf = kept.pair.leaf if kept else self._authority.certificate_for(name)
        stream = self._defaults.stream_domain or self._defaults.domain
        held = names_of(leaf)
        return {
            **describe(leaf, self._clock.now()),
            "method": kept.origin.method if kept else "selfsigned",
            "source": "kept" if kept else "authority",
            "domain": kept.domain if kept else name,
            "hostname_coverage": {
                "hostname": {"value": name, "covered": covers(held, name)},
                "stream_hostname": {"value": stream, "covered": covers(held, stream)},
            },
        }

    def rows(self) -> list[dict[str, Any]]:
        """The own authority first, then what is kept, by name (host digest B.3, GET /api/certs)."""
        own = _row("authority", self._defaults.domain, self._authority.certificate, self._clock.now())
        own |= {"path": str(self._authority.ca_path), "names": list(names_of(self._authority.certificate_for(None)))}
        own |= {"renewsAt": None, "error": ""}
        return [own, *map(self._row, self.shelf.list())]

    def auto_renew_status(self) -> dict[str, Any]:
        """Whether anything renews itself, when the next one is due, when was last looked."""
        due = [at for kept in self.shelf.list() if (at := self.renewals.next_at(kept)) is not None]
        next_run = rfc3339(min(due)) if due else None
        last_run = rfc3339(self.renewals.last_at) if self.renewals.last_at else None
        failing = [kept.domain for kept in self.shelf.list() if kept.origin.failures]
        return {"active": bool(due), "nextRun": next_run, "lastRun": last_run, "failing": failing}

    async def upload(self, cert: str, key: str) -> Kept:
        """Serve this pair from the next connection on. Raises CertificateRefused, and then nothing changes."""
        pair = await asyncio.to_thread(read_pair, cert, key, self._clock.now())
        self.keyless.check_other(pair)
        return await self.shelf.put(pair.domain, pair, Origin("custom", pair.names, self._clock.now()))

    async def upload_keyless(self, cert: str, key: str) -> Kept:
        """The pair that clients of the relay are shown. Raises CertificateRefused, and then nothing changes."""
        pair = await asyncio.to_thread(read_pair, cert, key, self._clock.now())
        self.keyless.check(pair)
        return await self.shelf.put(KEYLESS, pair, Origin("custom", self.keyless.names, self._clock.now()))

    def keyless_wish(self, *, email: str | None, directory_url: str | None, dns: dict[str, Any] | None) -> Wish:
        """For the portal's name and all names below it, by dns-01. Raises ValidationFailed."""
        wish = self.wish(self.keyless.names, email=email, challenge="dns-01", directory_url=directory_url, dns=dns)
        return replace(wish, known_as=KEYLESS)

    def keyless_info(self) -> dict[str, Any]:
        """Whether handshakes are signed, with which certificate; `certificate` is None when they are not."""
        pair, source = self.keyless.pair(), self.keyless.source
        described = describe(pair.leaf, self._clock.now()) if pair is not None else None
        return {"enabled": self.keyless.enabled, "source": source, "certificate": described}

    async def self_sign(self, hostname: str, days: int, key_type: KeyType) -> Kept:
        """Make a self-signed one and serve it for `hostname`."""
        name = host_or_address(hostname)
        pair = await asyncio.to_thread(self_signed, name, days, key_type, self._clock.now())
        origin = Origin("selfsigned", (name,), self._clock.now(), validity_days=days, key_type=key_type)
        return await self.shelf.put(name, pair, origin)

    async def order(self, wish: Wish) -> Order:
        """Order it, and wait for the answer or for what a person has to do, at most ANSWER_SECONDS."""
        return await self._answered(self.orders.begin(wish))

    def wish(
        self,
        names: Iterable[str],
        *,
        email: str | None = None,
        challenge: Challenge | None = None,
        directory_url: str | None = None,
        dns: dict[str, Any] | None = None,
    ) -> Wish:
        """What was asked for, completed from the settings; by dns-01 a person sets the records unless `dns` says who.

        Raises ValidationFailed.
        """
        held = tuple(dict.fromkeys(host_name(name) for name in names))
        if len(held) > MOST_NAMES:
            raise ValidationFailed({"names": f"{MOST_NAMES} at most"})
        challenge = challenge or ("dns-01" if dns else self._defaults.challenge)
        wildcard = next((name for name in held if name.startswith("*.")), None)
        if wildcard and challenge != "dns-01":
            raise ValidationFailed({"challenge": f"{wildcard} can only be proven by dns-01"})
        if challenge != "dns-01" and dns is not None:
            raise ValidationFailed({"dns": f"{challenge} needs no TXT records"})
        if challenge == "dns-01" and dns is None:
            dns = {"provider": "manual"}
        directory_url = directory_url or self._defaults.directory_url
        return Wish(held, email or self._defaults.email, challenge, directory_url, dns)

    async def go_on(self, order_id: str) -> Order:
        """The records stand. Raises OrderNotFound, OrderOpen."""
        return await self._answered(self.orders.go_on(order_id))

    async def renew(self, domain: str) -> Kept | Order:
        """Now, whenever it would be due: an order for an ACME one. Raises RenewalRefused, CertificateNotFound."""
        if domain.lower() == self._defaults.domain and not any(each.domain == domain for each in self.shelf.list()):
            raise RenewalRefused("The portal's own authority renews its certificates by itself.")
        kept = self.shelf.get(domain)
        if kept.origin.wish is not None:
            return await self.order(kept.origin.wish)
        if kept.origin.method == "selfsigned":
            return await self.self_sign(kept.domain, kept.origin.validity_days, _key_type(kept))
        raise RenewalRefused(f"The certificate of {kept.domain} was uploaded: upload the next one.")

    async def apply(self) -> str:
        """Read the files anew and judge the pair that serves the portal; a sentence. Raises CertificateRefused."""
        before = self.shelf.find_for(self._defaults.domain)
        await self.shelf.open()
        kept = self.shelf.find_for(self._defaults.domain)
        if kept is None:
            return "The portal's own authority signs its certificate, and it is in use already."
        await asyncio.to_thread(self.shelf.check, kept)
        if before is not None and before.pair.leaf == kept.pair.leaf:
            return "The certificate is valid, and in use already: nothing has to be restarted."
        return "The certificate is valid, and in use from the next connection on: nothing has to be restarted."

    async def remove(self, domain: str) -> Kept:
        """Its names go back to the own authority. Raises CertificateNotFound."""
        return await self.shelf.remove(domain)

    def describe(self, pair: Pair) -> dict[str, Any]:
        """`cert_info` in the answers."""
        return describe(pair.leaf, self._clock.now())

    def _row(self, kept: Kept) -> dict[str, Any]:
        row = _row(kept.origin.method, kept.domain, kept.pair.leaf, self._clock.now())
        at = self.renewals.next_at(kept)
        row |= {"path": str(kept.path), "names": list(kept.origin.serves)}
        return row | {"renewsAt": rfc3339(at) if at else None, "error": kept.origin.error}

    async def _answered(self, order: Order) -> Order:
        await self.orders.wait(order, ANSWER_SECONDS)
        if order.problem is not None:
            raise order.problem
        return order

    def _wish_for(self, domain: str) -> Wish | None:
        """For an app's own domain, where the setting `acme_email` asks for certificates."""
        defaults = self._defaults
        if not defaults.email or defaults.challenge == "dns-01":
            return None
        return Wish((domain,), defaults.email, defaults.challenge, defaults.directory_url, automatic=True)


def _row(kind: str, domain: str, leaf: x509.Certificate, now: datetime) -> dict[str, Any]:
    left = leaf.not_valid_after_utc - now
    soon = min(SOON, (leaf.not_valid_after_utc - leaf.not_valid_before_utc) / 4)
    return {
        "type": kind,
        "domain": domain,
        "expiresAt": rfc3339(leaf.not_valid_after_utc),
        "daysUntilExpiry": left.days,
        "expiringSoon": left < soon,
    }


def _key_type(kept: Kept) -> KeyType:
    known: dict[str, KeyType] = {"ec-p384": "ec-p384", "rsa-2048": "rsa-2048", "rsa-4096": "rsa-4096"}
    return known.get(kept.origin.key_type, "ec-p256")
