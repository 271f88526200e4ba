"""What identity sends and takes over the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import (
    AliasChoices,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel

from homeport.identity.access import Role, Verb
from homeport.kit.clock import rfc3339

Timestamp = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class Credentials(BaseModel):
    """`username` or `email`, and the password."""

    username: str | None = Field(None, max_length=254)
    email: str | None = Field(None, max_length=254)
    password: str = Field(max_length=1024)

    @model_validator(mode="after")
    def _one_name(self) -> Credentials:
        if not self.login:
            raise ValueError("give a username or an email")
        return self

    @property
    def login(self) -> str:
        return self.username or self.email or ""


class Me(BaseModel):
    id: str
    username: str
    name: str
    email: str | None
    role: Role
    customer_id: str | None
    created_at: Timestamp
    verbs: list[Verb]


class Token(BaseModel):
    """The session's token: the browser has it as a cookie already, other clients send it as a bearer token."""

    token: str
    token_type: str = "bearer"  # noqa: S105 - the word of RFC 6750, no secret
    expires_at: Timestamp | None
    user: Me


class Message(BaseModel):
    message: str


class NewApiKey(BaseModel):
    """snake_case or camelCase. Without `role` the key may do all that its user may; without `expires_at` it stays."""

    model_config = ConfigDict(populate_by_name=True)

    name: Line
    role: Role | None = None
    expires_at: Annotated[
        AwareDatetime | None, Field(validation_alias=AliasChoices("expires_at", "expiresAt"), alias_priority=2)
    ] = None
    rate_limit_rpm: Annotated[
        None, Field(validation_alias=AliasChoices("rate_limit_rpm", "rateLimitRpm"), alias_priority=2)
    ] = None  # only null: a limit that nothing enforces must not look accepted


class ApiKeyRow(BaseModel):
    id: str
    name: str
    prefix: str
    role: Role | None
    created_at: Timestamp
    expires_at: Timestamp | None
    last_used_at: Timestamp | None


class ApiKeyCreated(ApiKeyRow):
    """`key` is shown this once."""

    key: str


class ApiKeyList(BaseModel):
    data: list[ApiKeyRow]
    total: int


class _Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class ApiKeyRowV1(_Camel, ApiKeyRow):
    pass


class ApiKeyCreatedV1(_Camel, ApiKeyCreated):
    pass


class ApiKeyListV1(BaseModel):
    data: list[ApiKeyRowV1]
    total: int


class OnboardingState(BaseModel):
    status: str
    domain: str
    ip: str | None


class Health(BaseModel):
    status: str
    version: str
