"""Certificates for tests: a small authority, and an issuer that gives what it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from homeport.kit.clock import Clock
from homeport.relay.certificates.acme.answers import Record, Tell
from homeport.relay.certificates.origin import Wish
from homeport.relay.certificates.pairs import Pair, load_pair
from homeport.relay.certificates.problems import AcmeFailed

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Pem:
    """A certificate's chain and its key."""

    cert: str
    key: str


class TestAuthority:
    """A root and an intermediate; what it signs carries the intermediate along."""

    __test__ = False  # pytest would take it for tests

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._middle_key = ec.generate_private_key(ec.SECP256R1())
        root = _name("Test root")
        self.root = _certificate(root, root, self._key.public_key(), self._key, is_ca=True)
        self.middle = _certificate(_name("Test middle"), root, self._middle_key.public_key(), self._key, is_ca=True)

    def sign(
        self,
        names: Sequence[str],
        *,
        begins: datetime,
        lasts: timedelta = timedelta(days=90),
        key: Key | None = None,
        usage: x509.ObjectIdentifier | None = None,
    ) -> Pem:
        """A pair for host names and addresses; without a middle's usage unless one is given."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        leaf = _certificate(
            _name(names[0] if names else "nobody"), self.middle.subject, key.public_key(), self._middle_key,
            names=names, begins=begins, ends=begins + lasts, usage=usage,
        )  # fmt: skip
        return Pem(_pem(leaf) + _pem(self.middle), key_text(key))


class TestIssuer:
    """Gives a pair of `authority` that begins now and lasts `lasts`; raises `failure` when there is one.

    `asks` makes it tell a record for each name and wait for a person; `hold` makes it wait until it is set.
    """

    __test__ = False

    def __init__(self, authority: TestAuthority, clock: Clock, lasts: timedelta = timedelta(days=90)) -> None:
        self._authority = authority
        self._clock = clock
        self._lasts = lasts
        self.failure: str | None = None
        self.asks = False
        self.hold: asyncio.Event | None = None
        self.wishes: list[Wish] = []

    async def issue(self, wish: Wish, tell: Tell, go_on: asyncio.Event) -> Pair:
        self.wishes.append(wish)
        if self.asks:
            for name in wish.names:
                tell(Record(f"_acme-challenge.{name}", "value"))
            await go_on.wait()
        if self.hold is not None:
            await self.hold.wait()
        if self.failure is not None:
            raise AcmeFailed(self.failure)
        pem = self._authority.sign(wish.names, begins=self._clock.now(), lasts=self._lasts)
        return load_pair(pem.cert, pem.key)


def key_text(key: Key, password: bytes | None = None) -> str:
    """PKCS #8 in PEM, locked when there is a password."""
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock).decode()


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    is_ca: bool = False,
    names: Sequence[str] = (),
    begins: datetime | None = None,
    ends: datetime | None = None,
    usage: x509.ObjectIdentifier | None = None,
) -> x509.Certificate:
    long_ago = datetime.fromisoformat("2020-01-01T00:00:00+00:00")
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins or long_ago)
        .not_valid_after(ends or long_ago + timedelta(days=36500))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_general, names))), critical=False)
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(signer, hashes.SHA256())
