"""A hundred redeploys under steady load: not one request may fail."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import Figure, percentile
from bench.stack import deploy, portal_on
from homeport.testing.portal import PortalProcess

REDEPLOYS = 100
STACK_REDEPLOYS = 30
VISITORS = 4
PAUSE = 0.01  # seconds between two requests of a visitor
FRESH_EVERY = 20  # requests on one connection
EXAMPLE = Path(__file__).parent.parent / "examples" / "hello"
NAME = "bench"


@dataclass
class Load:
    """What the visitors saw."""

    times: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    done: bool = False


def measure(driver: str = "process") -> list[Figure]:
    """Goal: no failed request. With containers it is the stack of three services."""
    with tempfile.TemporaryDirectory(prefix="homeport-redeploy-") as folder, ExitStack() as stack:
        if driver == "process":
            portal = stack.enter_context(PortalProcess(Path(folder)))
            portal.ask("deploy", str(EXAMPLE), "--name", NAME)
        else:
            portal, _ = stack.enter_context(portal_on(driver, Path(folder)))
            deploy(portal, NAME)
        load, deploys = asyncio.run(_measure(portal, REDEPLOYS if driver == "process" else STACK_REDEPLOYS))
    for failure in load.failures[:10]:
        print(f"  failed: {failure}")
    return [
        Figure("redeploys", len(deploys), ""),
        Figure("requests meanwhile", len(load.times), ""),
        Figure("failed requests", len(load.failures), "", 0),
        Figure("a redeploy, p50", percentile(deploys, 0.5), "s"),
        Figure("a redeploy, p99", percentile(deploys, 0.99), "s"),
        Figure("a request meanwhile, p50", percentile(load.times, 0.5) * 1000, "ms"),
        Figure("a request meanwhile, p99", percentile(load.times, 0.99) * 1000, "ms"),
    ]


async def _measure(portal: PortalProcess, times: int) -> tuple[Load, list[float]]:
    load = Load()
    async with asyncio.TaskGroup() as group:
        for number in range(VISITORS):
            group.create_task(_visit(portal, load), name=f"visitor {number}")
        deploys = await asyncio.to_thread(_redeploy, portal, times)
        load.done = True
    return load, deploys


def _redeploy(portal: PortalProcess, times: int) -> list[float]:
    took = []
    with portal.api() as api:
        for _ in range(times):
            began = time.perf_counter()
            job = api.post(f"/api/services/{NAME}/redeploy").raise_for_status().json()["deploy_job_id"]
            ended = portal.wait(job)
            took.append(time.perf_counter() - began)
            if ended["status"] != "success":
                raise RuntimeError(f"a redeploy failed: {ended['error']}")
    return took


async def _visit(portal: PortalProcess, load: Load) -> None:
    """One visitor: connections of twenty requests each, one after the other."""
    host = f"{NAME}.localhost"
    request = f"GET / HTTP/1.1\r\nHost: {host}:{portal.port}\r\n\r\n".encode()
    while not load.done:
        writer = None
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", portal.port, ssl=portal.tls, server_hostname=host
            )
            for _ in range(FRESH_EVERY):
                began = time.perf_counter()
                async with asyncio.timeout(10):
                    writer.write(request)
                    status = await _answer(reader)
                load.times.append(time.perf_counter() - began)
                if status != 200:
                    load.failures.append(f"status {status}")
                await asyncio.sleep(PAUSE)
        except (OSError, ssl.SSLError, TimeoutError, EOFError) as problem:
            load.failures.append(repr(problem))
        finally:
            if writer is not None:
                writer.close()


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    await reader.readexactly(length)
    return int(head.split(b" ", 2)[1])
