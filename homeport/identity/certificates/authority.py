"""The authority that signs client certificates: not the one whose leaves the portal shows (relay/authority.py)."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from weakref import WeakSet

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from homeport.identity.certificates.problems import ClientAuthorityBroken
from homeport.kit.clock import Clock
from homeport.kit.files import atomic_write

LIFETIME = timedelta(days=730)  # of a client certificate, at most (seed 000)
CA_LIFETIME = timedelta(days=3653)
BACKDATED = timedelta(hours=1)  # for machines whose clock is behind
ORGANIZATION = "Homeport"


class ClientAuthority:
    """Keeps `client-ca.pem` and `client-ca.key` (0600) in `folder`, made by the first `open`.

    The file may hold several certificates: the first signs, and those before it are trusted until they expire. A new
    one comes first as soon as a client certificate would outlive it.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.path = folder / "client-ca.pem"
        self._key_path = folder / "client-ca.key"
        self._clock = clock
        self._trusted: list[x509.Certificate] = []
        self._key: ec.EllipticCurvePrivateKey

    def open(self) -> None:
        """Load it, or make it; a few milliseconds of file work. Raises ClientAuthorityBroken."""
        now = self._clock.now()
        if self.path.exists():
            self._load()
        self._trusted = [one for one in self._trusted if one.not_valid_after_utc > now]
        if not self._trusted or self._trusted[0].not_valid_after_utc < now + LIFETIME:
            self._create()

    @property
    def certificate(self) -> x509.Certificate:
        """The one that signs."""
        return self._trusted[0]

    @property
    def pem(self) -> str:
        """All that are trusted, the signing one first."""
        return "".join(pem_of(one) for one in self._trusted)

    def issue(self, key: CertificatePublicKeyTypes, *, name: str, unit: str, expires_at: datetime) -> x509.Certificate:
        """A certificate for `key`, good for TLS clients only. `name` becomes the CN, `unit` the OU (64 characters)."""
        subject = [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit[:64]),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
        usage = [ExtendedKeyUsageOID.CLIENT_AUTH]
        ours = self._key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name(subject))
            .issuer_name(self.certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._clock.now() - BACKDATED)
            .not_valid_after(expires_at)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usage), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ours), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def server_context(self, context_for: Callable[[str | None], ssl.SSLContext]) -> ssl.SSLContext:
        """A context for a port that asks each client for a certificate of this authority.

        Whoever has none gets in (and is told so by the application), a certificate of another authority ends the
        handshake. What the portal shows is `context_for(name)`'s: those contexts get our certificates to trust, which
        means nothing where they ask for none. No session is resumed, so that each connection shows its certificate.
        """
        trusted = self.pem
        prepared: WeakSet[ssl.SSLContext] = WeakSet()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
        context.num_tickets = 0
        context.set_alpn_protocols(["http/1.1"])
        context.load_verify_locations(cadata=trusted)
        context.verify_mode = ssl.CERT_OPTIONAL

        def show(connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
            shown = context_for(name)
            if shown not in prepared:
                shown.load_verify_locations(cadata=trusted)
                prepared.add(shown)
            connection.context = shown

        context.sni_callback = show
        return context

    def _load(self) -> None:
        try:
            self._trusted = x509.load_pem_x509_certificates(self.path.read_bytes())
            key = serialization.load_pem_private_key(self._key_path.read_bytes(), password=None)
        except (OSError, ValueError) as problem:
            raise ClientAuthorityBroken(
                f"{self.path} or {self._key_path} cannot be read ({problem}). Bring them back from a backup, or delete "
                "both: then every client certificate has to be issued again."
            ) from problem
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != self._trusted[0].public_key():
            raise ClientAuthorityBroken(f"{self._key_path} is not the key of {self.path}.")
        self._key = key

    def _create(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        now = self._clock.now()
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
                x509.NameAttribute(NameOID.COMMON_NAME, f"Homeport clients {secrets.token_hex(3)}"),
            ]
        )
        ca = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATED)
            .not_valid_after(now + CA_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._key = key
        self._trusted.insert(0, ca)
        # The certificate is written last: a key alone was never trusted by anyone.
        atomic_write(self._key_path, private_pem(key), mode=0o600)
        atomic_write(self.path, self.pem, mode=0o600)


def pem_of(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """PKCS #8, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
