"""Bodies of the routes of server certificates. Fields of two spellings come in both."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from homeport.kit.clock import rfc3339
from homeport.relay.certificates.acme.dns_answers import DnsConfig
from homeport.relay.certificates.orders import Order
from homeport.relay.certificates.origin import Challenge
from homeport.relay.certificates.self_signed import KeyType

MOST_PEM = 64 * 1024


class UploadIn(BaseModel):
    cert: str = Field(max_length=MOST_PEM, description="PEM: the certificate and its chain, in any order.")
    key: str = Field(max_length=MOST_PEM, description="PEM: the private key, without a password.", repr=False)


class SelfSignedIn(BaseModel):
    hostname: str = Field(max_length=253)
    validity_days: int = Field(365, ge=30, le=3650)
    key_type: KeyType = Field("ec-p256", description="RSA with 4096 bits takes seconds to make.")


class AcmeIn(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    hostname: str = Field(max_length=253, description="It may be a wildcard, with dns-01.")
    names: list[str] = Field([], max_length=99, description="Further names in the same certificate.")
    email: str | None = Field(
        None,
        max_length=254,
        pattern=r"^[^@\s]+@[^@\s]+$",
        description="For the authority to write to; setting acme_email otherwise, or none.",
    )
    challenge: Challenge | None = Field(None, description="Setting acme_challenge by default.")
    directory_url: str | None = Field(None, max_length=1000, pattern=r"^https://")
    agree_tos: bool = Field(True, description="You agree to the terms of the authority.")
    dns: DnsConfig | None = Field(None, description="Who sets TXT records, for dns-01; a person otherwise.")

    @model_validator(mode="after")
    def _agreed(self) -> Self:
        if not self.agree_tos:
            raise ValueError("the authority gives no certificates to who does not agree to its terms")
        return self

    def dns_config(self) -> dict[str, Any] | None:
        return self.dns.model_dump() if self.dns is not None else None


class KeylessAcmeIn(BaseModel):
    email: str | None = Field(None, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")
    directory_url: str | None = Field(None, max_length=1000, pattern=r"^https://")
    agree_tos: Literal[True] = Field(True, description="You agree to the terms of the authority.")
    dns: DnsConfig | None = Field(None, description="Who sets TXT records; a person otherwise.")

    def dns_config(self) -> dict[str, Any] | None:
        return self.dns.model_dump() if self.dns is not None else None


class Covered(BaseModel):
    value: str
    covered: bool


class Coverage(BaseModel):
    hostname: Covered
    stream_hostname: Covered


class CertificateOut(BaseModel):
    subject: dict[str, str]
    issuer: dict[str, str]
    sans: list[str]
    serial: str
    not_before: str
    not_after: str
    days_until_expiry: int
    is_expired: bool
    is_self_signed: bool
    fingerprint_sha256: str
    key_type: str


class InfoOut(CertificateOut):
    """`source`: kept (uploaded, self-signed, ACME), or authority (the portal's own)."""

    method: Literal["letsencrypt", "selfsigned", "custom"]
    source: Literal["kept", "authority"]
    domain: str
    hostname_coverage: Coverage


class KeylessOut(BaseModel):
    """`source`: kept (uploaded or ACME), authority (the portal's own), none: nothing is signed."""

    enabled: bool = Field(description="Setting relay_keyless.")
    source: Literal["kept", "authority", "none"]
    certificate: CertificateOut | None


class RecordOut(BaseModel):
    name: str
    type: Literal["TXT"] = "TXT"
    value: str


class OrderOut(BaseModel):
    """`waiting`: set the records, then POST /api/certs/orders/{id}/continue."""

    id: str
    domain: str
    names: list[str]
    challenge: Challenge
    directory_url: str
    status: Literal["pending", "waiting", "valid", "invalid"]
    records: list[RecordOut]
    error: str | None
    created_at: str
    finished_at: str | None


class OrdersOut(BaseModel):
    orders: list[OrderOut]


class InstalledOut(BaseModel):
    """`status` is `installed`; or, for an order that is not decided yet, the order's."""

    status: Literal["installed", "pending", "waiting"]
    message: str
    domain: str
    cert_info: CertificateOut | None = None
    order: OrderOut | None = None


class AppliedOut(BaseModel):
    status: Literal["applied"]
    message: str


class RowOut(BaseModel):
    type: Literal["authority", "letsencrypt", "selfsigned", "custom"]
    domain: str
    names: list[str]
    path: str
    expiresAt: str  # noqa: N815 - host digest B.3
    expires_at: str
    daysUntilExpiry: int  # noqa: N815
    days_until_expiry: int
    expiringSoon: bool  # noqa: N815
    expiring_soon: bool
    renewsAt: str | None = Field(description="When it renews itself; null: it does not.")  # noqa: N815
    renews_at: str | None
    error: str = Field(description="Why the last renewal failed; empty when none did.")


class RowsOut(BaseModel):
    certs: list[RowOut]


class AutoRenewOut(BaseModel):
    """`nextRun`: when the next renewal is due; `lastRun`: when was last looked."""

    active: bool
    nextRun: str | None  # noqa: N815
    next_run: str | None
    lastRun: str | None  # noqa: N815
    last_run: str | None
    failing: list[str]


def order_out(order: Order) -> OrderOut:
    return OrderOut(
        id=order.id,
        domain=order.wish.domain,
        names=list(order.wish.names),
        challenge=order.wish.challenge,
        directory_url=order.wish.directory_url,
        status=order.status,
        records=[RecordOut(name=record.name, value=record.value) for record in order.records],
        error=order.problem.message if order.problem else None,
        created_at=rfc3339(order.created_at),
        finished_at=rfc3339(order.finished_at) if order.finished_at else None,
    )
