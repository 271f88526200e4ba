"""Signing: one row and one certificate for a key, whoever made the key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from homeport.identity import scopes
from homeport.identity.access import Actor, covers
from homeport.identity.certificates.admission import common_name_of
from homeport.identity.certificates.authority import LIFETIME, ClientAuthority
from homeport.identity.certificates.bundles import Bundle
from homeport.identity.models import ClientCertificate
from homeport.kit.clock import Clock
from homeport.kit.ids import new_id
from homeport.kit.problems import ValidationFailed

DEFAULT_CAPABILITIES = ("tunnels:read",)  # what every machine of seed 000 may do
LONGEST_NAME = 64  # characters of a CN (RFC 5280, ub-common-name)
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")
_SITES = 100


@dataclass(frozen=True)
class Issued:
    """A certificate that was just made. `bundle` is None where the key is the machine's own."""

    row: ClientCertificate
    certificate: x509.Certificate
    bundle: Bundle | None = None


@dataclass(frozen=True)
class Order:
    """What a certificate is to be. `within` are scopes: what a machine may do, what a person's is limited to."""

    kind: str
    label: str
    within: tuple[str, ...]
    method: str  # p12, pem, csr
    lasts: timedelta = LIFETIME
    allowed_sites: tuple[str, ...] = ()
    user_id: str | None = None
    unit: str = "agents"
    delegated_by: str | None = None
    created_by: str | None = None
    until: datetime | None = None  # no longer than whoever asks for it


def sign(authority: ClientAuthority, clock: Clock, key: CertificatePublicKeyTypes, order: Order) -> Issued:
    """The certificate and its row, which is not stored yet."""
    now = clock.now().replace(microsecond=0)
    expires_at = now + min(order.lasts, LIFETIME)
    if order.until is not None:
        expires_at = min(expires_at, order.until.replace(microsecond=0))
    name = common_name_of(order.kind, order.label)
    certificate = authority.issue(key, name=name, unit=order.unit, expires_at=expires_at)
    row = ClientCertificate(
        id=new_id("crt"),
        serial=f"{certificate.serial_number:x}",
        label=order.label,
        kind=order.kind,
        user_id=order.user_id,
        scopes=scopes.stored(order.within),
        allowed_sites=list(order.allowed_sites),
        enrollment_method=order.method,
        fingerprint_sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        delegated_by=order.delegated_by,
        created_by=order.created_by,
        created_at=now,
        expires_at=expires_at,
        last_used_at=None,
        revoked_at=None,
    )
    return Issued(row, certificate)


def checked_label(label: str) -> str:
    """Raises ValidationFailed."""
    if not _LABEL.fullmatch(label):
        raise ValidationFailed(
            {"label": "must be 1 to 50 letters, digits, dots, dashes and underscores, and begin with a letter or digit"}
        )
    return label


def checked_capabilities(actor: Actor, given: Sequence[str] | None) -> tuple[str, ...]:
    """Scopes that whoever gives them has, too. Raises ValidationFailed."""
    if given is None:
        return DEFAULT_CAPABILITIES
    try:
        wanted = scopes.parse_scopes(given)
    except ValueError as problem:
        raise ValidationFailed({"capabilities": str(problem)}) from problem
    if not (covers(actor.held, wanted) and covers(actor.within, wanted)):
        raise ValidationFailed({"capabilities": "exceed your own"})
    return wanted


def checked_sites(given: Sequence[str]) -> tuple[str, ...]:
    """Raises ValidationFailed."""
    sites = tuple(dict.fromkeys(site.strip() for site in given if site.strip()))
    if len(sites) > _SITES or any(len(site) > 100 for site in sites):
        raise ValidationFailed({"allowedSites": f"must be at most {_SITES} names of at most 100 characters"})
    return sites


def lasting(days: int | None) -> timedelta:
    """730 days at most, and by default. Raises ValidationFailed."""
    if days is None:
        return LIFETIME
    if not 1 <= days <= LIFETIME.days:
        raise ValidationFailed({"days": f"must be 1 to {LIFETIME.days}"})
    return timedelta(days=days)
