"""What can go wrong between the shell and the portal; each message ends with what the person can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homeport.kit.problems import Problem


class UsageWrong(Problem):
    """The command line asks for something that makes no sense."""

    code = "usage"
    status = 400


class NotSignedIn(Problem):
    """No credentials for this portal, or it no longer accepts them."""

    code = "not_signed_in"
    status = 401


class PortalUnreachable(Problem):
    """No connection, no answer in time, or a connection that broke."""

    code = "unreachable"
    status = 503


class CertificateUnknown(PortalUnreachable):
    """The portal's certificate comes from an authority that nobody has trusted here."""


class JobFailed(Problem):
    """A deploy ended without success; `details["job"]` is the job."""

    code = "job_failed"
    status = 502


class PortalRefused(Problem):
    """An error answer of the portal, with its own code, status and sentence."""

    def __init__(self, body: Mapping[str, Any], status: int) -> None:
        if isinstance(body.get("error"), Mapping):  # the relay's envelope
            body = {**body["error"], "error": body["error"].get("message")}
        super().__init__(str(body.get("error") or body.get("message") or f"The portal answered {status}."))
        self.code = str(body.get("code") or "http_error")
        self.status = status
        details = body.get("details")
        self.details = dict(details) if isinstance(details, Mapping) else None
        if isinstance(details, str):  # what systemctl said
            self.message = f"{self.message}: {details}"
