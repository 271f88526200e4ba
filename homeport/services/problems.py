"""What can go wrong with services."""

from __future__ import annotations

from homeport.kit.problems import Conflict, NotFound, Problem


class ServiceNotFound(NotFound):
    code = "service_not_found"


class TemplateNotFound(NotFound):
    code = "template_not_found"


class JobNotFound(NotFound):
    code = "job_not_found"


class ReleaseNotFound(NotFound):
    code = "release_not_found"


class UploadNotFound(NotFound):
    code = "upload_not_found"


class NameTaken(Conflict):
    code = "conflict"


class DeployInProgress(Conflict):
    """`details["deploy_job_id"]` is the job that runs."""

    code = "deploy_in_progress"


class NothingToRun(Conflict):
    """The service has no release that ever passed its gate."""

    code = "no_release"


class JobFinished(Conflict):
    code = "job_finished"


class IdempotencyConflict(Conflict):
    """The key was used for another request, or its first use is still under way."""

    code = "idempotency_conflict"


class StartFailed(Problem):
    """A process could not be made."""

    code = "start_failed"
    status = 502


class SourceRefused(Problem):
    """A git address, an archive or a file in it that the portal does not accept; the message says which and why."""

    code = "source_refused"
    status = 422


class SourceUnavailable(Problem):
    """A source that could not be fetched: unknown host, no such repository or branch, time or size exceeded."""

    code = "source_unavailable"
    status = 502


class NothingDetected(Problem):
    """No rule knows how to run this source."""

    code = "nothing_detected"
    status = 422


class BuildFailed(Problem):
    code = "build_failed"
    status = 422


class GateFailed(Problem):
    """The new release did not become healthy; the old one goes on serving."""

    code = "gate_failed"
    status = 502


class DomainNotFound(NotFound):
    code = "domain_not_found"


class DomainTaken(Conflict):
    """Another service has proven that the domain is its own."""

    code = "domain_taken"


class DomainNotProven(Problem):
    """Neither proof was found; `details` says of `dns` and of `http` what was found instead."""

    code = "domain_not_proven"
    status = 422


class QuotaExceeded(Problem):
    """A limit of the customer's plan; `details` has `quota` (its name), `limit`, `used` and `wanted`."""

    code = "quota_exceeded"
    status = 403

    def __init__(self, plan: str, limit: str, allowed: float, used: float, wanted: float) -> None:
        what = {
            "max_services": "services",
            "max_cpu": "cores",
            "max_memory_mb": "MB of memory",
            "max_storage_mb": "MB of storage",
        }[limit]
        super().__init__(
            f"The plan {plan} allows {allowed:g} {what}: {used:g} are taken, and {wanted:g} more are wanted.",
            details={"plan": plan, "quota": limit, "limit": allowed, "used": used, "wanted": wanted},
        )
