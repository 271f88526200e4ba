"""The portal's own certificate authority: one CA to trust, one leaf for each name, minted when first asked for."""

from __future__ import annotations

import ipaddress
import re
import secrets
import ssl
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from homeport.kit.clock import Clock
from homeport.kit.files import atomic_write
from homeport.kit.problems import Problem
from homeport.relay.contexts import server_context

log = structlog.get_logger()

CA_LIFETIME = timedelta(days=3653)
LEAF_LIFETIME = timedelta(days=397)  # browsers refuse more than 398
BACKDATED = timedelta(hours=1)  # for clients whose clock is behind
STRANGERS_BURST = 64  # leaves minted at once for names that nothing is known about
STRANGERS_PER_SECOND = 2.0

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")


class AuthorityBroken(Problem):
    """The CA's files do not fit together; the message says which and what to do."""

    code = "authority_broken"


@dataclass(frozen=True)
class _Leaf:
    context: ssl.SSLContext
    certificate: x509.Certificate
    renew_at: datetime


class Authority:
    """Keeps `ca.pem` and `ca.key` (0600) in `directory`; leaves live in memory only.

    `domain` is the portal's host name: a leaf is minted for it, and for names one label below it. `known` says of such
    a name whether something lives there: its leaf is always minted. Other names below the domain get one too (their
    404 page should not look like an attack), but only so many a second, and then the base leaf. `foreign` says of any
    other name whether it is an app's own domain: it has a leaf, too, which whoever trusts the CA accepts. `addresses`
    are further addresses that people type, beside 127.0.0.1 and ::1.
    """

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        *,
        domain: str = "localhost",
        known: Callable[[str], bool] = lambda _: False,
        foreign: Callable[[str], bool] = lambda _: False,
        addresses: Iterable[str] = (),
        cached: int = 512,
    ) -> None:
        self.ca_path = directory / "ca.pem"
        self._key_path = directory / "ca.key"
        self._directory = directory
        self._clock = clock
        self._domain = domain.lower()
        self._known = known
        self._foreign = foreign
        self._addresses = tuple(dict.fromkeys(ipaddress.ip_address(each) for each in ("127.0.0.1", "::1", *addresses)))
        self._cached = cached
        self._leaves: OrderedDict[str, _Leaf] = OrderedDict()
        self._strangers = float(STRANGERS_BURST)
        self._strangers_at = clock.monotonic()
        self._ca: x509.Certificate
        self._key: ec.EllipticCurvePrivateKey

    def open(self) -> None:
        """Load the CA, or make it; a few milliseconds of file work. Raises AuthorityBroken."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.ca_path.exists():
            # The certificate is written last: a key alone was never trusted by anyone.
            self._create()
            return
        if not self._key_path.exists():
            raise AuthorityBroken(
                f"{self._key_path} is missing. Bring it back, or delete {self.ca_path} to make a new authority "
                "that every browser has to trust again."
            )
        try:
            ca = x509.load_pem_x509_certificate(self.ca_path.read_bytes())
            key = serialization.load_pem_private_key(self._key_path.read_bytes(), password=None)
        except ValueError as problem:
            raise AuthorityBroken(f"{self.ca_path} or {self._key_path} cannot be read: {problem}") from problem
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != ca.public_key():
            raise AuthorityBroken(f"{self._key_path} is not the key of {self.ca_path}.")
        if ca.not_valid_after_utc <= self._clock.now():
            log.warning("the certificate authority has expired: making a new one", expired_at=ca.not_valid_after_utc)
            self._create()
            return
        self._ca, self._key = ca, key

    def context_for(self, name: str | None) -> ssl.SSLContext:
        """The server context for a connection that asks for `name` (None: no name): its own leaf, else the base leaf.

        Minting takes about a millisecond, so it happens here, on the event loop.
        """
        return self._leaf_for(name).context

    def certificate_for(self, name: str | None) -> x509.Certificate:
        """The leaf that such a connection is shown."""
        return self._leaf_for(name).certificate

    @property
    def certificate(self) -> x509.Certificate:
        """The authority's own certificate."""
        return self._ca

    def certify(
        self,
        key: CertificatePublicKeyTypes,
        name: str = "",
        *,
        also: Iterable[str] = (),
        lifetime: timedelta = LEAF_LIFETIME - BACKDATED,
    ) -> x509.Certificate:
        """A server certificate for somebody else's key: for one host name, or without one for all that the base leaf
        holds (the portal's name, what is below it, this machine); for the host names `also`, too."""
        now = self._clock.now()
        common_name = name or self._domain
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if len(common_name) <= 64 else []
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name(subject))
            .issuer_name(self._ca.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATED)
            .not_valid_after(min(now + lifetime, self._ca.not_valid_after_utc))
            .add_extension(
                x509.SubjectAlternativeName([*self._names(name), *map(x509.DNSName, also)]), critical=not subject
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )

    def _leaf_for(self, name: str | None) -> _Leaf:
        key = name.lower().removesuffix(".") if name else ""
        is_foreign = False
        if key == self._domain or not self._below(key):
            is_foreign = bool(key) and key != self._domain and self._foreign(key)
            key = key if is_foreign else ""
        leaf = self._leaves.get(key)
        if leaf is None or self._clock.now() >= leaf.renew_at:
            if key and not is_foreign and not self._known(key) and not self._take_stranger():
                return self._leaf_for(None)
            leaf = self._mint(key)
            self._leaves[key] = leaf
            if len(self._leaves) > self._cached:
                self._leaves.popitem(last=False)
        self._leaves.move_to_end(key)
        return leaf

    def trust_hint(self) -> str:
        """How a person makes their machine trust this portal."""
        path = self.ca_path
        return (
            f"Homeport signs its own certificates. To trust them, trust {path}:\n"
            f"  curl             curl --cacert {path} …\n"
            f"  Debian, Ubuntu   sudo cp {path} /usr/local/share/ca-certificates/homeport.crt"
            " && sudo update-ca-certificates\n"
            "  Chromium         certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n Homeport"
            f" -i {path}   (package libnss3-tools)\n"
            "  Firefox          Settings > Privacy & Security > Certificates > View Certificates > Authorities"
            " > Import\n"
            f"SHA-256 of the certificate: {self.fingerprint()}"
        )

    def fingerprint(self) -> str:
        """SHA-256 of the CA certificate, in pairs of hex digits, as browsers show it."""
        return self._ca.fingerprint(hashes.SHA256()).hex(":").upper()

    def _below(self, name: str) -> bool:
        label, _, rest = name.partition(".")
        return rest == self._domain and _LABEL.match(label) is not None

    def _take_stranger(self) -> bool:
        now = self._clock.monotonic()
        refilled = self._strangers + (now - self._strangers_at) * STRANGERS_PER_SECOND
        self._strangers = min(float(STRANGERS_BURST), refilled)
        self._strangers_at = now
        if self._strangers < 1:
            return False
        self._strangers -= 1
        return True

    def _create(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        now = self._clock.now()
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Homeport"),
                x509.NameAttribute(NameOID.COMMON_NAME, f"Homeport {self._domain} {secrets.token_hex(3)}"[:64]),
            ]
        )
        ca = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATED)
            .not_valid_after(now + CA_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        atomic_write(self._key_path, _pem(key), mode=0o600)
        atomic_write(self.ca_path, ca.public_bytes(serialization.Encoding.PEM))
        self._ca, self._key = ca, key
        self._leaves.clear()

    def _names(self, name: str) -> list[x509.GeneralName]:
        if name:
            # OpenSSL and browsers refuse the wildcard *.localhost, so each app has a leaf of its own.
            return [x509.DNSName(name)]
        hosts = dict.fromkeys((self._domain, f"*.{self._domain}", "localhost", "*.localhost"))
        return [*map(x509.DNSName, hosts), *map(x509.IPAddress, self._addresses)]

    def _mint(self, name: str) -> _Leaf:
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = self.certify(key.public_key(), name)
        now = self._clock.now()
        context = server_context(_pem(key) + leaf.public_bytes(serialization.Encoding.PEM))
        return _Leaf(context, leaf, now + (leaf.not_valid_after_utc - now) * 2 / 3)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
