"""What a supervised app prints reaches a viewer: the writer and the reader of the log together."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from homeport.services.drivers import InstanceSpec
from homeport.services.drivers.process import ProcessDriver
from homeport.services.logs import LogEntry
from homeport.services.logs.files import FileLogs


async def test_what_an_app_prints_is_followed_to_its_last_line(tmp_path: Path) -> None:
    logs = FileLogs(tmp_path / "services")
    driver = ProcessDriver(tmp_path / "instances")
    await driver.open(lambda _: None)
    code = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("bye", flush=True), sys.exit(0)))
print("hello", flush=True)
print("to the other", file=sys.stderr, flush=True)
time.sleep(60)
"""
    spec = InstanceSpec(
        id="rel_1",
        service_id="svc_1",
        argv=(sys.executable, "-I", "-S", "-c", code),
        cwd=tmp_path,
        env={},
        port=1,
        log_dir=logs.directory("svc_1"),
    )
    seen: list[tuple[str, str]] = []
    async with logs.follow("svc_1", lines=10) as viewer, asyncio.timeout(20):
        await driver.start(spec)
        async for entry in viewer:
            assert isinstance(entry, LogEntry)
            assert entry.instance == "rel_1"
            seen.append((entry.stream, entry.message))
            if len(seen) == 2:
                await driver.stop("rel_1", timedelta(seconds=10))
            if entry.stream == "system":
                break
    await driver.remove("rel_1")
    await driver.close()
    assert sorted(seen[:2]) == [("stderr", "to the other"), ("stdout", "hello")]
    assert seen[2:] == [("stdout", "bye"), ("system", "stopped")]
