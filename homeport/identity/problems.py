"""What can go wrong with who somebody is and what they may do."""

from __future__ import annotations

from homeport.kit.problems import Conflict, NotFound, Problem


class PermissionUndeclared(Exception):
    """A route without `require(verb)`: a defect of the code, which stops the start."""


class Unauthenticated(Problem):
    code = "unauthenticated"
    status = 401


class InvalidCredentials(Problem):
    """A wrong name or a wrong password; the answer does not say which."""

    code = "invalid_credentials"
    status = 401


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


class OnboardingIncomplete(Problem):
    """Set-up is not finished: the sentence and the field beside it are what the host seed's clients look for."""

    code = "onboarding_incomplete"
    status = 503

    def __init__(self, status: str) -> None:
        super().__init__("Onboarding not complete", extra={"onboardingStatus": status})


class ApiKeyNotFound(NotFound):
    code = "api_key_not_found"


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
