"""Other relays: whose word counts for which address, and for how long (digest G.4)."""

from __future__ import annotations

import ipaddress
import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from homeport.kit.clock import Clock
from homeport.relay.models import PeerRow
from homeport.wire.relay_descriptor import SECOND, Descriptor, InvalidDescriptor, read

MOST_PEERS = 512
MOST_GUARDS = 4096  # addresses whose newest descriptor is remembered
SKEW_NS = 120 * SECOND
LONGEST_NS = 15 * 60 * SECOND  # a descriptor may be valid for
FAILURES = 5  # in a row, then a peer is asked less and less often
LONGEST_PAUSE = timedelta(minutes=30)


class Refused(Exception):
    """A descriptor that is not taken; the message says why."""


@dataclass(eq=False, slots=True)
class Peer:
    """`confirmed`: it has answered us at its address itself. `due_at` is when to ask it next."""

    descriptor: Descriptor
    confirmed: bool
    due_at: datetime
    failures: int = 0


class Peers:
    """In memory and bounded: who was only heard of goes first, the longest unheard of; bootstraps stay.

    `own_url` and `own_host` are never a peer's.
    """

    def __init__(self, clock: Clock, version: str, own_url: str, own_host: str, bootstraps: Iterable[str]) -> None:
        self._clock = clock
        self._version = version
        self._own_url = own_url
        self._own_host = own_host
        self.bootstraps = tuple(url for url in dict.fromkeys(bootstraps) if url != own_url)
        self._peers: OrderedDict[str, Peer] = OrderedDict()  # by URL, the longest unheard of first
        self._newest: OrderedDict[str, int] = OrderedDict()  # by signing address: nanoseconds
        self.changes = 0

    def current(self) -> list[Descriptor]:
        """Those that have not expired."""
        now = self._now_ns()
        return [peer.descriptor for peer in self._peers.values() if peer.descriptor.expires_ns > now]

    def due(self) -> list[str]:
        """Whom to ask now, besides the bootstraps."""
        now = self._clock.now()
        return [url for url, peer in self._peers.items() if peer.due_at <= now and url not in self.bootstraps]

    def is_news(self, descriptor: Descriptor) -> bool:
        """Whether it may be worth a look at its signature: that it is not what is known already, or older."""
        known = self._peers.get(descriptor.url)
        return (
            known is None
            or known.descriptor.address != descriptor.address
            or known.descriptor.issued_ns < descriptor.issued_ns
        )

    def accept(self, descriptor: Descriptor, *, asked: str | None = None) -> bool:
        """Take a descriptor; whether it says anything new. `asked` is the URL that gave it to us, if one did.

        Raises Refused. An older one of the same relay at the same address changes nothing, and is no offence.
        """
        direct = asked == descriptor.url
        self._check(descriptor)
        known = self._peers.get(descriptor.url)
        now = self._now_ns()
        if known is not None and known.descriptor.address == descriptor.address:
            if descriptor.issued_ns <= known.descriptor.issued_ns:
                known.confirmed = known.confirmed or direct
                return False
        elif known is not None and known.descriptor.expires_ns > now and not direct:
            raise Refused("this address belongs to another relay")
        if descriptor.issued_ns < self._newest.get(descriptor.address, 0):
            raise Refused("this relay has signed a newer descriptor")
        self._remember(descriptor)
        confirmed = direct or (known is not None and known.confirmed and known.descriptor.address == descriptor.address)
        due_at = known.due_at if known is not None else self._clock.now()
        failures = 0 if direct or known is None else known.failures
        self._peers[descriptor.url] = Peer(descriptor, confirmed, due_at, failures)
        self._peers.move_to_end(descriptor.url)
        self.changes += 1
        self._make_room()
        return True

    def answered(self, url: str, every: timedelta) -> None:
        """It was asked, and gave an answer."""
        if (peer := self._peers.get(url)) is not None:
            peer.failures, peer.due_at = 0, self._clock.now() + every

    def failed(self, url: str, every: timedelta) -> None:
        """It was asked, and gave none that counts."""
        peer = self._peers.get(url)
        if peer is None:
            return
        peer.failures += 1
        if peer.failures >= FAILURES:
            peer.confirmed = False
        pause = every * (1 << min(max(0, peer.failures - FAILURES + 1), 6))
        peer.due_at = self._clock.now() + min(pause, LONGEST_PAUSE)

    def sweep(self) -> None:
        """Forget who has expired, and whose newest descriptor could not be brought back any more."""
        now = self._now_ns()
        for url in [url for url, peer in self._peers.items() if peer.descriptor.expires_ns <= now]:
            del self._peers[url]
            self.changes += 1
        for address in [one for one, issued in self._newest.items() if issued + LONGEST_NS <= now]:
            del self._newest[address]

    def rows(self) -> list[PeerRow]:
        """As they are kept on disk."""
        return [
            PeerRow(
                url=url,
                address=peer.descriptor.address,
                descriptor=json.dumps(peer.descriptor.raw),
                confirmed=peer.confirmed,
                issued_at_ns=str(peer.descriptor.issued_ns),
                expires_at=datetime.fromtimestamp(peer.descriptor.expires_ns // SECOND, UTC),
                seen_at=self._clock.now(),
            )
            for url, peer in self._peers.items()
        ]

    def load(self, rows: Iterable[PeerRow]) -> None:
        """As they were kept; what does not count any more is left out."""
        for row in rows:
            try:
                self.accept(read(json.loads(row.descriptor)), asked=row.url if row.confirmed else None)
            except (Refused, InvalidDescriptor, ValueError):
                continue

    def _check(self, descriptor: Descriptor) -> None:
        now = self._now_ns()
        if descriptor.version != self._version:
            raise Refused(f"the descriptor is of version {descriptor.version[:20]!r}, not {self._version!r}")
        if is_local(descriptor.host):
            raise Refused("this address is of a machine of its own, not of a relay")
        if descriptor.url == self._own_url or descriptor.host == self._own_host:
            raise Refused("this address is our own")
        if descriptor.issued_ns > now + SKEW_NS:
            raise Refused("the descriptor is from the future")
        if descriptor.expires_ns <= now:
            raise Refused("the descriptor has expired")
        if not 0 < descriptor.expires_ns - descriptor.issued_ns <= LONGEST_NS:
            raise Refused("the descriptor is valid for too long a time")
        try:
            descriptor.verify()
        except InvalidDescriptor as problem:
            raise Refused(str(problem)) from problem

    def _remember(self, descriptor: Descriptor) -> None:
        self._newest[descriptor.address] = descriptor.issued_ns
        self._newest.move_to_end(descriptor.address)
        if len(self._newest) > MOST_GUARDS:
            self._newest.popitem(last=False)

    def _make_room(self) -> None:
        if len(self._peers) <= MOST_PEERS:
            return
        pinned = set(self.bootstraps)
        for confirmed in (False, True):
            for url, peer in self._peers.items():
                if peer.confirmed is confirmed and url not in pinned:
                    del self._peers[url]
                    return

    def _now_ns(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000) * 1000


def is_local(host: str) -> bool:
    """Whether a host name says nothing outside of a machine or network of its own."""
    host = host.rstrip(".")
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")) or not host:
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host
