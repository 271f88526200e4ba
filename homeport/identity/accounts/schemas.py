"""What accounts, their tokens and their sessions send and take at seed 002's door (spec/portal.md A1, A7)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints

from homeport.identity.access import Role, Verb
from homeport.identity.schemas import Email, Line, Timestamp
from homeport.identity.scopes import parse_scopes

_EMOJI = 16  # code points: a family of four with its joiners has 7, a flag of a region 7
_NICKNAME = re.compile(r"[A-Za-z0-9 _-]{2,32}")
# All of ASCII but what keycaps begin with (0-9 # *), and halves of characters, which nothing can write.
_PLAIN = re.compile(r"[\x00-\x22\x24-\x29\x2b-\x2f\x3a-\x9f\ud800-\udfff]")


def _nickname(given: Any) -> Any:
    return (given.strip() or None) if isinstance(given, str) else given


def _is_nickname(given: str | None) -> str | None:
    if given is not None and not _NICKNAME.fullmatch(given):
        raise ValueError("is 2 to 32 letters, digits, spaces, dashes and underscores")
    return given


def _is_emoji(given: str | None) -> str | None:
    if given is not None and (len(given) > _EMOJI or _PLAIN.search(given) or given.isascii()):
        raise ValueError("is one emoji")
    return given


Scopes = Annotated[tuple[str, ...], BeforeValidator(parse_scopes)]
Username = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[A-Za-z0-9_-]{3,30}$", max_length=200)
]
NewPassword = Annotated[str, StringConstraints(min_length=8, max_length=128)]
GivenPassword = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class TokenWanted(BaseModel):
    """`scopes`: what the token may do of all that you may; `*` is all. It never lasts longer than a sign-in does."""

    username: Annotated[str, StringConstraints(min_length=1, max_length=254)]
    password: GivenPassword
    totp_code: str | None = Field(None, max_length=32)
    scopes: Scopes = ("*",)
    name: Line | None = None
    expires_hours: int | None = Field(None, ge=1, le=87_600)


class TokenUser(BaseModel):
    id: int
    username: str
    is_admin: bool


class TokenMade(BaseModel):
    """`token_id` names the token in GET /api/tokens; `scopes` is what it may do."""

    token: str
    token_id: str
    expires_at: Timestamp | None
    user: TokenUser
    user_id: int
    scopes: list[str]


class TokenRow(BaseModel):
    id: str
    token_id: str
    name: str | None
    scopes: list[str]
    revoked: bool
    current: bool
    created_at: Timestamp
    last_used_at: Timestamp | None
    expires_at: Timestamp


class TokenList(BaseModel):
    tokens: list[TokenRow]


class TokenRef(BaseModel):
    token_id: str = Field(min_length=1, max_length=80)


class Status(BaseModel):
    status: str


class Permissions(BaseModel):
    can_manage_users: bool
    can_reset_passwords: bool
    can_delete_users: bool
    manageable_roles: list[Role]
    can_add_connections: bool
    can_add_streams: bool


class Avatar(BaseModel):
    """The whole of it: what is left out is cleared."""

    color: Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$")] | None = None
    emoji: Annotated[str | None, AfterValidator(_is_emoji)] = None
    initials: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^\w{1,2}$")] | None = None


class Profile(BaseModel):
    """P060. `scopes` and `scopes_list` are the same; `user_id` is the id that newer paths use."""

    id: int
    user_id: str
    username: str
    name: str
    email: str | None
    nickname: str | None
    status: str
    status_message: str
    role: Role
    is_admin: bool
    scopes: str
    scopes_list: list[str]
    granted_services: dict[str, list[str]]
    permissions: Permissions
    verbs: list[Verb]
    avatar: Avatar
    chat_anonymous: bool
    customer_id: str | None
    created_at: Timestamp
    totp_enabled: bool
    passkeys: int
    has_password: bool
    password_changed_at: Annotated[Timestamp | None, Field(description="null: still the one that was given.")]
    oidc: bool


class ProfileChange(BaseModel):
    """What is not given stays; an `email` of null is none."""

    name: Line = ""
    email: Email | None = None


class PasswordChange(BaseModel):
    current_password: GivenPassword
    new_password: NewPassword
    keep_api_keys: bool = False


class PasswordChanged(BaseModel):
    status: str
    message: str
    sessions_ended: int
    api_keys_revoked: int
    certificates_revoked: int


class Presence(BaseModel):
    """Without `status_message` the one that was there stays; an empty one clears it."""

    status: Literal["online", "away", "busy", "dnd", "offline"]
    status_message: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] | None = None


class PresenceOut(BaseModel):
    status: str
    status_message: str


class Nickname(BaseModel):
    """Empty or null clears it."""

    nickname: Annotated[str | None, BeforeValidator(_nickname), AfterValidator(_is_nickname)]


class AvatarOut(BaseModel):
    avatar: Avatar


class Anonymous(BaseModel):
    anonymous: bool


class SessionRow(BaseModel):
    """`method`: password, passkey, oidc or certificate; `current` is the one that asks."""

    id: str
    token_id: str
    name: str | None
    method: str
    address: str | None
    user_agent: str | None
    created_at: Timestamp
    last_used_at: Timestamp | None
    expires_at: Timestamp
    current: bool


class SessionList(BaseModel):
    sessions: list[SessionRow]


class SessionsEnded(BaseModel):
    status: str
    ended: int


class Registering(BaseModel):
    username: Username
    password: NewPassword
    invite_code: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    name: Line | None = None


class Registered(BaseModel):
    id: int
    user_id: str
    username: str
    message: str


class PublicStats(BaseModel):
    """P009. People see the numbers of what they may see; `uptime` is in seconds."""

    live_streams: int
    online_users: int
    total_services: int
    total_users: int
    active_sessions: int
    uptime: int


class UserRow(BaseModel):
    """`scopes` is what the person may do; `scopes_given` says whether that was given in place of the role's own."""

    id: int
    user_id: str
    username: str
    name: str
    email: str | None
    nickname: str | None
    role: Role
    is_admin: bool
    scopes: str
    scopes_given: bool
    customer_id: str | None
    created_at: Timestamp
    last_login_at: Timestamp | None
    totp_enabled: bool
    banned_at: Timestamp | None
    ban_reason: str | None
    has_password: bool
    oidc: bool


class UserCreated(UserRow):
    """`password` is shown this once, where the portal made it."""

    password: str | None


class UserPage(BaseModel):
    """`manageable_roles`: those whose people the one who asks may manage, and which they may give."""

    users: list[UserRow]
    total: int
    page: int
    per_page: int
    actor_role: Role
    manageable_roles: list[Role]


class NewUser(BaseModel):
    """Without `password` the portal makes one. `is_admin` is the older word for the role admin."""

    username: Username
    password: NewPassword | None = None
    role: Role | None = None
    is_admin: bool = False
    name: Line | None = None
    email: Email | None = None
    scopes: Scopes | None = None
    customer_id: str | None = Field(None, max_length=40)

    @property
    def wanted_role(self) -> Role:
        return self.role or (Role.ADMIN if self.is_admin else Role.USER)


class NewRole(BaseModel):
    """Without `scopes` the role's own count."""

    role: Role
    scopes: Scopes | None = None


class IsAdmin(BaseModel):
    is_admin: bool


class Ban(BaseModel):
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] | None = None


class Reset(BaseModel):
    new_password: NewPassword | None = None


class ResetDone(BaseModel):
    """`password` is shown this once, where the portal made it."""

    status: str
    password: str | None


class Found(BaseModel):
    id: int
    user_id: str
    username: str


class FoundList(BaseModel):
    users: list[Found]


class NewInvite(BaseModel):
    """`duration_days`: 1 to 365; `daily` ends at 23:59:59 UTC whatever it says."""

    type: Literal["daily", "single_use", "timed"]
    label: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = ""
    duration_days: int | None = Field(None, ge=1, le=365)
    role: Role = Role.USER
    scopes: Scopes | None = None
    customer_id: str | None = Field(None, max_length=40)


class InviteRow(BaseModel):
    """`active`: it would be taken now."""

    id: int
    code: str
    type: str
    label: str
    role: Role
    scopes: str | None
    customer_id: str | None
    created_at: Timestamp
    expires_at: Timestamp | None
    max_uses: int | None
    uses: int
    revoked_at: Timestamp | None
    active: bool


class InviteList(BaseModel):
    """`legacy_daily_code`: the daily code of today, if there is one."""

    codes: list[InviteRow]
    legacy_daily_code: str | None


class RegistrationRow(BaseModel):
    """`address` is the network that counts as one caller: an IPv4 address, or the first of an IPv6 /64."""

    username: str
    created_at: Timestamp
    address: str


class RegistrationList(BaseModel):
    registrations: list[RegistrationRow]
