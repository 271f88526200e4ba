"""A name moves to a new instance and no request fails."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from pathlib import Path

import pytest

from homeport.kit.clock import SystemClock
from homeport.relay import Authority, Ingress, TlsHandler
from homeport.services.exposure import Routes, Target
from homeport.services.proxy import Proxy
from homeport.testing.front import Script, ScriptedApp, Stage, answering
from homeport.testing.waiting import Stopwatch, eventually, within

CLIENTS = 8
SWITCHES = 12


def slowly(body: bytes, *, requests: int | None = None) -> Script:
    """Answers after 5 ms; after `requests` answers it closes the connection without a word, as many servers do."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served = 0
        while requests is None or served < requests:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"POST"):
                await reader.readexactly(3)
            await asyncio.sleep(0.005)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            served += 1

    return script


@pytest.mark.parametrize("requests", [None, 3], ids=["keeping connections", "dropping connections"])
async def test_no_request_fails_while_releases_replace_each_other_under_load(
    tmp_path: Path, requests: int | None
) -> None:
    authority = Authority(tmp_path, SystemClock())
    authority.open()
    routes = Routes()
    proxy = Proxy(routes)
    handler = TlsHandler(authority.context_for, proxy.protocol)
    ingress = Ingress(lambda _: handler)
    port = await ingress.open("127.0.0.1", 0)
    context = ssl.create_default_context(cafile=str(authority.ca_path))
    seen: Counter[bytes] = Counter()
    failures: list[bytes] = []
    stop = asyncio.Event()
    served_after: list[float] = []

    async def hammer(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="app.localhost")
        while not stop.is_set():
            if number % 2:
                writer.write(b"GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n")
            else:
                writer.write(b"POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 3\r\n\r\nabc")
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            if not head.startswith(b"HTTP/1.1 200 "):
                failures.append(head + body)
            seen[body] += 1
        writer.close()

    old: ScriptedApp | None = None
    hammering: list[asyncio.Task[None]] = []
    for number in range(SWITCHES):
        new = ScriptedApp(slowly(b"release %d" % number, requests=requests))
        await new.open()
        routes.point("app", Target(new.port, f"rel_{number}"), service_id="svc_1")
        if old is None:
            hammering = [asyncio.create_task(hammer(each)) for each in range(CLIENTS)]
        else:
            assert await routes.drain(f"rel_{number - 1}", 5) == 0
            await old.close()
        watch = Stopwatch()
        await asyncio.sleep(0.1)
        await eventually(lambda served=b"release %d" % number: seen[served] > CLIENTS)  # type: ignore[misc]
        served_after.append(watch.seconds())
        old = new
    stop.set()
    await asyncio.gather(*hammering)
    assert old is not None
    await old.close()
    await ingress.close()
    await proxy.close(timeout=1)
    assert failures == []
    assert len(seen) == SWITCHES
    assert seen.total() > SWITCHES * CLIENTS
    assert max(served_after) < 0.2, served_after  # no switch stalls its clients; usual is what is slept, 0.1
    assert sum(served_after) < SWITCHES * 0.15, served_after


async def test_a_request_in_flight_ends_on_the_instance_where_it_began(stage: Stage) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def patient(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        begun.set()
        await go.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold")

    await stage.app(patient, instance="rel_1")
    pending = asyncio.create_task(stage.ask())
    await begun.wait()
    await stage.app(answering(b"new"), instance="rel_2")
    assert (await stage.ask()).endswith(b"new")
    go.set()
    assert (await pending).endswith(b"old")


async def test_a_reused_connection_that_is_dead_costs_no_request_that_may_be_repeated(stage: Stage) -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await reader.readuntil(b"\r\n\r\n")  # the second request is read, and never answered

    app = await stage.app(once)
    for _ in range(3):
        assert (await stage.ask()).endswith(b"ok")
    assert app.connections == 3


async def test_a_request_that_may_not_be_repeated_gets_a_connection_of_its_own(stage: Stage) -> None:
    app = await stage.app(slowly(b"ok"))
    for _ in range(3):
        request = b"POST / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"
        assert (await stage.talk(request)).endswith(b"ok")
    assert app.connections == 3


async def test_a_request_that_may_not_be_repeated_is_never_repeated(stage: Stage) -> None:
    async def dies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"abc")

    app = await stage.app(dies)
    request = b"POST / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"
    assert (await stage.talk(request)).startswith(b"HTTP/1.1 502 ")
    assert app.connections == 1


async def test_draining_closes_the_idle_connections_of_that_instance_alone(stage: Stage) -> None:
    closed = asyncio.Event()

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert await reader.read() == b""
        closed.set()

    await stage.app(app, name="one", instance="rel_1")
    other = await stage.app(answering(b"ok"), name="two", instance="rel_2")
    await stage.ask(host="one.localhost")
    await stage.ask(host="two.localhost")
    await stage.routes.drain("rel_1", 1)
    await within(2, closed.wait())  # by itself it would be after four
    await stage.ask(host="two.localhost")
    assert other.connections == 1


async def test_after_a_drain_the_same_instance_may_serve_again(stage: Stage) -> None:
    await stage.app(answering(b"ok"))
    await stage.ask()
    await stage.routes.drain("rel_1", 1)
    assert (await stage.ask()).endswith(b"ok")
