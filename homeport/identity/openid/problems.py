"""What can go wrong with signing in elsewhere."""

from __future__ import annotations

from homeport.identity.problems import Unauthenticated
from homeport.kit.problems import NotFound, Problem


class ProviderNotConfigured(NotFound):
    """No OpenID provider is set up here."""

    code = "provider_not_configured"

    def __init__(self) -> None:
        super().__init__("This portal has no OpenID provider to sign in with.")


class ProviderUnavailable(Problem):
    """The provider does not answer, or not as OpenID Connect says; the log has the reason."""

    code = "provider_unavailable"
    status = 502


class TokenRefused(Unauthenticated):
    """A token of the provider (or said to be of it) that does not hold; the message says what is wrong with it."""

    code = "token_refused"


class SignInRefused(Problem):
    """The sign-in was not begun here, took too long, or was refused by the provider."""

    code = "sign_in_refused"
    status = 401


class AccountsClosed(Problem):
    """Nobody signs in here for the first time by themselves."""

    code = "accounts_closed"
    status = 403

    def __init__(self) -> None:
        super().__init__("There is no account for you here, and none is made by signing in: ask an administrator.")


class RoleMissing(Problem):
    """The provider gives this person no role that means something here."""

    code = "role_missing"
    status = 403

    def __init__(self) -> None:
        super().__init__("Your account there has no role for this portal: ask whoever manages it.")


class LogoutRefused(Problem):
    """A logout token that does not hold (OpenID Connect Back-Channel Logout 1.0, 2.6)."""

    code = "logout_token_refused"
    status = 400
