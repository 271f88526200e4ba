"""The page, and what it asks for: the list, one request, live changes, replay."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache
from pathlib import Path

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from homeport.kit.clock import Clock
from homeport.kit.problems import NotFound, Problem
from homeport.relay.agent.inspect.exchanges import Exchange, ExchangeLog
from homeport.relay.agent.inspect.replay import replay
from homeport.relay.agent.inspect.view import details, summary
from homeport.relay.agent.targets import Target

KEEP_ALIVE_SECONDS = 15.0
GATHER_SECONDS = 0.1  # changes of this time go out together
MOST_WATCHERS = 8
_SAFE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
Answer = Callable[[Request], Awaitable[Response]]


def page_app(root: str, log: ExchangeLog, target: Target, clock: Clock, watchers: set[Watcher]) -> Starlette:
    """Everything lies below `root` (`/…`); other paths are 404. `watchers` are the open pages: `stop` ends them."""

    async def page(_: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        rules = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        return HTMLResponse(_page().replace("{{nonce}}", nonce), headers={"Content-Security-Policy": rules})

    async def requests(_: Request) -> Response:
        return _json({"target": str(target), "requests": [summary(each) for each in log.list()]})

    async def one(request: Request) -> Response:
        exchange = _found(log, request)
        return _json(details(exchange, reveal=request.query_params.get("reveal") == "1"))

    async def again(request: Request) -> Response:
        return _json(summary(await replay(_found(log, request), target, log, clock)))

    async def clear(_: Request) -> Response:
        log.clear()
        for watcher in watchers:
            watcher.cleared()
        return Response(status_code=204)

    async def live(_: Request) -> Response:
        if len(watchers) >= MOST_WATCHERS:
            raise TooManyWatchers("This page is open too often: close it somewhere.")
        return StreamingResponse(_events(Watcher(log), watchers), media_type="text/event-stream")

    return Starlette(
        routes=[
            Route(f"{root}/", _answered(page)),
            Route(f"{root}/requests", _answered(requests)),
            Route(f"{root}/requests", _answered(clear), methods=["DELETE"]),
            Route(f"{root}/requests/{{number:int}}", _answered(one)),
            Route(f"{root}/requests/{{number:int}}/replay", _answered(again), methods=["POST"]),
            Route(f"{root}/live", _answered(live)),
        ]
    )


class TooManyWatchers(Problem):
    code = "too_many"
    status = 503


class Watcher:
    """What one open page has still to hear: the newest state of each request, so that it is never more than the log."""

    def __init__(self, log: ExchangeLog) -> None:
        self._log = log
        self._changed: dict[int, Exchange] = {}
        self._cleared = False
        self._wake = asyncio.Event()
        self._leave: Callable[[], None] | None = None
        self.stopped = False

    def stop(self) -> None:
        """The stream ends."""
        self.stopped = True
        self._wake.set()

    def begin(self) -> None:
        """Hear the log."""
        self._leave = self._log.subscribe(self._hear)

    def end(self) -> None:
        """Hear it no more."""
        if self._leave is not None:
            self._leave()

    def cleared(self) -> None:
        """Everything is gone."""
        self._changed.clear()
        self._cleared = True
        self._wake.set()

    async def next(self) -> str:
        """The next piece of the stream."""
        try:
            async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return ": still here\n\n"
        if not self.stopped:
            await asyncio.sleep(GATHER_SECONDS)
        self._wake.clear()
        changed, self._changed = self._changed, {}
        lines = ["event: cleared\ndata: {}\n\n"] if self._cleared else []
        self._cleared = False
        lines += [f"data: {orjson.dumps(summary(each)).decode()}\n\n" for each in changed.values()]
        return "".join(lines)

    def _hear(self, exchange: Exchange) -> None:
        self._changed[exchange.number] = exchange
        if len(self._changed) > len(self._log):
            for number in [number for number in self._changed if self._log.find(number) is None]:
                del self._changed[number]
        self._wake.set()


async def _events(watcher: Watcher, watchers: set[Watcher]) -> AsyncIterator[str]:
    watchers.add(watcher)
    watcher.begin()
    try:
        yield "retry: 1000\n: hello\n\n"
        while not watcher.stopped:
            yield await watcher.next()
    finally:
        watcher.end()
        watchers.discard(watcher)


def _answered(answer: Answer) -> Answer:
    """With the headers that everything here has, and problems as JSON."""

    async def answered(request: Request) -> Response:
        try:
            response = await answer(request)
        except Problem as problem:
            response = _json({"error": problem.message, "code": problem.code}, problem.status)
        for name, value in _SAFE.items():
            response.headers[name] = value
        return response

    return answered


def _found(log: ExchangeLog, request: Request) -> Exchange:
    exchange = log.find(int(request.path_params["number"]))
    if exchange is None:
        raise NotFound("This request is no longer kept.")
    return exchange


def _json(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


@cache
def _page() -> str:
    return Path(__file__).with_name("page.html").read_text(encoding="utf-8")
