"""The list of a thousand services: how long a call takes, what it sends, how often it asks the database."""

from __future__ import annotations

import asyncio
import http.client
import json
import sqlite3
import ssl
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import event

from bench.figures import Figure, percentile
from homeport.portal import Portal
from homeport.settings import Settings
from homeport.testing.portal import PortalProcess

SERVICES = 1000
CALLS = 500
WARM_UP = 50
LISTS = {
    "a page of 20": "/api/services?page=3",
    "a page of 100": "/api/services?per_page=100",
    "a search": "/api/services?search=app-5",
    "the directory": "/api/services",
}


def measure() -> list[Figure]:
    """Goal: 20 ms for 99 of 100 calls, for pages; the directory of all thousand is shown beside it."""
    with tempfile.TemporaryDirectory(prefix="homeport-list-") as folder, PortalProcess(Path(folder)) as portal:
        site = Path(folder) / "app-0"
        site.mkdir()
        (site / "index.html").write_text("one of many")
        portal.ask("deploy", str(site))
        portal.ask("stop", "app-0")
        portal.stop()
        _multiply(portal.data_dir / "homeport.db")
        portal.start()
        key = json.loads((portal.data_dir / "local.json").read_text())["key"]
        figures = []
        for what, path in LISTS.items():
            times, size = _time(portal, key, path)
            goal = None if what == "the directory" else 20.0
            figures += [
                Figure(f"{what}, p50", percentile(times, 0.50) * 1000, "ms"),
                Figure(f"{what}, p99", percentile(times, 0.99) * 1000, "ms", goal),
                Figure(f"{what}, size before compression", size / 1024, "KiB"),
            ]
        portal.stop()
        figures += asyncio.run(_queries(portal, key))
    return figures


def _multiply(database: Path) -> None:
    """Make a thousand services of the one that was deployed."""
    with sqlite3.connect(database) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(services)")]
        kept = ", ".join(name for name in columns if name not in {"id", "name"})
        connection.executemany(
            f"INSERT INTO services (id, name, {kept}) SELECT ?, ?, {kept} FROM services WHERE name = 'app-0'",
            [(f"svc_bench{number:011}", f"app-{number}") for number in range(1, SERVICES)],
        )
    connection.close()


def _time(portal: PortalProcess, key: str, path: str) -> tuple[list[float], int]:
    """Seconds of each call on one connection, and the size of an answer; the standard library's client adds least."""
    context = ssl.create_default_context(cafile=str(portal.ca_path))
    connection = http.client.HTTPSConnection("localhost", portal.port, context=context, timeout=30)
    times, size = [], 0
    for number in range(CALLS + WARM_UP):
        began = time.perf_counter()
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        size = len(answer.read())
        took = time.perf_counter() - began
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}")
        if number >= WARM_UP:
            times.append(took)
    connection.close()
    return times, size


async def _queries(portal: PortalProcess, key: str) -> list[Figure]:
    """How many statements one call sends to the database, counted inside the same portal."""
    asked = 0

    def count(*_: object) -> None:
        nonlocal asked
        asked += 1

    inside = Portal(Settings(data_dir=portal.data_dir, port=portal.port))
    async with inside.serving():
        event.listen(inside.database.engine.sync_engine, "before_cursor_execute", count)

        def call(path: str) -> int:
            with portal.client() as client:
                client.headers["Authorization"] = f"Bearer {key}"
                client.get(path).raise_for_status()
                before = asked
                client.get(path).raise_for_status()
                return asked - before

        return [Figure(f"{what}, queries a call", await _off_loop(call, path), "") for what, path in LISTS.items()]


async def _off_loop(call: Callable[[str], int], path: str) -> int:
    return await asyncio.to_thread(call, path)
