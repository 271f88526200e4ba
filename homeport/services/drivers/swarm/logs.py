"""Follows what the services of a swarm print, wherever they run, into the same files that a process's log has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from homeport.kit.clock import Clock
from homeport.kit.masking import Masker
from homeport.services.docker.problems import EngineRefused, EngineUnavailable
from homeport.services.drivers import InstanceSpec
from homeport.services.drivers.swarm import names
from homeport.services.drivers.swarm.cluster import Cluster, View
from homeport.services.drivers.swarm.journal import Journal, Line, nanoseconds

if TYPE_CHECKING:
    from aiohttp import ClientResponse

log = structlog.get_logger()
RETRY = 2.0  # seconds after a connection that ended
LONGEST = 256 * 1024  # bytes of one printed line; what is longer becomes several
HEADER = 8  # bytes before each frame: stream, three zeros, length (Engine API, "Stream format")
LARGEST_FRAME = 1024 * 1024
STREAMS = {1: "stdout", 2: "stderr"}


class ServiceLogs:
    """One connection a service. Secrets are known from the spec that a start hands in."""

    def __init__(self, cluster: Cluster, limit_mb: int, clock: Clock) -> None:
        self._cluster = cluster
        self._limit = limit_mb * 1024 * 1024
        self._clock = clock
        self._tasks: dict[str, tuple[str, asyncio.Task[None]]] = {}  # by name: the service's id, who follows it

    def follow(self, spec: InstanceSpec, view: View) -> None:
        """The release's service and those that it shares with others, each once."""
        masker = Masker(spec.secrets)
        services = [one for one in [view.release(spec.id), *view.backing(spec.service_id)] if one is not None]
        for service in services:
            name, id_ = service["Spec"]["Name"], service["ID"]
            if name in self._tasks:
                if self._tasks[name][0] == id_ and names.RELEASE not in service["Spec"]["Labels"]:
                    continue
                self.leave(name)
            is_routed = names.RELEASE in service["Spec"]["Labels"]
            file = spec.id if is_routed else service["Spec"]["Labels"][names.PART]
            has_tty = bool(service["Spec"]["TaskTemplate"]["ContainerSpec"].get("TTY"))
            work = self._follow(id_, spec.log_dir / f"{file}.log", masker, has_tty=has_tty)
            self._tasks[name] = (id_, asyncio.create_task(work, name=f"swarm driver: log of {name}"))

    def keep_up(self, view: View) -> None:
        """Leave what is no longer there."""
        there = {one["ID"] for one in view.services}
        for name, (id_, _) in list(self._tasks.items()):
            if id_ not in there:
                self.leave(name)

    def leave(self, name: str) -> None:
        if (found := self._tasks.pop(name, None)) is not None:
            found[1].cancel()

    async def close(self) -> None:
        tasks = [task for _, task in self._tasks.values()]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, service_id: str, path: Path, masker: Masker, *, has_tty: bool) -> None:
        journal = await asyncio.to_thread(Journal, path, self._limit, masker)
        while True:
            seconds, rest = divmod(journal.last, 1_000_000_000)
            query: dict[str, bool | str] = {"follow": True, "stdout": True, "stderr": True, "timestamps": True}
            if journal.last:
                query["since"] = f"{seconds}.{rest:09d}"
            try:
                async with self._cluster.engine.stream("GET", f"/services/{service_id}/logs", query=query) as answer:
                    async for lines in _batches(answer, has_tty=has_tty):
                        await asyncio.to_thread(journal.write, lines)
            except EngineUnavailable:
                pass  # what the driver's watch says; the log goes on where it stopped
            except EngineRefused as problem:
                if problem.engine_status == 404:
                    return
                log.warning("a log of the swarm cannot be read", service=service_id, reason=problem.message)
            except OSError as trouble:
                log.warning("a log could not be written", path=str(path), reason=str(trouble))
            await self._clock.sleep(RETRY)


class Frames:
    """Bytes in, lines out: the Engine's multiplexed stream with a timestamp before each message."""

    def __init__(self, *, has_tty: bool = False) -> None:
        self._rest = bytearray()
        self._parts: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self._read: Callable[[], list[Line]] = self._read_plain if has_tty else self._read_frames

    def feed(self, data: bytes) -> list[Line]:
        """Every line that is whole now."""
        self._rest += data
        return self._read()

    def _read_frames(self) -> list[Line]:
        found: list[Line] = []
        at = 0
        while len(self._rest) - at >= HEADER:
            length = int.from_bytes(self._rest[at + 4 : at + HEADER], "big")
            if length > LARGEST_FRAME:
                raise EngineUnavailable("Docker Engine sent a frame that is too large.")
            if len(self._rest) - at - HEADER < length:
                break
            stream = STREAMS.get(self._rest[at], "stdout")
            self._message(stream, bytes(self._rest[at + HEADER : at + HEADER + length]), found)
            at += HEADER + length
        del self._rest[:at]
        return found

    def _read_plain(self) -> list[Line]:
        found: list[Line] = []
        *whole, rest = bytes(self._rest).split(b"\n")
        for line in whole:
            self._message("stdout", line + b"\n", found)
        self._rest = bytearray(rest)
        if len(rest) > LONGEST:
            self._message("stdout", rest + b"\n", found)
            self._rest.clear()
        return found

    def _message(self, stream: str, data: bytes, found: list[Line]) -> None:
        stamp, _, text = data.partition(b" ")
        at = nanoseconds(stamp)
        if not at:
            return  # not a message: what the API says of a node whose log it cannot read
        parts = self._parts[stream]
        parts += text
        if text.endswith(b"\n") or len(parts) > LONGEST:
            found.append(Line(at, stream, bytes(parts).rstrip(b"\r\n")))
            parts.clear()


async def _batches(answer: ClientResponse, *, has_tty: bool) -> AsyncIterator[list[Line]]:
    frames = Frames(has_tty=has_tty)
    async for data in answer.content.iter_any():
        if lines := frames.feed(data):
            yield lines
