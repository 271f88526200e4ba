"""What the routes of signing in elsewhere send."""

from __future__ import annotations

from pydantic import BaseModel


class OidcConfig(BaseModel):
    """Whether there is a provider, what its button says, and where the button leads."""

    enabled: bool
    name: str | None
    login_url: str | None


class RegistrationConfig(BaseModel):
    enabled: bool


class Config(BaseModel):
    """What a client has to know before it signs in. The `keycloak_` fields are null without a provider (seed 003)."""

    auth_enabled: bool
    vault_enabled: bool
    keycloak_url: str | None
    keycloak_realm: str | None
    keycloak_client_id: str | None
    oidc: OidcConfig
    registration: RegistrationConfig
    passkeys: bool
    onboarding: str


class OidcCheck(BaseModel):
    """What to enter at the provider, and whether it can be used: `problem` is half a sentence, null when it can."""

    enabled: bool
    issuer: str
    client_id: str
    redirect_uri: str
    post_logout_redirect_uri: str
    backchannel_logout_uri: str
    keys: int
    problem: str | None


class LoggedOut(BaseModel):
    """How many sessions the provider ended."""

    ended: int
