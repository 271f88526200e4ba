"""One tunnel that the daemon keeps up: an agent, and another one when that gave up."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from homeport.kit.clock import Clock, rfc3339
from homeport.kit.problems import Problem
from homeport.relay.agent.agent import Agent
from homeport.relay.agent.backoff import Backoff
from homeport.relay.agent.daemon.specs import TunnelSpec
from homeport.relay.agent.status import Status

log = structlog.get_logger()

Build = Callable[[TunnelSpec], Awaitable[Agent]]


class KeptTunnel:
    """`start` once, `stop` once. What an agent gives up for good may be mended at the relay (a name that is free again,
    UDP that is allowed now): another one tries after a minute, and ever more rarely up to a quarter of an hour."""

    def __init__(self, spec: TunnelSpec, build: Build, clock: Clock) -> None:
        self.spec = spec
        self._build = build
        self._clock = clock
        self._agent: Agent | None = None
        self._error = ""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Returns at once."""
        self._task = asyncio.create_task(self._keep(), name=f"tunnel:{self.spec.name}")

    async def stop(self) -> None:
        """Its name is free again when this returns."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def row(self) -> dict[str, Any]:
        """How it is doing, without secrets."""
        spec, agent = self.spec, self._agent
        status = agent.status() if agent is not None else None
        return {
            "name": spec.name,
            "target": spec.target,
            "tcp": spec.tcp,
            "udp": spec.udp,
            "description": spec.description,
            "tags": list(spec.tags),
            "hide": spec.hide,
            "address": agent.identity.address if agent is not None else "",
            **_told(status, self._error),
            "relays": [
                {"relay": tunnel.relay.url, **_told(tunnel.status(), "")} for tunnel in (agent.tunnels if agent else ())
            ],
        }

    async def _keep(self) -> None:
        backoff = Backoff(secrets.SystemRandom().random, first=60.0, longest=900.0)
        try:
            while True:
                try:
                    self._agent = await self._build(self.spec)
                    self._error = ""
                    await self._agent.start()
                    await self._agent.wait()
                except Problem as problem:
                    self._error = problem.message
                    log.error("a tunnel cannot be started", name=self.spec.name, reason=problem.message)
                await self._clock.sleep(30.0 + backoff.next())
        finally:
            if self._agent is not None:
                await self._agent.stop()


def _told(status: Status | None, error: str) -> dict[str, Any]:
    if status is None:
        return {"state": "failed" if error else "connecting", "error": error, "url": "", "hostname": ""}
    return {
        "state": status.state,
        "since": rfc3339(status.since),
        "error": error or status.error,
        "warning": status.warning,
        "url": status.url,
        "hostname": status.hostname,
        "tcp_addr": status.tcp_addr,
        "udp_addr": status.udp_addr,
        "ready": status.ready,
        "received": status.received,
        "sent": status.sent,
        "connections": status.connections,
        "open": status.open,
    }
