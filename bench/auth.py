"""Signing in and being recognised: what others notice of fifty sign-ins, and what an authenticated call costs."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import event
from starlette.requests import HTTPConnection

from bench.figures import Figure, percentile
from homeport.identity.access import Verb
from homeport.identity.guard import Guard
from homeport.portal import Portal, built
from homeport.settings import Settings
from homeport.testing.door import NO_LIMITS
from homeport.testing.portal import PortalProcess

SIGN_INS = 50  # at the same time, each from an address of its own
SECONDS = 8.0
CALLS = 2000
CHECKS = 20_000


def measure() -> list[Figure]:
    """Goals: 50 ms for 99 of 100 plain calls while fifty people sign in; 0 writes and 0 queries for a caller that is
    known, 1 query for one that is not."""
    with tempfile.TemporaryDirectory(prefix="homeport-auth-") as folder, PortalProcess(Path(folder)) as portal:
        if portal.password is None:
            raise RuntimeError("the portal had an administrator already")
        at_rest = _calls(portal, CALLS)
        with _people_signing_in(portal, portal.password) as sign_ins:
            busy = _calls(portal, None)
        portal.stop()
        figures = [
            Figure("a plain call at rest, p50", percentile(at_rest, 0.50) * 1000, "ms"),
            Figure("a plain call at rest, p99", percentile(at_rest, 0.99) * 1000, "ms"),
            Figure(f"a plain call while {SIGN_INS} sign in, p50", percentile(busy, 0.50) * 1000, "ms"),
            Figure(f"a plain call while {SIGN_INS} sign in, p99", percentile(busy, 0.99) * 1000, "ms", 50.0),
            Figure("sign-ins a second meanwhile", len(sign_ins) / SECONDS, ""),
            Figure("a sign-in among them, p50", percentile(sign_ins, 0.50) * 1000, "ms"),
        ]
        return figures + asyncio.run(_cost(portal))


def _calls(portal: PortalProcess, count: int | None) -> list[float]:
    """Seconds of each authenticated call on one connection: `count` of them, or as many as SECONDS allow."""
    context = ssl.create_default_context(cafile=str(portal.ca_path))
    connection = http.client.HTTPSConnection("localhost", portal.port, context=context, timeout=30)
    times: list[float] = []
    until = time.monotonic() + SECONDS
    while len(times) < count if count else time.monotonic() < until:
        began = time.perf_counter()
        connection.request("GET", "/api/portal", headers={"Authorization": f"Bearer {portal.key}"})
        answer = connection.getresponse()
        answer.read()
        times.append(time.perf_counter() - began)
        if answer.status != 200:
            raise RuntimeError(f"the call was answered {answer.status}")
        time.sleep(0.002)
    connection.close()
    return times


@contextmanager
def _people_signing_in(portal: PortalProcess, password: str) -> Iterator[list[float]]:
    """Fifty threads that sign in again and again; the list receives the seconds of each."""
    took: list[float] = []
    wrong: list[int] = []
    end = threading.Event()

    def person(number: int) -> None:
        context = ssl.create_default_context(cafile=str(portal.ca_path))
        source = (f"127.0.1.{number + 1}", 0)  # the limits count by address
        connection = http.client.HTTPSConnection(
            "localhost", portal.port, context=context, timeout=60, source_address=source
        )
        body = json.dumps({"username": "admin", "password": password})
        while not end.is_set():
            began = time.perf_counter()
            connection.request("POST", "/api/auth/login", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                took.append(time.perf_counter() - began)
            else:
                wrong.append(answer.status)
        connection.close()

    people = [threading.Thread(target=person, args=(number,)) for number in range(SIGN_INS)]
    for one in people:
        one.start()
    try:
        yield took
    finally:
        end.set()
        for one in people:
            one.join()
        if wrong:
            raise RuntimeError(f"{len(wrong)} sign-ins were refused, the first with {wrong[0]}")


async def _cost(portal: PortalProcess) -> list[Figure]:
    """Statements and microseconds of the guard before a handler, counted inside the same portal."""
    statements: list[str] = []
    inside = Portal(Settings(data_dir=portal.data_dir, docker_host="", **{**NO_LIMITS, "rate_limit_api": 10**9}))
    await inside.prepare()
    app = await built(inside)
    event.listen(
        inside.database.engine.sync_engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: statements.append(statement),
    )
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "https",
        "path": "/api/portal",
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {portal.key}".encode())],
        "client": ("127.0.0.1", 1),
        "app": app,
    }
    guard = Guard(Verb.SERVICES_READ)
    await guard(HTTPConnection(dict(scope)))  # pages of the database come into memory
    known = await inside.identity.api_keys.find(portal.key)
    if known is None:
        raise RuntimeError("the portal does not know its own key")
    inside.identity.changed(known.id)
    statements.clear()
    await guard(HTTPConnection(dict(scope)))
    first = len(statements)
    statements.clear()
    began = time.perf_counter()
    for _ in range(CHECKS):
        await guard(HTTPConnection(dict(scope)))
    took = (time.perf_counter() - began) / CHECKS
    writes = [one for one in statements if not one.lstrip().upper().startswith(("SELECT", "PRAGMA"))]
    # The cache asks again every few seconds, for what another process may have revoked.
    a_call = len(statements) / CHECKS
    await inside.database.close()
    return [
        Figure("queries of a caller's first call", first, "", 1),
        Figure("queries of its next calls, each", a_call, "", 0.01),
        Figure("writes of its calls", len(writes), "", 0),
        Figure("who it is, how often, whether allowed", took * 1e6, "us a call"),
    ]
