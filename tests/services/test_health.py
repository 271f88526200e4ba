"""Probes: what counts as well, and when a service's health changes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from homeport.services.health import Health, HealthMonitor, Probe, Subject, check
from homeport.testing.clock import ManualClock
from homeport.testing.waiting import eventually


@asynccontextmanager
async def answering(reply: bytes) -> AsyncIterator[int]:
    """A server that answers every connection with `reply` and closes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(reply)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def subject(port: int, probe: Probe, cwd: Path = Path("/")) -> Subject:
    return Subject("svc_1", "rel_1", "app.localhost", port, cwd, {"PATH": "/usr/bin:/bin", "MARK": "7"}, probe)


@pytest.mark.parametrize(
    ("status", "path", "well"),
    [(200, "/health", True), (302, "/health", True), (404, "/health", False), (500, "/health", False),
     (404, None, True), (503, None, False)],
)  # fmt: skip
async def test_http_an_explicit_path_must_succeed_and_a_default_one_must_only_be_answered(
    status: int, path: str | None, well: bool
) -> None:
    async with answering(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode()) as port:
        assert (await check(subject(port, Probe(path=path))) is None) == well


async def test_http_something_that_does_not_speak_http_is_not_well() -> None:
    async with answering(b"SSH-2.0-OpenSSH\r\n") as port:
        assert await check(subject(port, Probe())) == "the answer is not HTTP"


async def test_http_a_connection_closed_without_an_answer_is_told() -> None:
    async with answering(b"") as port:
        assert await check(subject(port, Probe())) == "the connection was closed without an answer"


async def test_http_an_endless_first_line_is_cut_off() -> None:
    async with answering(b"A" * 100_000) as port:
        assert await check(subject(port, Probe())) is not None


async def test_a_port_where_nobody_listens_is_told() -> None:
    async with answering(b"") as port:
        pass
    assert await check(subject(port, Probe(type="tcp"))) == f"nothing listens on port {port}"


async def test_tcp_is_well_when_it_accepts() -> None:
    async with answering(b"") as port:
        assert await check(subject(port, Probe(type="tcp"))) is None


async def test_a_silent_app_is_given_up_after_the_time_limit() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert "within 0.2 s" in str(await check(subject(port, Probe(timeout=0.2))))


async def test_command_runs_in_the_apps_folder_with_its_variables(tmp_path: Path) -> None:
    program = "import os,sys; sys.exit(0 if os.environ.get('MARK')=='7' and os.path.exists('here') else 3)"
    (tmp_path / "here").touch()
    probe = Probe(type="command", command=(sys.executable, "-c", program))
    assert await check(subject(1, probe, tmp_path)) is None
    (tmp_path / "here").unlink()
    assert "command failed" in str(await check(subject(1, probe, tmp_path)))


class Watched:
    """A monitor over one subject whose server can be told what to answer."""

    def __init__(self, port: int) -> None:
        self.clock = ManualClock()
        self.told: list[str] = []
        self.subjects = [subject(port, Probe(path="/", interval=30, failures=3))]
        self.monitor = HealthMonitor(self.clock, subjects=lambda: self.subjects, changed=self._changed)

    def _changed(self, _service_id: str, health: Health) -> None:
        self.told.append(health.status)

    async def round(self) -> Health:
        """Far enough ahead for the next probe, and its end."""
        before = self.monitor.of("svc_1")
        self.clock.advance(31)
        self.monitor.tick()
        await eventually(lambda: self.monitor.of("svc_1") not in (before, Health("starting")))
        return self.monitor.of("svc_1")


async def serve(reply: Callable[[], bytes], use: Callable[[int], Awaitable[None]]) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(reply())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        await use(server.sockets[0].getsockname()[1])


async def test_unhealthy_only_after_so_many_failures_in_a_row_and_healthy_at_the_first_success() -> None:
    status = 200

    async def use(port: int) -> None:
        nonlocal status
        watched = Watched(port)
        assert (await watched.round()).status == "healthy"
        status = 500
        assert [(await watched.round()).status for _ in range(3)] == ["healthy", "healthy", "unhealthy"]
        assert watched.monitor.of("svc_1").consecutive_failures == 3
        assert watched.monitor.of("svc_1").message == "GET / answered 500"
        status = 200
        recovered = await watched.round()
        assert (recovered.status, recovered.consecutive_failures) == ("healthy", 0)
        assert watched.told == ["healthy", "unhealthy", "healthy"]
        await watched.monitor.close()

    def reply() -> bytes:
        return f"HTTP/1.1 {status} X\r\n\r\n".encode()

    await serve(reply, use)


async def test_what_no_longer_runs_is_forgotten() -> None:
    async def use(port: int) -> None:
        watched = Watched(port)
        await watched.round()
        watched.subjects = []
        watched.monitor.tick()
        assert watched.monitor.of("svc_1") == Health()
        await watched.monitor.close()

    await serve(lambda: b"HTTP/1.1 200 OK\r\n\r\n", use)
