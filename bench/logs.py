"""Log fan-out: how late 1,000 viewers see a line, and what one viewer that never reads costs.

`python -m bench.logs` reads real files through FileLogs in this process; the lines come from another process, which
writes as a supervisor does. Prints a table and writes bench/results/logs.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from homeport.services.logs import Skipped
from homeport.services.logs.files import FileLogs

RESULTS = Path(__file__).parent / "results" / "logs.json"
WRITER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from homeport.services.drivers.process.supervisor.lines import LogFile
log, rate, seconds = LogFile(sys.argv[2], 10 << 20), float(sys.argv[3]), float(sys.argv[4])
end, due = time.time() + seconds, time.time()
at_once = 100 if rate > 1e6 else 1
while time.time() < end:
    log.write(b"stdout", [(b"F", b"%d %b" % (time.time_ns(), b"x" * 100))] * at_once)
    due += 1 / rate
    time.sleep(max(0, due - time.time()))
log.write(b"stdout", [(b"F", b"end")])
"""


def resident() -> int:
    """Bytes of RAM of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def start_writer(path: Path, rate: float, seconds: float) -> subprocess.Popen[bytes]:
    root = str(Path(__file__).parent.parent)
    return subprocess.Popen([sys.executable, "-c", WRITER, root, str(path), str(rate), str(seconds)])


async def view(logs: FileLogs, ready: asyncio.Semaphore, delays: list[float]) -> tuple[int, int]:
    """One viewer that keeps up: lines seen and lines skipped. `delays` gets seconds from writing to here."""
    seen = skipped = 0
    async with logs.follow("svc_bench", lines=100) as viewer:
        ready.release()
        async for entry in viewer:
            if isinstance(entry, Skipped):
                skipped += entry.lines
                continue
            if entry.message == "end":
                break
            entry.json()
            delays.append((time.time_ns() - int(entry.message.split(" ", 1)[0])) / 1e9)
            seen += 1
    return seen, skipped


async def fan_out(viewers: int, rate: float, seconds: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as directory:
        logs = FileLogs(Path(directory))
        logs.directory("svc_bench").mkdir(parents=True)
        ready, delays = asyncio.Semaphore(0), list[float]()
        before = resident()
        async with logs.follow("svc_bench", lines=100):  # the one that never reads
            tasks = [asyncio.create_task(view(logs, ready, delays), name=f"viewer {n}") for n in range(viewers)]
            for _ in tasks:
                await ready.acquire()
            joined = resident()
            cpu = time.process_time()
            writer = await asyncio.to_thread(start_writer, logs.directory("svc_bench") / "rel_1.log", rate, seconds)
            outcomes = await asyncio.gather(*tasks)
            cpu = time.process_time() - cpu
            await asyncio.to_thread(writer.wait)
        await logs.close()
    cuts = statistics.quantiles(delays, n=1000)
    return {
        "viewers": viewers,
        "lines_per_second": rate,
        "seen": sum(seen for seen, _ in outcomes),
        "skipped": sum(skipped for _, skipped in outcomes),
        "p50_ms": cuts[499] * 1000,
        "p99_ms": cuts[989] * 1000,
        "worst_ms": max(delays) * 1000,
        "cpu_cores": cpu / seconds,
        "memory_of_viewers_mb": (joined - before) / (1 << 20),
    }


async def stalled(lines: int) -> dict[str, float]:
    """A viewer that never reads, while an app floods its log."""
    with tempfile.TemporaryDirectory() as directory:
        logs = FileLogs(Path(directory))
        logs.directory("svc_bench").mkdir(parents=True)
        async with (
            logs.follow("svc_bench", lines=100) as stuck,
            logs.follow("svc_bench", lines=100) as quick,
        ):
            before = resident()
            started = finished = time.monotonic()
            writer = await asyncio.to_thread(start_writer, logs.directory("svc_bench") / "rel_1.log", 1e9, lines / 1e5)
            seen = peak = 0
            while True:
                try:
                    batch = await asyncio.wait_for(quick.batch(), 2)
                except TimeoutError:  # the flood is over
                    break
                seen += sum(entry.lines if isinstance(entry, Skipped) else 1 for entry in batch)
                finished = time.monotonic()
                peak = max(peak, resident())
            await asyncio.to_thread(writer.wait)
            waiting = await stuck.batch()
        await logs.close()
    return {
        "lines": seen,
        "lines_per_second": seen / (finished - started),
        "kept_for_the_stalled_viewer": len(waiting),
        "memory_growth_mb": (peak - before) / (1 << 20),
    }


def table(title: str, rows: dict[str, float]) -> None:
    print(f"\n{title}")
    for name, value in rows.items():
        print(f"  {name:<30} {value:>12,.2f}" if value % 1 else f"  {name:<30} {int(value):>12,}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--viewers", type=int, default=1000)
    options.add_argument("--rate", type=float, default=20.0, help="lines a second")
    options.add_argument("--seconds", type=float, default=10.0)
    given = options.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core, the writer on the same
    results = {
        "at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "python": sys.version.split()[0],
        "fan_out": asyncio.run(fan_out(given.viewers, given.rate, given.seconds)),
        "stalled": asyncio.run(stalled(500_000)),
    }
    for title in ("fan_out", "stalled"):
        rows = results[title]
        assert isinstance(rows, dict)
        table(title.replace("_", " "), rows)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
