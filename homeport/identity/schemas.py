"""What identity sends and takes over the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

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
    """`username` or `email`, and the password; `totp_code` is asked for with 401 `2fa_required`.

    Without `remember` the cookie goes when the browser is closed.
    """

    username: str | None = Field(None, max_length=254)
    email: str | None = Field(None, max_length=254)
    password: str = Field(min_length=1, max_length=1024)
    totp_code: str | None = Field(None, max_length=32, description="6 digits, or a backup code.")
    remember: bool = True

    @model_validator(mode="after")
    def _one_name(self) -> Credentials:
        if not self.login:
            raise ValueError("give a username or an email")
        return self

    @property
    def login(self) -> str:
        return self.username or self.email or ""


class Me(BaseModel):
    """`role` is admin, customer, or the rank itself; `roles` are the fleet's: admin, deployer, operator, viewer."""

    id: str
    sub: str
    number: int
    username: str
    name: str
    nickname: str | None
    email: str | None
    avatar: dict[str, str | None]
    role: str
    rank: Role
    roles: list[str]
    customer_id: str | None
    created_at: Timestamp
    verbs: list[Verb]


class Tokens(BaseModel):
    """`token` and `access_token` are the same; `refresh_token` is good once; `expires_in` is in seconds."""

    token: str
    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105 - the word of RFC 6750, no secret
    expires_in: int
    expires_at: Timestamp | None


class Token(Tokens):
    """A session: the browser has it as a cookie already, other clients send `token` as a bearer token."""

    user: Me


class RefreshToken(BaseModel):
    refresh_token: str = Field(min_length=1, max_length=1024)


class SignOut(BaseModel):
    refresh_token: str | None = Field(None, max_length=16_384)


class SignedOut(BaseModel):
    """`success`: a session was ended. `logout_url`: where to end the OpenID provider's session."""

    message: str
    success: bool = True
    logout_url: str | None = None


class Ticket(BaseModel):
    """For one WebSocket, as `?ticket=`, within `expires_in` seconds."""

    ticket: str
    expires_in: int


class Message(BaseModel):
    message: str


class NewApiKey(BaseModel):
    """snake_case or camelCase. Without `role` the key may do all that its user may; without `expires_at` it stays."""

    model_config = ConfigDict(populate_by_name=True)

    name: Line
    role: str | None = Field(None, description="admin, deployer, operator or viewer.")
    expires_at: Annotated[
        AwareDatetime | None, Field(validation_alias=AliasChoices("expires_at", "expiresAt"), alias_priority=2)
    ] = None
    rate_limit_rpm: Annotated[
        int | None,
        Field(ge=1, le=1_000_000, validation_alias=AliasChoices("rate_limit_rpm", "rateLimitRpm"), alias_priority=2),
    ] = None


class ApiKeyRow(BaseModel):
    id: str
    name: str
    prefix: str
    role: str | None
    rate_limit_rpm: int | None
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


Limit = Annotated[int, Field(ge=0, le=2_000_000_000)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000)]
Email = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=254, pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+$")
]
_PLAN = AliasChoices("plan_id", "plan")


class NewPlan(BaseModel):
    """A limit of null is no limit; bandwidth is MB a month, and there 0 is no limit."""

    name: Line
    description: Text = ""
    sort_order: int = Field(0, ge=-1_000_000, le=1_000_000)
    max_services: Limit | None = None
    max_cpu: Annotated[float, Field(ge=0, le=1_000_000)] | None = None
    max_memory_mb: Limit | None = None
    max_storage_mb: Limit | None = None
    bandwidth_mb: Limit = 0
    allow_template: bool = True
    allow_git: bool = True
    allow_ai: bool = True
    allow_compose: bool = True
    allow_custom_domains: bool = True
    allow_backup: bool = True
    allow_notifications: bool = True
    allow_api_access: bool = True


class _Patch(BaseModel):
    """Only what is given changes; null only where it means something."""

    nullable: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _no_null(cls, given: Any) -> Any:
        if isinstance(given, dict):
            for name in cls.model_fields:
                if name in given and given[name] is None and name not in cls.nullable:
                    raise ValueError(f"{name} cannot be null")
        return given


class PatchPlan(_Patch):
    nullable = frozenset({"max_services", "max_cpu", "max_memory_mb", "max_storage_mb"})

    name: Line | None = None
    description: Text | None = None
    sort_order: int | None = Field(None, ge=-1_000_000, le=1_000_000)
    max_services: Limit | None = None
    max_cpu: Annotated[float, Field(ge=0, le=1_000_000)] | None = None
    max_memory_mb: Limit | None = None
    max_storage_mb: Limit | None = None
    bandwidth_mb: Limit | None = None
    allow_template: bool | None = None
    allow_git: bool | None = None
    allow_ai: bool | None = None
    allow_compose: bool | None = None
    allow_custom_domains: bool | None = None
    allow_backup: bool | None = None
    allow_notifications: bool | None = None
    allow_api_access: bool | None = None


class PlanOut(NewPlan):
    id: str
    customers: int
    created_at: str
    updated_at: str


class PlanPage(BaseModel):
    data: list[PlanOut]
    total: int
    page: int
    per_page: int


class NewCustomer(BaseModel):
    """`plan_id` takes a plan's name as well."""

    model_config = ConfigDict(populate_by_name=True)

    name: Line
    email: Email
    plan_id: str = Field(min_length=1, max_length=100, validation_alias=_PLAN)
    notes: Text = ""
    status: Literal["active", "suspended"] = "active"


class PatchCustomer(_Patch):
    model_config = ConfigDict(populate_by_name=True)

    name: Line | None = None
    email: Email | None = None
    plan_id: str | None = Field(None, min_length=1, max_length=100, validation_alias=_PLAN)
    notes: Text | None = None
    status: Literal["active", "suspended"] | None = None


class CustomerOut(BaseModel):
    id: str
    name: str
    email: str
    plan_id: str
    plan: str
    notes: str
    status: Literal["active", "suspended"]
    services: int
    created_at: str
    updated_at: str


class CustomerPage(BaseModel):
    data: list[CustomerOut]
    total: int
    page: int
    per_page: int


class CustomerUser(BaseModel):
    id: str
    username: str
    name: str
    email: str | None
    role: Role


class CustomerUsers(BaseModel):
    data: list[CustomerUser]
    total: int


class Share(BaseModel):
    used: float
    limit: float | None


class WholeShare(BaseModel):
    used: int
    limit: int | None


class UsageOut(BaseModel):
    customer_id: str
    plan_id: str
    plan: str
    services: WholeShare
    cpu: Share
    memory_mb: WholeShare
    storage_mb: WholeShare
