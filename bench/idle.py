"""What a portal costs that does nothing: its start until it answers, its memory, its processor time."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import psutil

from bench.figures import Figure, percentile
from homeport.testing.portal import PortalProcess

STARTS = 5
REST_SECONDS = 20


def measure() -> list[Figure]:
    """Goals: 120 MB of memory (the larger of RSS after start and after resting), 1.5 s for a warm start (median)."""
    with tempfile.TemporaryDirectory(prefix="homeport-idle-") as folder, PortalProcess(Path(folder)) as portal:
        portal.stop()
        starts = []
        for _ in range(STARTS):
            began = time.perf_counter()
            portal.start()
            with portal.client() as client:
                client.get("/api/health").raise_for_status()
            starts.append(time.perf_counter() - began)
            portal.stop()
        portal.start()
        process = psutil.Process(portal.pid)
        fresh = _memory_mb(process)
        before = _cpu_seconds(process)
        time.sleep(REST_SECONDS)
        used = _cpu_seconds(process) - before
        rested = _memory_mb(process)
    return [
        Figure("start until /api/health answers, median", percentile(starts, 0.5), "s", 1.5),
        Figure("start until /api/health answers, slowest", max(starts), "s"),
        Figure("memory of the portal and its children (RSS)", max(fresh, rested), "MB", 120),
        Figure("processor use while idle", used / REST_SECONDS * 100, "% core"),
    ]


def _memory_mb(process: psutil.Process) -> float:
    everyone = [process, *process.children(recursive=True)]
    return sum(each.memory_info().rss for each in everyone) / 1e6


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
