"""The machine under the portal: processor, memory, disk and network, for whoever administers it."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from pydantic import BaseModel

from homeport.identity import Verb
from homeport.identity.guard import require
from homeport.kit.clock import Clock
from homeport.kit.routes import Router

if TYPE_CHECKING:
    import psutil

FIRST_SECONDS = 0.1  # over which the first measurement of the processor goes
COALESCED_SECONDS = 2.0


class CpuStats(BaseModel):
    usage: float
    cores: int


class SpaceStats(BaseModel):
    total: int
    used: int
    free: int


class SystemStats(BaseModel):
    """Seed 000's panel: bytes, per cent, and seconds since the machine started."""

    cpu: CpuStats
    memory: SpaceStats
    disk: SpaceStats
    uptime: int


class CpuHealth(BaseModel):
    percent: float
    count: int
    load_avg: tuple[float, float, float]


class MemoryHealth(BaseModel):
    total: int
    used: int
    available: int
    percent: float


class DiskHealth(SpaceStats):
    percent: float


class SwapHealth(BaseModel):
    total: int
    used: int
    percent: float


class ProcessHealth(BaseModel):
    rss: int
    vms: int
    threads: int
    pid: int


class NetIo(BaseModel):
    bytes_sent: int
    bytes_recv: int


class DiskIo(BaseModel):
    read_bytes: int
    write_bytes: int


class SystemHealth(BaseModel):
    """Seed 002's System Health: bytes and per cent; `process` is the portal itself."""

    cpu: CpuHealth
    memory: MemoryHealth
    disk: DiskHealth
    swap: SwapHealth
    process: ProcessHealth
    net_io: NetIo
    disk_io: DiskIo
    open_files: int
    connections_count: int
    uptime_seconds: int


class Machine:
    """Measures in a thread, once in 2 s however many ask. `folder` is on the disk that is told about."""

    def __init__(self, clock: Clock, folder: Path) -> None:
        self._clock = clock
        self._folder = folder
        self._process: psutil.Process | None = None
        self._lock = asyncio.Lock()
        self._kept: tuple[float, SystemHealth] | None = None
        self._times: Any = None  # usage counts from one measurement to the next

    async def stats(self) -> SystemStats:
        """The same measurement, in the words of seed 000."""
        seen = await self.health()
        return SystemStats(
            cpu=CpuStats(usage=seen.cpu.percent, cores=seen.cpu.count),
            memory=SpaceStats(total=seen.memory.total, used=seen.memory.used, free=seen.memory.available),
            disk=SpaceStats(total=seen.disk.total, used=seen.disk.used, free=seen.disk.free),
            uptime=seen.uptime_seconds,
        )

    async def health(self) -> SystemHealth:
        async with self._lock:
            if self._kept is None or self._clock.monotonic() - self._kept[0] >= COALESCED_SECONDS:
                measured = await asyncio.to_thread(self._measure)
                self._kept = self._clock.monotonic(), measured
            return self._kept[1]

    def _usage(self) -> float:
        """Per cent of all cores that was not idle since the last measurement."""
        import psutil

        if self._times is None:
            self._times = psutil.cpu_times()
            time.sleep(FIRST_SECONDS)  # we are in a thread
        before, self._times = self._times, psutil.cpu_times()
        whole = sum(self._times[:8]) - sum(before[:8])
        idle = (self._times.idle + self._times.iowait) - (before.idle + before.iowait)
        return round(min(100.0, max(0.0, 100 * (whole - idle) / whole)), 1) if whole > 0 else 0.0

    def _measure(self) -> SystemHealth:
        import psutil  # from the first question on: a portal that nobody asks goes without

        process = self._process = self._process or psutil.Process()
        memory, swap, disk = psutil.virtual_memory(), psutil.swap_memory(), psutil.disk_usage(str(self._folder))
        net, io = psutil.net_io_counters(), psutil.disk_io_counters()
        with process.oneshot():
            own = process.memory_info()
            threads = process.num_threads()
            descriptors = process.num_fds()
        return SystemHealth(
            cpu=CpuHealth(percent=self._usage(), count=psutil.cpu_count() or 1, load_avg=os.getloadavg()),
            memory=MemoryHealth(
                total=memory.total, used=memory.used, available=memory.available, percent=memory.percent
            ),
            disk=DiskHealth(total=disk.total, used=disk.used, free=disk.free, percent=disk.percent),
            swap=SwapHealth(total=swap.total, used=swap.used, percent=swap.percent),
            process=ProcessHealth(rss=own.rss, vms=own.vms, threads=threads, pid=process.pid),
            net_io=NetIo(bytes_sent=net.bytes_sent if net else 0, bytes_recv=net.bytes_recv if net else 0),
            disk_io=DiskIo(read_bytes=io.read_bytes if io else 0, write_bytes=io.write_bytes if io else 0),
            open_files=descriptors,
            connections_count=len(process.net_connections("inet")),
            uptime_seconds=max(0, int(time.time() - psutil.boot_time())),
        )


def routes(machine: Machine) -> APIRouter:
    router = Router(prefix="/api/system", tags=["system"])
    read = require(Verb.SYSTEM_READ)

    @router.get("/stats", dependencies=[read])
    async def get_stats() -> SystemStats:
        """Processor, memory and disk of this machine."""
        return await machine.stats()

    @router.get("/health", dependencies=[read])
    async def get_system_health() -> SystemHealth:
        """The same in more detail, and the portal's own process."""
        return await machine.health()

    return router
