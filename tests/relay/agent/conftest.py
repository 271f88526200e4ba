"""An agent at work against the small relay of homeport.testing, and services for it to make public."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from homeport.kit.clock import SystemClock
from homeport.relay.agent import Agent, Automatic, FromTheRelay, Relay, SelfSigned, TcpTarget, Wish, client_context
from homeport.relay.agent.identity import new_identity
from homeport.relay.agent.targets import Target
from homeport.testing.fake_relay import FakeRelay
from homeport.testing.waiting import eventually

Served = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Start = Callable[..., Awaitable[Agent]]
Serve = Callable[[Served], Awaitable[TcpTarget]]


@pytest.fixture
async def relay() -> AsyncIterator[FakeRelay]:
    async with FakeRelay() as relay:
        yield relay


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Runs a service on loopback for the length of the test; where it is."""
    servers: list[asyncio.Server] = []

    async def start(served: Served) -> TcpTarget:
        server = await asyncio.start_server(served, "127.0.0.1", 0)
        servers.append(server)
        return TcpTarget("127.0.0.1", server.sockets[0].getsockname()[1])

    yield start
    for server in servers:
        server.close()


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts an agent called demo, and stops it after the test."""
    agents: list[Agent] = []

    async def begin(
        target: Target, *relays: FakeRelay, wish: Wish | None = None, self_signed: bool = False, **options: object
    ) -> Agent:
        clock = SystemClock()
        local = FromTheRelay(clock)
        agent = Agent(
            new_identity("demo"),
            [Relay(relay.url, client_context(relay.ca_pem)) for relay in relays],
            target,
            wish or Wish(),
            Automatic(local, local, SelfSigned(clock) if self_signed else None),
            random=lambda: 0.1,
            **options,  # type: ignore[arg-type]
        )
        agents.append(agent)
        await agent.start()
        return agent

    yield begin
    for agent in agents:
        await agent.stop()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says what it is told, until nothing more comes; then says goodbye."""
    while data := await reader.read(64 * 1024):
        writer.write(data)
        await writer.drain()
    writer.write(b"goodbye")
    writer.close()


async def until(agent: Agent, state: str, seconds: float = 15) -> None:
    """Returns when the agent's state is this."""
    await eventually(lambda: agent.status().state == state, seconds)
