"""The certificate that visitors of a tunnel are shown: its key is made here and never leaves this machine."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from homeport.kit.clock import Clock
from homeport.kit.files import atomic_write
from homeport.kit.guard import OutboundGuard
from homeport.kit.problems import Problem
from homeport.relay.agent.held import Held
from homeport.relay.agent.problems import CertificateUnavailable, RelayIncompatible, RelayRefused
from homeport.relay.agent.relay_client import RelayClient
from homeport.relay.agent.relays import is_local_name
from homeport.relay.contexts import server_context

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
SELF_SIGNED_DAYS = 90
MOST_BYTES = 64 * 1024
FOR_NOW = ("lease_rejected", "rate_limited", "ip_banned")  # what the relay may think better of
_BEGIN = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True)
class Shown:
    """`renew_at` (UTC) is when to get the next one; `warning` what visitors will complain about."""

    context: ssl.SSLContext = field(repr=False)
    renew_at: datetime
    warning: str = ""


class CertificateSource(Protocol):
    """Where the certificate for a lease's host name comes from."""

    async def obtain(self, held: Held, client: RelayClient) -> Shown:
        """Seconds to minutes. Raises CertificateUnavailable, LeaseLost, and RelayUnreachable or RelayRefused (with a
        code of FOR_NOW) when it may be asked again soon."""
        ...


class FromTheRelay:
    """The relay's own authority signs our request: for names that no public authority signs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def obtain(self, held: Held, client: RelayClient) -> Shown:
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(held.hostname)])
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(names, False)
        request = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        try:
            chain = await client.certificate(held, request.decode())
        except (RelayRefused, RelayIncompatible) as problem:
            if problem.code in FOR_NOW:
                raise
            raise CertificateUnavailable(
                f"{held.relay.url} signs no certificate for {held.hostname}, and nobody else would: use a relay that "
                f"does, or --self-signed. ({problem.message})"
            ) from None
        return shown(_pem(key) + chain.encode(), held.hostname, self._clock.now())


class FromAcme:
    """A public authority, which comes through the tunnel to see that the name is ours (tls-alpn-01, RFC 8737).

    Keeps account keys and certificates in `folder` (0600). `guard` judges where the directory's name leads.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        guard: OutboundGuard,
        *,
        directory_url: str = LETS_ENCRYPT,
        email: str = "",
        ca_file: Path | None = None,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._guard = guard
        self._directory_url = directory_url
        self._email = email
        self._ca_file = ca_file

    async def obtain(self, held: Held, client: RelayClient) -> Shown:  # noqa: ARG002
        kept = await asyncio.to_thread(self._kept, held.hostname)
        if kept is not None:
            return kept
        try:
            pem = await self._order(held)
        except Problem as problem:
            raise CertificateUnavailable(f"No certificate for {held.hostname}: {problem.message}") from None
        found = shown(pem, held.hostname, self._clock.now())
        await asyncio.to_thread(self._keep, held.hostname, pem)
        return found

    async def _order(self, held: Held) -> bytes:
        # Loaded with the first order: most tunnels never need it.
        from homeport.relay.agent.acme_answers import TunnelAnswers
        from homeport.relay.certificates.acme import Accounts, AcmeIssuer, HttpAnswers, Transport
        from homeport.relay.certificates.origin import Wish

        transport = Transport(self._guard, self._ca_file)
        issuer = AcmeIssuer(
            Accounts(self._folder / "accounts"),
            transport,
            self._guard,
            self._clock,
            HttpAnswers("127.0.0.1", 0),
            TunnelAnswers(held, self._clock),
        )
        wish = Wish((held.hostname,), self._email, "tls-alpn-01", self._directory_url)
        try:
            pair = await issuer.issue(wish, lambda _: None, asyncio.Event())
        finally:
            await transport.close()
        return pair.key_and_chain

    def _path(self, hostname: str) -> Path:
        return self._folder / f"{hostname}.pem"

    def _kept(self, hostname: str) -> Shown | None:
        try:
            with self._path(hostname).open("rb") as file:
                found = shown(file.read(MOST_BYTES), hostname, self._clock.now())
        except (OSError, CertificateUnavailable):
            return None
        return found if found.renew_at > self._clock.now() else None

    def _keep(self, hostname: str, pem: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic_write(self._path(hostname), pem, mode=0o600)


class SelfSigned:
    """Nobody signs for it, and browsers say so: for those who asked for it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def obtain(self, held: Held, client: RelayClient) -> Shown:  # noqa: ARG002
        from homeport.relay.certificates.self_signed import self_signed

        now = self._clock.now()
        pair = await asyncio.to_thread(self_signed, held.hostname, SELF_SIGNED_DAYS, "ec-p256", now)
        fingerprint = pair.leaf.fingerprint(hashes.SHA256()).hex(":").upper()
        return Shown(
            pair.context,
            now + timedelta(days=SELF_SIGNED_DAYS * 2 // 3),
            f"The certificate is self-signed: browsers warn of it, and nothing proves to visitors that they see you. "
            f"Its SHA-256 fingerprint is {fingerprint}",
        )


class Automatic:
    """The relay's authority for local names, ACME for public ones; `fallback` is taken where these have none."""

    def __init__(self, local: CertificateSource, public: CertificateSource, fallback: CertificateSource | None) -> None:
        self._local = local
        self._public = public
        self._fallback = fallback

    async def obtain(self, held: Held, client: RelayClient) -> Shown:
        source = self._local if is_local_name(held.hostname) else self._public
        try:
            return await source.obtain(held, client)
        except CertificateUnavailable:
            if self._fallback is None:
                raise
            return await self._fallback.obtain(held, client)


def shown(pem: bytes, hostname: str, now: datetime) -> Shown:
    """A key and its chain, once they are judged. Raises CertificateUnavailable."""
    try:
        leaf = x509.load_pem_x509_certificate(pem[max(0, pem.find(_BEGIN)) :])
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
        context = server_context(pem)
    except (ValueError, x509.ExtensionNotFound, ssl.SSLError) as fault:
        raise CertificateUnavailable(f"What was given for {hostname} is no certificate of our key ({fault}).") from None
    if hostname not in hosts and f"*.{hostname.partition('.')[2]}" not in hosts:
        raise CertificateUnavailable(f"The certificate that was given is not for {hostname}.")
    begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if ends <= now:
        raise CertificateUnavailable(f"The certificate that was given for {hostname} is out of date.")
    return Shown(context, begins + (ends - begins) * 2 / 3)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
