"""`/v1/agent/*` of seed 004, on loopback: wallets may read, the token of the state directory may do everything."""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from homeport import __version__
from homeport.kit.clock import rfc3339
from homeport.kit.problems import Problem
from homeport.relay.agent.daemon.specs import read_spec
from homeport.relay.agent.daemon.wallets import LASTS, AgentSession
from homeport.relay.envelope import Internal, failure, read_json, success
from homeport.relay.problems import AdminUnauthorized, MethodNotAllowed

if TYPE_CHECKING:
    from homeport.relay.agent.daemon.daemon import Daemon

BODY_CAP = 1024 * 1024
COOKIE = "portal_agent"
GOODBYE_SECONDS = 0.1  # for the answer to the shutdown itself

log = structlog.get_logger()
Answer = Callable[[Request], Awaitable[Response]]


def local_api(daemon: Daemon) -> Starlette:
    """The app, to be served by a LocalServer only."""
    api = _Api(daemon)
    routes = [
        ("/auth/challenge", "POST", api.challenge),
        ("/auth/login", "POST", api.login),
        ("/auth/logout", "POST", api.logout),
        ("/auth/status", "GET", api.session),
        ("/status", "GET", api.status),
        ("/tunnels", "GET", api.tunnels),
        ("/tunnels", "POST", api.add),
        ("/tunnels/{name}", "GET", api.tunnel),
        ("/tunnels/{name}", "DELETE", api.remove),
        ("/shutdown", "POST", api.shutdown),
    ]
    return Starlette(
        routes=[Route(f"/v1/agent{path}", _enveloped(answer), methods=[method]) for path, method, answer in routes],
        exception_handlers={404: _unknown, 405: _wrong_method},
    )


class _Api:
    """One method for each route, in the order of the table."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def challenge(self, request: Request) -> Response:
        body = await read_json(request, BODY_CAP)
        challenge = self._daemon.wallets.challenge(body.text("address"), request.headers.get("host", ""))
        answer = {
            "challenge_id": challenge.id,
            "expires_at": rfc3339(challenge.expires_at),
            "siwe_message": challenge.message,
        }
        return success(answer, 201)

    async def login(self, request: Request) -> Response:
        body = await read_json(request, BODY_CAP)
        token, session = self._daemon.wallets.sign_in(
            body.text("challenge_id"), body.text("siwe_message"), body.text("siwe_signature")
        )
        return _with_cookie(success({"wallet_address": session.wallet}), token, int(LASTS.total_seconds()))

    async def logout(self, request: Request) -> Response:
        self._daemon.wallets.sign_out(request.cookies.get(COOKIE, ""))
        return _with_cookie(success({}), "", 0)

    async def session(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return success({"authenticated": self._has_token(request)})
        return success(
            {
                "authenticated": True,
                "wallet_address": session.wallet,
                "expires_at": rfc3339(session.expires_at),
            }
        )

    async def status(self, request: Request) -> Response:
        self._require_reader(request)
        daemon = self._daemon
        rows = daemon.rows()
        return success(
            {
                "status": "running",
                "version": __version__,
                "pid": os.getpid(),
                "started_at": rfc3339(daemon.began_at),
                "online": sum(row["state"] == "online" for row in rows),
                "tunnels": rows,
            }
        )

    async def tunnels(self, request: Request) -> Response:
        self._require_reader(request)
        return success({"tunnels": self._daemon.rows()})

    async def tunnel(self, request: Request) -> Response:
        self._require_reader(request)
        return success(self._daemon.row(request.path_params["name"]))

    async def add(self, request: Request) -> Response:
        self._require_token(request)
        spec = read_spec(await read_json(request, BODY_CAP))
        return success(await self._daemon.add(spec), 201)

    async def remove(self, request: Request) -> Response:
        self._require_token(request)
        await self._daemon.remove(request.path_params["name"])
        return success({})

    async def shutdown(self, request: Request) -> Response:
        self._require_token(request)
        asyncio.get_running_loop().call_later(GOODBYE_SECONDS, self._daemon.stopping.set)
        return success({"status": "stopping"}, 202)

    def _session(self, request: Request) -> AgentSession | None:
        return self._daemon.wallets.find(request.cookies.get(COOKIE, ""))

    def _has_token(self, request: Request) -> bool:
        given = request.headers.get("authorization", "").encode()
        return hmac.compare_digest(given, f"Bearer {self._daemon.token}".encode())

    def _require_token(self, request: Request) -> None:
        if not self._has_token(request):
            raise AdminUnauthorized("This needs the token in the agent's state directory, as a bearer token.")

    def _require_reader(self, request: Request) -> None:
        if self._session(request) is None and not self._has_token(request):
            raise AdminUnauthorized("Sign in with a wallet, or send the token in the agent's state directory.")


def _enveloped(answer: Answer) -> Answer:
    async def enveloped(request: Request) -> Response:
        try:
            response = await answer(request)
        except Problem as problem:
            response = failure(problem)
        except Exception:
            log.exception("bug", path=request.url.path)
            response = failure(Internal("Something went wrong inside the agent; its log has the details."))
        response.headers["cache-control"] = "no-store"
        response.headers["x-content-type-options"] = "nosniff"
        return response

    return enveloped


async def _wrong_method(request: Request, _: Exception) -> Response:
    return failure(MethodNotAllowed(f"{request.method[:20]} is not possible here."))


async def _unknown(_: Request, __: Exception) -> Response:
    return PlainTextResponse("404 page not found\n", 404)


def _with_cookie(response: Response, token: str, seconds: int) -> Response:
    """No Secure: loopback has no TLS, and nobody on the way."""
    response.headers["set-cookie"] = f"{COOKIE}={token}; Path=/v1/agent; Max-Age={seconds}; HttpOnly; SameSite=Strict"
    return response
