"""What the second factor, passkeys and SSH keys send and take over the API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from homeport.identity.schemas import Line, Timestamp

# A line that stays one in authorized_keys, whatever is done with it.
Label = Annotated[Line, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")]
_Code = Annotated[str, Field(max_length=32, description="6 digits of the authenticator app, or a backup code.")]


class Code(BaseModel):
    code: _Code


class CodeOrPassword(BaseModel):
    """Either of them."""

    code: _Code | None = None
    password: str | None = Field(None, max_length=1024)

    @model_validator(mode="after")
    def _one(self) -> CodeOrPassword:
        if not (self.code or self.password):
            raise ValueError("give a code or the password")
        return self


class FactorStatus(BaseModel):
    """`methods`: what a sign-in may use when it is asked for more than the password (totp, backup_code, passkey)."""

    enabled: bool
    backup_codes_remaining: int
    methods: list[str]


class FactorSetup(BaseModel):
    """`provisioning_uri` and `uri` are the same; `qr_svg` shows it."""

    secret: str
    provisioning_uri: str
    uri: str
    issuer: str
    qr_svg: str


class BackupCodes(BaseModel):
    """Shown this once."""

    status: str
    backup_codes: list[str]
    message: str


class Status(BaseModel):
    status: str


class HostFactorState(BaseModel):
    """As the host door has it: `setupComplete` while a secret is in use, `satisfied` when this caller's session is."""

    enabled: bool
    setupComplete: bool  # noqa: N815 - the host seed's spelling
    satisfied: bool


class HostFactorSession(BaseModel):
    """The session came as a cookie."""

    ok: bool
    verified: bool
    expires_at: Timestamp | None


class NewSshKey(BaseModel):
    name: Label
    key_type: Literal["ed25519", "rsa"] = "ed25519"


class SshKeyRow(BaseModel):
    id: int
    name: str
    key_type: str
    public_key: str
    fingerprint: str
    created_at: Timestamp
    last_used_at: Timestamp | None


class SshKeyCreated(SshKeyRow):
    """`private_key` (OpenSSH's format) is shown this once."""

    private_key: str


class SshKeyList(BaseModel):
    keys: list[SshKeyRow]


_Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_=-]*$")]


class AuthenticatorAnswer(BaseModel):
    """`response` of a PublicKeyCredential's `toJSON()` (WebAuthn 5.1.5); attestation or assertion."""

    model_config = ConfigDict(populate_by_name=True)

    client_data_json: Annotated[_Base64, Field(alias="clientDataJSON", max_length=8192)]
    attestation_object: Annotated[_Base64 | None, Field(alias="attestationObject", max_length=65536)] = None
    authenticator_data: Annotated[_Base64 | None, Field(alias="authenticatorData", max_length=8192)] = None
    signature: Annotated[_Base64 | None, Field(max_length=4096)] = None
    user_handle: Annotated[_Base64 | None, Field(alias="userHandle", max_length=128)] = None
    transports: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=10)] = Field(
        default_factory=list
    )


class AuthenticatorCredential(BaseModel):
    """What `navigator.credentials.create()` or `.get()` gave, as `toJSON()` writes it."""

    model_config = ConfigDict(populate_by_name=True)

    id: Annotated[_Base64, Field(max_length=1400)]
    raw_id: Annotated[_Base64, Field(alias="rawId", max_length=1400)]
    type: Literal["public-key"] = "public-key"
    response: AuthenticatorAnswer

    def plain(self) -> dict[str, Any]:
        """As the library takes it."""
        return self.model_dump(by_alias=True, exclude_none=True)


class NewPasskey(BaseModel):
    name: Line
    credential: AuthenticatorCredential


class PasskeyRow(BaseModel):
    id: str
    name: str
    created_at: Timestamp
    last_used_at: Timestamp | None
    transports: list[str]


class PasskeyList(BaseModel):
    passkeys: list[PasskeyRow]


class PasskeyOptions(BaseModel):
    """`publicKey` goes to `navigator.credentials` by way of `PublicKeyCredential.parse…OptionsFromJSON`."""

    publicKey: dict[str, Any]  # noqa: N815 - the browser's spelling


class PasskeyAsked(BaseModel):
    """With `username`: as second factor, beside that person's password."""

    username: str | None = Field(None, max_length=254)


class PasskeySignIn(BaseModel):
    """The passkey alone, or `username` and `password` with it."""

    credential: AuthenticatorCredential
    username: str | None = Field(None, max_length=254)
    password: str | None = Field(None, max_length=1024)
    remember: bool = True

    @model_validator(mode="after")
    def _both(self) -> PasskeySignIn:
        if self.password and not self.username:
            raise ValueError("a password needs its username")
        return self
