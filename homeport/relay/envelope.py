"""How the relay's API answers and reads (seed 004 "Response Envelope", digest A.0): one envelope, forgiving JSON."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import orjson
import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from homeport.kit.problems import Problem
from homeport.relay.problems import InvalidJson, InvalidRequest, MethodNotAllowed

DOMAIN = "/sdk/domain"  # the one path that pages of other sites may read
SDK_CAP = 4 * 1024 * 1024  # bytes of a body below /sdk, and of an announcement
ADMIN_CAP = 64 * 1024
# Paths whose bodies the shell leaves to `read_json`, for they may be larger than others.
LARGE_BODIES = frozenset(
    {
        "/sdk/register/challenge",
        "/sdk/register",
        "/sdk/renew",
        "/sdk/unregister",
        "/sdk/hop",
        "/discovery/announce",
    }
)
# Below these, HEAD is a wrong method like any other: the shell does not turn it into GET.
_NO_HEAD = ("/sdk/", "/discovery", "/tunnel/", "/admin/auth/", "/admin/snapshot", "/admin/metrics")
Kind = TypeVar("Kind")
log = structlog.get_logger()

_NO_JSON = "The body is not the JSON that this path takes."


def success(data: Any, status: int = 200) -> Response:
    """`{"ok": true, "data": …}`; instants have to be strings already."""
    return _answer({"ok": True, "data": data}, status)


def failure(problem: Problem) -> Response:
    """`{"ok": false, "error": {"code", "message"}}`, with Retry-After where the problem knows how long."""
    response = _answer({"ok": False, "error": {"code": problem.code, "message": problem.message}}, problem.status)
    for name, value in getattr(problem, "headers", ()):
        response.headers[name] = value
    if problem.details and "retry_after" in problem.details:
        response.headers["retry-after"] = str(problem.details["retry_after"])
    return response


def takes_no_head(path: str) -> bool:
    """Whether HEAD is refused here (digest A.0)."""
    return path.startswith(_NO_HEAD)


class Internal(Problem):
    """A defect; the message names its id in the log."""


class EnvelopeRoute(APIRoute):
    """A route whose refusals, whoever raises them, leave in the envelope; `wrong_method` is web/errors.py's to ask.

    `APIRouter(route_class=EnvelopeRoute)`.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def enveloped(request: Request) -> Response:
            try:
                return await handle(request)
            except Problem as problem:
                return failure(self.in_words_of_seed(problem))
            except RequestValidationError:
                return failure(InvalidRequest("A parameter of this request does not fit."))
            except HTTPException:
                raise
            except Exception:
                bug = f"bug_{secrets.token_hex(8)}"
                log.exception("bug", id=bug, method=request.method, path=request.url.path)
                return failure(Internal(f"Something went wrong inside the relay; its log has the details under {bug}."))

        return enveloped

    def in_words_of_seed(self, problem: Problem) -> Problem:
        """What clients are told of a refusal: the same, where a route has no words of its own."""
        return problem

    @staticmethod
    def wrong_method(method: str, path: str) -> Response:
        """405 in the envelope, without Allow."""
        response = failure(MethodNotAllowed(f"{method[:20]} is not possible here."))
        if path == DOMAIN:
            response.headers["access-control-allow-origin"] = "*"
        return response


class Body(dict[str, Any]):
    """A JSON object by its keys in lower case; the readers give what is missing or null as nothing.

    They raise InvalidJson for a value of another type, as a typed decoder would.
    """

    def text(self, name: str) -> str:
        return _whole(self._typed(name, str, ""))

    def flag(self, name: str) -> bool:
        return self._typed(name, bool, False)

    def number(self, name: str) -> int:
        value = self.get(name)
        if isinstance(value, bool):
            raise InvalidJson(f"{name} has to be a number.")
        return self._typed(name, int, 0)

    def texts(self, name: str) -> tuple[str, ...]:
        values = self._typed(name, list, [])
        if not all(isinstance(value, str) for value in values):
            raise InvalidJson(f"{name} has to be a list of texts.")
        return tuple(map(_whole, values))

    def inner(self, name: str) -> Body:
        return _folded(self._typed(name, dict, {}))

    def _typed(self, name: str, kind: type[Kind], nothing: Kind) -> Kind:
        value = self.get(name)
        if value is None:
            return nothing
        if not isinstance(value, kind):
            raise InvalidJson(f"{name} has another type than it should.")
        return value


async def read_json(request: Request, cap: int, *, malformed: Problem | None = None) -> Body:
    """The first JSON value of a body of at most `cap` bytes; what follows it, and keys nobody asked for, do not matter.

    Raises `malformed`, by default InvalidJson, for what is too large or no object (`null` is an empty one).
    """
    refused = malformed or InvalidJson(_NO_JSON)
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > cap:
                raise refused
            parts.append(part)
    except HTTPException:  # the front's own limit
        raise refused from None
    try:
        value = first_value(b"".join(parts))
    except ValueError:
        raise refused from None
    if value is None:
        return Body()
    if not isinstance(value, dict):
        raise refused
    return _folded(value)


def first_value(data: bytes) -> Any:
    """The first JSON value in `data`; bytes after it are ignored. Raises ValueError."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass  # it may only be that something follows
    text = data.decode(errors="replace").lstrip(" \t\r\n")
    try:
        return _DECODER.raw_decode(text)[0]
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _whole(text: str) -> str:
    """Halves of surrogate pairs, which JSON can escape and nothing can hold, become U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _folded(value: dict[str, Any]) -> Body:
    return Body({key.lower(): each for key, each in value.items()})


def _answer(content: dict[str, Any], status: int) -> Response:
    return Response(orjson.dumps(content) + b"\n", status, media_type="application/json")
