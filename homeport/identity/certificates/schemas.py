"""What goes over the API about client certificates: seed 000's camelCase."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from homeport.identity.certificates.signing_requests import LONGEST_CSR
from homeport.identity.schemas import Timestamp

Form = Literal["p12", "pem"]


class _Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True)


class NewOwnCertificate(_Camel):
    """`legacy` packs a P12 as old versions of macOS read it. `days` is 730 at most. With `csr`, the certificate is for
    the key of that request."""

    label: str = Field("browser", max_length=100)
    csr: str | None = Field(None, max_length=LONGEST_CSR)
    form: Form = Field("p12", validation_alias=AliasChoices("format", "form"), serialization_alias="format")
    legacy: bool = False
    days: int | None = Field(None, validation_alias=AliasChoices("days", "expiresInDays"))


class NewAgent(_Camel):
    """`capabilities` are scopes, none of which you lack; `tunnels:read` alone when nothing is said."""

    label: str = Field(max_length=100)
    form: Form = Field("p12", validation_alias=AliasChoices("format", "form"), serialization_alias="format")
    legacy: bool = False
    days: int | None = Field(None, validation_alias=AliasChoices("days", "expiresInDays"))
    capabilities: list[str] | None = None
    allowed_sites: list[str] = []


class Rotation(BaseModel):
    format: Form = "p12"
    legacy: bool = False


class NewEnrolment(_Camel):
    label: str = Field(max_length=100)
    capabilities: list[str] | None = None


class Capabilities(BaseModel):
    capabilities: list[str]


class AllowedSites(_Camel):
    allowed_sites: list[str]


class Csr(BaseModel):
    csr: str = Field(max_length=LONGEST_CSR, description="A certificate signing request in PEM; its subject is ours.")


class EnrolmentRequest(Csr):
    token: str = Field(max_length=200)


class OwnCertificate(_Camel):
    id: str
    label: str
    serial: str
    scopes: list[str]
    created_at: Timestamp
    expires_at: Timestamp
    last_used_at: Timestamp | None
    revoked: bool
    revoked_at: Timestamp | None
    current: bool = Field(description="Whether this request came with it.")


class OwnCertificates(BaseModel):
    certificates: list[OwnCertificate]
    port: int | None = Field(description="Where this portal asks for certificates.")


class AgentRow(_Camel):
    id: str
    label: str
    serial: str
    kind: str
    capabilities: list[str]
    allowed_sites: list[str]
    enrollment_method: str
    created_at: Timestamp
    expires_at: Timestamp
    revoked: bool
    revoked_at: Timestamp | None
    delegated_by: str | None
    last_used_at: Timestamp | None
    username: str | None = Field(None, description="Whom it stands for, within its capabilities; nobody for an agent.")


class AgentList(BaseModel):
    agents: list[AgentRow]
    port: int | None = Field(description="Where this portal asks for certificates.")


class AgentChanged(_Camel):
    ok: bool = True
    label: str
    capabilities: list[str]
    allowed_sites: list[str]


class Signed(_Camel):
    """`ca_cert` is the authority that signed it (not the one that signs what the portal shows: GET /ca.pem)."""

    ok: bool = True
    id: str
    label: str
    serial: str
    expires_at: Timestamp
    capabilities: list[str]
    cert: str
    ca_cert: str


class Made(Signed):
    """With its private key, this once: `p12` (base64) and its password, or `pem`, which is `key` and `cert`."""

    p12: str | None = None
    p12_password: str | None = None
    pem: str | None = None
    key: str | None = None


class Rotated(Made):
    replaced: str | None = Field(description="The id of the certificate that is refused from now on.")


class Revoked(_Camel):
    ok: bool = True
    label: str
    revoked: list[str] = Field(description="The labels that are no more: this one and what it had delegated.")


class EnrolmentInvitation(_Camel):
    ok: bool = True
    token: str
    label: str
    expires_at: Timestamp


class Done(BaseModel):
    ok: bool = True


class AuthMode(_Camel):
    """`p12`, or `hardware-bound` when the newest certificate is for a key that was not made here."""

    mode: str
    admin_auth_mode: str
