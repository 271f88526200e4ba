"""Every failure as an answer, mapped once: problems, bad input, unknown paths, bugs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from homeport.identity.guard import guards_of
from homeport.kit.problems import InvalidParameter, MalformedBody, NotFound, Problem, TooLarge, ValidationFailed
from homeport.kit.responses import JsonResponse
from homeport.relay.envelope import EnvelopeRoute

log = structlog.get_logger()

_BODY = "body"
_DATA_EXCEPTION = "22"  # the class of SQLSTATE for values that do not fit (PostgreSQL, appendix A)
# Seed 002's door knows no 422: what does not fit is a 400 below these paths.
PORTAL_DOOR = (
    "/api/token",
    "/api/api-keys",
    "/api/register",
    "/api/me",
    "/api/ssh-keys",
    "/api/user",
    "/api/users",
    "/api/invite-code",
    "/api/admin",
    "/api/settings",
    "/api/certs",
    "/api/activity",
)
# What pydantic says about a body that is no object at all, in words for people.
_NO_OBJECT = {"model_attributes_type", "model_type", "dict_type"}


class MethodNotAllowed(Problem):
    code = "method_not_allowed"
    status = 405


class Unsupported(Problem):
    """An HTTP error that only the framework raises; `status` is set per instance."""

    code = "bad_request"
    status = 400


def problem_body(problem: Problem) -> dict[str, Any]:
    """The one error body: `{error, code, status, message, details}` and what the problem puts beside them."""
    return {
        "error": problem.message,
        "code": problem.code,
        "status": problem.status,
        "message": problem.message,
        "details": problem.details,
        **problem.extra,
    }


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The body with its headers: Retry-After from `details`, WWW-Authenticate with a 401 (RFC 9110 11.6.1)."""
    more = {**dict(getattr(problem, "headers", ())), **(headers or {})}
    if problem.details and "retry_after" in problem.details:
        more["retry-after"] = str(problem.details["retry_after"])
    if problem.status == 401:
        more["www-authenticate"] = "Bearer"
    return JsonResponse(problem_body(problem), problem.status, more)


def bug_response(bug_id: str) -> Response:
    """For a defect: an id to find the traceback in the log, nothing else."""
    return JsonResponse(
        {
            "error": f"Something went wrong inside the portal. Its log has the details under {bug_id}.",
            "code": "internal",
            "status": 500,
            "message": f"Something went wrong inside the portal. Its log has the details under {bug_id}.",
            "details": {"id": bug_id},
        },
        500,
    )


def no_such_path(path: str) -> NotFound:
    return NotFound(f"There is nothing at {path[:200]}.")


def install(app: FastAPI) -> None:
    """Register the mappings; bugs are the shell's business (web/shell.py), which sees all of them."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(WebSocketRequestValidationError, _on_invalid)
    app.add_exception_handler(DBAPIError, _on_data)


async def _on_problem(connection: HTTPConnection, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    if isinstance(problem, ValidationFailed):
        return _invalid(connection, problem)
    if problem.status >= 500:
        log.warning("request failed", code=problem.code, problem=problem.message)
    return problem_response(problem)


async def _on_http_exception(connection: HTTPConnection, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405 and isinstance(connection.scope.get("route"), EnvelopeRoute):
        return EnvelopeRoute.wrong_method(str(connection.scope.get("method")), connection.scope["path"])
    if error.status_code in {400, 413} and (refused := await _refusal(connection)):
        return problem_response(refused)
    return problem_response(_from_http(connection, error), error.headers)


async def _on_invalid(connection: HTTPConnection, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError | WebSocketRequestValidationError)
    errors = error.errors()
    if any(one["type"] == "json_invalid" for one in errors):
        if refused := await _refusal(connection):
            return problem_response(refused)
        position = errors[0]["loc"][-1]
        reason = errors[0].get("ctx", {}).get("error", "it cannot be parsed")
        return problem_response(MalformedBody(f"The body is not JSON: {reason} (character {position})."))
    if any(one["loc"][0] != _BODY for one in errors):
        fields = _fields(errors)
        name, reason = next(iter(fields.items()))
        return problem_response(InvalidParameter(f"{name}: {reason}", details={"fields": fields}))
    return _invalid(connection, ValidationFailed(_fields(errors)))


async def _on_data(_connection: HTTPConnection, error: Exception) -> Response:
    """What the database cannot hold was sent by somebody: NUL characters, numbers without end. Nothing has changed."""
    assert isinstance(error, DBAPIError)
    if not str(getattr(error.orig, "sqlstate", None) or "").startswith(_DATA_EXCEPTION):
        raise error
    return problem_response(InvalidParameter("It holds a NUL character, or a number that is too large."))


def _invalid(connection: HTTPConnection, problem: ValidationFailed) -> Response:
    path = connection.scope["path"]
    if any(path == door or path.startswith(f"{door}/") for door in PORTAL_DOOR):
        problem.status = 400
    return problem_response(problem)


async def _refusal(connection: HTTPConnection) -> Problem | None:
    """FastAPI reads a body before it asks who sent it: whoever may not come in learns that, not what is wrong."""
    try:
        for guard in guards_of(connection.scope.get("route")):
            await guard(connection)
    except Problem as problem:
        return problem
    return None


def _from_http(connection: HTTPConnection, error: HTTPException) -> Problem:
    path = connection.scope["path"]
    match error.status_code:
        case 404:
            return no_such_path(path)
        case 405:
            return MethodNotAllowed(f"{connection.scope.get('method')} is not possible on {path[:200]}.")
        case 413:
            return TooLarge(str(error.detail))
        case 400:
            return MalformedBody("The body cannot be parsed.")
        case status:
            problem = Unsupported(str(error.detail))
            problem.status = status
            return problem


def _fields(errors: Sequence[Any]) -> dict[str, str]:
    """Field (dotted) to its first reason. What was sent is never repeated: it may be a secret."""
    fields: dict[str, str] = {}
    for error in errors:
        place = [str(part) for part in error["loc"][1:] if not str(part).startswith("kind:")] or [str(error["loc"][0])]
        reason = str(error["msg"]).removeprefix("Value error, ")
        if error["type"] in _NO_OBJECT:
            reason = "must be a JSON object, sent with Content-Type: application/json"
        elif error["type"] == "missing":
            reason = "is required"
        fields.setdefault(".".join(place), reason)
    return fields
