"""What can go wrong, one class a situation; each door maps it once (HTTP status, WebSocket close, CLI exit)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Problem(Exception):
    """A situation that the person can understand and often mend.

    `code` is a stable word for programs and `status` the HTTP status; `str(problem)` is one sentence for people.
    `details` is structured data for programs (bad fields, a running job's id); `extra` goes beside `error`
    at the top of the body, for clients that look there. Neither ever holds a secret.
    """

    code = "internal"
    status = 500

    def __init__(
        self,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details) if details else None
        self.extra = dict(extra) if extra else {}


class InvalidParameter(Problem):
    """A query parameter or path part that does not fit."""

    code = "invalid_parameter"
    status = 400


class MalformedBody(Problem):
    """A body that is not what its content type says."""

    code = "malformed_body"
    status = 400


class ValidationFailed(Problem):
    """Fields that do not fit; `details["fields"]` maps each to its reason."""

    code = "validation_error"
    status = 422

    def __init__(self, fields: Mapping[str, str]) -> None:
        first = next(iter(fields.items()), ("body", "invalid"))
        super().__init__(f"{first[0]}: {first[1]}", details={"fields": dict(fields)})


class NotFound(Problem):
    code = "not_found"
    status = 404


class Conflict(Problem):
    code = "conflict"
    status = 409


class TooLarge(Problem):
    code = "too_large"
    status = 413
