"""The relay's own pair: what clients of the relay are shown, and what signs their handshakes (docs/decisions/0011)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from homeport.kit.clock import Clock
from homeport.kit.files import atomic_write
from homeport.relay.authority import Authority, AuthorityBroken
from homeport.relay.certificates.origin import KEYLESS, Wish
from homeport.relay.certificates.pairs import Pair, covers, key_pem, load_pair
from homeport.relay.certificates.problems import CertificateRefused
from homeport.relay.certificates.shelf import Shelf
from homeport.wire.client_hello import ClientHello

log = structlog.get_logger()

MOST_TUNNELS = 100  # named in the certificate
AGAIN = timedelta(minutes=1)  # a pair may run out without anybody changing anything
_PLAIN = frozenset({"http/1.1", "http/1.0"})
_DELEGATED_CREDENTIALS = 34  # RFC 9345: of Firefox


@dataclass(frozen=True)
class _Found:
    pair: Pair | None
    changes: int
    until: datetime


class Keyless:
    """Chooses the pair: the one kept as `_keyless`, else one that the own authority signs for the key in `key_file`
    where the authority signs for the portal's name too, else none. Then keyless is off, as it is without `enabled`.

    The key in `key_file` (0600, made once) stays the same over renewals: clients go on with a chain they were shown.

    Right below a name of one label (`*.localhost`), OpenSSL and browsers take no wildcard: there, the own authority
    writes the tunnels' names into the certificate, too.
    """

    def __init__(
        self, key_file: Path, authority: Authority, shelf: Shelf, clock: Clock, *, domain: str, enabled: bool
    ) -> None:
        self.enabled = enabled
        self._key_file = key_file
        self._authority = authority
        self._shelf = shelf
        self._clock = clock
        self._domain = domain
        self._key: ec.EllipticCurvePrivateKey | None = None
        self._own: tuple[Pair, datetime] | None = None  # by the own authority, and when to sign the next one
        self._found: _Found | None = None
        self._tunnels: OrderedDict[str, None] = OrderedDict()  # host names, the newest last

    def include(self, hostname: str) -> None:
        """There is a tunnel of this name: the certificate has to be good for it from the next connection on."""
        if "." in self._domain or hostname in self._tunnels:
            return
        self._tunnels[hostname] = None
        if len(self._tunnels) > MOST_TUNNELS:
            self._tunnels.popitem(last=False)
        self._own = self._found = None

    @property
    def names(self) -> tuple[str, ...]:
        """What a pair has to cover."""
        return (self._domain, f"*.{self._domain}")

    async def open(self) -> None:
        """Read the key, or make it. Raises AuthorityBroken."""
        if self.enabled:
            self._key = await asyncio.to_thread(self._load)

    def pair(self) -> Pair | None:
        """The pair that is used now; quick, for it is asked for each connection and signature."""
        found, now = self._found, self._clock.now()
        if found is None or found.changes != self._shelf.changes or found.until <= now:
            found = self._found = _Found(self._find(now), self._shelf.changes, now + AGAIN)
        return found.pair

    def pair_for(self, hello: ClientHello) -> Pair | None:
        """The pair for a connection to the portal's own name that is not a browser's: see `is_browser`."""
        if hello.server_name != self._domain or is_browser(hello):
            return None
        return self.pair()

    def key_for(self, wish: Wish) -> ec.EllipticCurvePrivateKey | None:
        """The key to order the pair with; None for any other order."""
        return self._key if wish.domain == KEYLESS else None

    def check(self, pair: Pair) -> None:
        """Raises CertificateRefused for what cannot be the relay's pair."""
        if missing := next((name for name in self.names if not covers(pair.names, name)), None):
            raise CertificateRefused(f"The relay's certificate has to name {' and '.join(self.names)}: not {missing}.")
        if same := self._sharing(pair):
            raise CertificateRefused(f"The relay's certificate needs a key of its own: this one serves {same}, too.")

    def check_other(self, pair: Pair) -> None:
        """Raises CertificateRefused for a pair whose key strangers can have sign."""
        held = [self._shelf.keyless.pair.leaf.public_key()] if self._shelf.keyless else []
        if self._key is not None:
            held.append(self._key.public_key())
        if any(_same(pair, key) for key in held):
            raise CertificateRefused("This key signs for the relay's tunnels: a certificate needs a key of its own.")

    @property
    def source(self) -> str:
        """Where the pair comes from: `kept`, `authority`, or `none`."""
        pair, kept = self.pair(), self._shelf.keyless
        return "none" if pair is None else "kept" if kept is not None and kept.pair is pair else "authority"

    def _find(self, now: datetime) -> Pair | None:
        if not self.enabled:
            return None
        kept = self._shelf.keyless
        if kept is not None and kept.not_after > now and all(covers(kept.pair.names, name) for name in self.names):
            if (same := self._sharing(kept.pair)) is None:
                return kept.pair
            log.error("keyless is off: the relay's key also serves a name of its own", name=same)
            return None
        if self._key is None or self._shelf.find_for(self._domain) is not None:
            return None
        if self._own is None or self._own[1] <= now:
            self._own = self._signed(self._key, now)
        return self._own[0]

    def _signed(self, key: ec.EllipticCurvePrivateKey, now: datetime) -> tuple[Pair, datetime]:
        leaf = self._authority.certify(key.public_key(), also=self._tunnels)
        ca = self._authority.certificate
        chain = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in (leaf, ca))
        return load_pair(chain, key_pem(key)), now + (leaf.not_valid_after_utc - now) * 2 / 3

    def _sharing(self, pair: Pair) -> str | None:
        """A kept certificate with the same key."""
        key = pair.leaf.public_key()
        return next(
            (each.domain for each in self._shelf.list() if each.domain != KEYLESS and _same(each.pair, key)), None
        )

    def _load(self) -> ec.EllipticCurvePrivateKey:
        if not self._key_file.exists():
            self._key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            made = ec.generate_private_key(ec.SECP256R1())
            atomic_write(self._key_file, key_pem(made), mode=0o600)
            return made
        try:
            key = serialization.load_pem_private_key(self._key_file.read_bytes(), password=None)
        except (ValueError, TypeError) as problem:
            raise AuthorityBroken(f"{self._key_file} cannot be read: {problem}") from problem
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise AuthorityBroken(f"{self._key_file} holds no key for ECDSA: delete it to have a new one made.")
        return key


def is_browser(hello: ClientHello) -> bool:
    """Browsers offer more than HTTP/1.1, but not for WebSockets: there they are known by what no other client sends.

    A WebSocket that is shown another certificate than the page fails where somebody has allowed only the page's.
    """
    return not _PLAIN.issuperset(hello.alpn) or hello.greases or _DELEGATED_CREDENTIALS in hello.extensions


def _same(pair: Pair, key: CertificatePublicKeyTypes) -> bool:
    return pair.leaf.public_key() == key
