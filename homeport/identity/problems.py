"""What can go wrong with who somebody is and what they may do."""

from __future__ import annotations

from collections.abc import Sequence

from homeport.kit.problems import Conflict, NotFound, Problem


class PermissionUndeclared(Exception):
    """A route without `require(verb)`: a defect of the code, which stops the start."""


class Unauthenticated(Problem):
    code = "unauthenticated"
    status = 401


class RefreshTokenUsed(Unauthenticated):
    """A refresh token that was used before; `username` is for the audit log."""

    def __init__(self, username: str) -> None:
        super().__init__("This refresh token was used before, so its session has ended: sign in again.")
        self.username = username


class InvalidCredentials(Problem):
    """A wrong name or a wrong password; the answer does not say which."""

    code = "invalid_credentials"
    status = 401


class AccountBanned(Problem):
    """The password is right, and an administrator has banned the account."""

    code = "account_banned"
    status = 403

    def __init__(self, reason: str | None) -> None:
        super().__init__(f"This account is banned: {reason}." if reason else "This account is banned.")


class Forbidden(Problem):
    """The actor is known and may not; `details["required"]` is the verb."""

    code = "forbidden"
    status = 403


class OriginRefused(Problem):
    """A browser sent its cookie along with a request that another site made."""

    code = "origin_refused"
    status = 403


class TooManyAttempts(Problem):
    """`details["retry_after"]` is in whole seconds and becomes the Retry-After header."""

    code = "too_many_attempts"
    status = 429

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            f"Too many failed sign-ins. Try again in {retry_after} seconds.", details={"retry_after": retry_after}
        )


class RateLimited(Problem):
    """More requests in this minute than the caller may make. `headers` are the X-RateLimit ones."""

    code = "rate_limited"
    status = 429

    def __init__(self, headers: Sequence[tuple[str, str]], retry_after: int) -> None:
        unit = "second" if retry_after == 1 else "seconds"
        super().__init__(
            f"Rate limit exceeded, retry in {retry_after} {unit}.",
            details={"retry_after": retry_after},
            extra={"retry_after": retry_after, "retryAfter": retry_after},
        )
        self.headers = tuple(headers)


class AuthenticationOff(Problem):
    """The portal is open (`homeport up --open`): there is nothing to sign in to."""

    code = "authentication_off"
    status = 503

    def __init__(self) -> None:
        super().__init__("This portal is open: nobody signs in.")


class OpenModeRefused(Problem):
    """A request that an open portal does not take for one of this machine's own people."""

    code = "open_mode_refused"
    status = 403


class SecondFactorRequired(Problem):
    """The password is right and the account has a second factor; `details["methods"]` says which there are."""

    code = "2fa_required"
    status = 401

    def __init__(self, methods: Sequence[str] = ("totp",)) -> None:
        super().__init__("2fa_required", details={"methods": list(methods)})


class InvalidTotpCode(Problem):
    """A code of the second factor that is wrong, too old, or was used before: the words of seed 000's door."""

    code = "invalid_totp_code"
    status = 401

    def __init__(self) -> None:
        super().__init__("Invalid TOTP code")


class TooManyCodes(Problem):
    """Too many wrong codes of the second factor; seed 000's clients look for `retryAfter` (seconds) in the body."""

    code = "too_many_attempts"
    status = 429

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            "Too many attempts. Try again later.",
            details={"retry_after": retry_after},
            extra={"retryAfter": retry_after},
        )


class SecondFactorOn(Problem):
    """Set up already: turn it off first to begin anew."""

    code = "2fa_already_enabled"
    status = 400

    def __init__(self) -> None:
        super().__init__("Two-factor authentication is on already. Turn it off first to set it up anew.")


class SecondFactorOff(Problem):
    code = "2fa_not_enabled"
    status = 400

    def __init__(self, message: str = "Two-factor authentication is not on.") -> None:
        super().__init__(message)


class CertificateRequired(Problem):
    """No client certificate, or one of another authority: the words of seed 000's door."""

    code = "certificate_required"
    status = 403

    def __init__(self) -> None:
        super().__init__(
            "mTLS certificate required",
            details={"hint": "Access to this port requires a valid client certificate."},
        )


class CertificateRevoked(Problem):
    code = "certificate_revoked"
    status = 403

    def __init__(self) -> None:
        super().__init__("Certificate has been revoked")


class ScopeInsufficient(Problem):
    """A machine's certificate where a person's is needed."""

    code = "insufficient_certificate_scope"
    status = 403

    def __init__(self, current: str) -> None:
        super().__init__("Insufficient certificate scope", details={"required": ["admin"], "current": current})


class CapabilityInsufficient(Problem):
    """A machine's certificate without the capability that the route asks for."""

    code = "insufficient_certificate_capability"
    status = 403

    def __init__(self, required: str, granted: Sequence[str]) -> None:
        super().__init__(
            "Insufficient certificate capability", details={"required": required, "granted": list(granted)}
        )


class OnboardingIncomplete(Problem):
    """Set-up is not finished: the sentence and the field beside it are what the host seed's clients look for."""

    code = "onboarding_incomplete"
    status = 503

    def __init__(self, status: str) -> None:
        super().__init__("Onboarding not complete", extra={"onboardingStatus": status})


class ApiKeyNotFound(NotFound):
    code = "api_key_not_found"


class SshKeyNotFound(NotFound):
    code = "ssh_key_not_found"


class PasskeyNotFound(NotFound):
    code = "passkey_not_found"


class InvalidPasskey(Problem):
    """A passkey's answer that proves nothing: unknown, for another question, another site, or an old counter."""

    code = "invalid_passkey"
    status = 401


class SessionNotFound(NotFound):
    """No session (token) of that person has the id, or somebody else's has."""

    code = "session_not_found"


class InviteNotFound(NotFound):
    code = "invite_not_found"


class PasswordMissing(Conflict):
    """The account is opened by a passkey or a provider; an administrator can set a password."""

    code = "no_password"

    def __init__(self) -> None:
        super().__init__("Your account has no password: an administrator can set one.")


class UsernameTaken(Conflict):
    """The name, or the e-mail address, of somebody else."""

    code = "username_taken"


class LastSuperadmin(Conflict):
    """Without this one nobody could manage administrators any more."""

    code = "last_superadmin"

    def __init__(self, username: str) -> None:
        super().__init__(f"{username} is the last superadmin: make another one first.")


class RoleTooHigh(Problem):
    """Only strictly lower roles may be managed or given, except by a superadmin."""

    code = "role_too_high"
    status = 403


class InviteRefused(Problem):
    """The code is unknown, used up, expired or revoked; the answer does not say which."""

    code = "invalid_invite_code"
    status = 403

    def __init__(self) -> None:
        super().__init__("This invite code is not valid.")


class RegistrationClosed(Problem):
    code = "registration_closed"
    status = 403

    def __init__(self) -> None:
        super().__init__("This portal takes no registrations.")


class RegisteredAlready(Problem):
    """Somebody else came from the same network within a day. `details["retry_after"]` is in seconds."""

    code = "registration_limit"
    status = 429

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            "Somebody has registered from your network within the last 24 hours.", details={"retry_after": retry_after}
        )


class UserNotFound(NotFound):
    code = "user_not_found"


class CustomerNotFound(NotFound):
    code = "customer_not_found"


class PlanNotFound(NotFound):
    code = "plan_not_found"


class CustomerInUse(Conflict):
    """`details` counts the services and users that it still has."""

    code = "customer_in_use"


class PlanInUse(Conflict):
    """`details["customers"]` is how many have it."""

    code = "plan_in_use"


class CustomerSuspended(Problem):
    """The customer gets no new deploys; what runs goes on running."""

    code = "customer_suspended"
    status = 403


class FeatureNotInPlan(Problem):
    """The customer's plan does not include it; `details` names the feature and the plan."""

    code = "feature_not_in_plan"
    status = 403

    def __init__(self, feature: str, plan: str) -> None:
        super().__init__(
            f"The plan {plan} does not include {feature.replace('_', ' ')}.",
            details={"feature": feature, "plan": plan},
        )
