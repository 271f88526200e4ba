"""An agent needs no human: relays that restart, fall silent, forget, or refuse for a while. Relay A.3, A.4, C.4, E."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from homeport.kit.clock import SystemClock
from homeport.relay.agent import Agent, sessions
from homeport.testing.fake_relay import FakeRelay, Refusal
from homeport.testing.waiting import eventually

from .conftest import Serve, Start, echo, until


async def test_it_comes_back_when_the_relay_was_restarted(relay: FakeRelay, serve: Serve, start: Start) -> None:
    agent = await start(await serve(echo), relay)
    await until(agent, "online")

    await relay.stop()
    await until(agent, "offline")
    await eventually(lambda: "cannot be reached" in agent.status().error)
    await relay.start()

    visitor = await relay.visit("demo.localhost")
    await visitor.send(b"again")
    assert await visitor.receive() == b"again"
    assert agent.status().state == "online"
    assert relay.asked("/sdk/register") == 1  # the relay had kept the lease


async def test_a_relay_that_forgot_the_lease_is_registered_with_anew_by_the_same_identity(
    relay: FakeRelay, serve: Serve, start: Start
) -> None:
    agent = await start(await serve(echo), relay)
    await until(agent, "online")
    first = relay.leases.copy()

    await relay.stop()
    relay.leases.clear()
    await relay.start()

    await eventually(lambda: relay.asked("/sdk/register") == 2)
    await until(agent, "online")
    assert list(relay.leases.values()) == list(first.values())


async def test_visitors_stay_while_the_agent_registers_anew(relay: FakeRelay, serve: Serve, start: Start) -> None:
    agent = await start(await serve(echo), relay)
    visitor = await relay.visit("demo.localhost")
    relay.leases.clear()

    session = await relay.session()
    session.cut()
    await eventually(lambda: relay.asked("/sdk/register") == 2)

    await visitor.send(b"still here")
    assert await visitor.receive() == b"still here"
    assert agent.status().open == 1


async def test_a_session_on_which_the_relay_is_silent_is_given_up(
    relay: FakeRelay, serve: Serve, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """relay C.4: silence beyond twice the keepalive's interval; half-open connections look just so."""
    monkeypatch.setattr(sessions, "SILENCE_SECONDS", 0.5)
    agent = await start(await serve(echo), relay)
    await until(agent, "online")
    relay.accepts = False

    await until(agent, "offline")

    assert "silent" in agent.status().error


async def test_keepalives_keep_a_session(
    relay: FakeRelay, serve: Serve, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "SILENCE_SECONDS", 3.0)
    agent = await start(await serve(echo), relay)
    waiting = [await relay.session(), await relay.session()]
    await eventually(lambda: agent.status().ready == 2)

    for _ in range(10):
        for session in waiting:
            await session.keep_alive()
        await asyncio.sleep(0.5)

    assert agent.status().ready == 2
    assert relay.asked("/sdk/connect") == 2

    await eventually(lambda: relay.asked("/sdk/connect") > 2)  # nothing but the keepalives had kept them


async def test_the_lease_is_renewed_before_it_ends(serve: Serve, start: Start) -> None:
    """relay A.4: each renewal gives a token, and sessions use the newest."""
    async with FakeRelay(ttl=4) as relay:
        agent = await start(await serve(echo), relay)
        await eventually(lambda: _token(agent).endswith("++"))
        for _ in range(2):
            (await relay.session()).cut()
        await eventually(lambda: relay.asked("/sdk/connect") >= 4)

        assert (await relay.session()).token.endswith("++")
        assert relay.asked("/sdk/register") == 1
        assert agent.status().state == "online"


def _token(agent: Agent) -> str:
    held = agent.tunnels[0].held
    return held.token if held is not None else ""


async def test_approval_is_waited_for(relay: FakeRelay, serve: Serve, start: Start) -> None:
    """relay E: registration succeeds, and connecting is refused until somebody approves."""
    relay.refusals["/sdk/connect"] = Refusal(403, "lease_rejected")
    agent = await start(await serve(echo), relay)
    await until(agent, "waiting")
    assert "approved" in agent.status().error

    del relay.refusals["/sdk/connect"]

    await until(agent, "online")
    assert relay.asked("/sdk/register") == 1


async def test_somebody_elses_name_is_final(relay: FakeRelay, serve: Serve, start: Start) -> None:
    relay.refusals["/sdk/register"] = Refusal(409, "hostname_conflict")
    agent = await start(await serve(echo), relay)

    await asyncio.wait_for(agent.wait(), 10)

    assert agent.status().state == "failed"
    assert "take another --name" in agent.status().error


async def test_a_protocol_of_the_future_is_final(serve: Serve, start: Start) -> None:
    async with FakeRelay(protocol="9") as relay:
        agent = await start(await serve(echo), relay)

        await asyncio.wait_for(agent.wait(), 10)

        assert agent.status().state == "failed"
        assert "version '9'" in agent.status().error


async def test_nothing_is_signed_that_another_relay_could_use(serve: Serve, start: Start) -> None:
    """relay B.2: the message names the relay; signed for another one, it would give our name there away."""
    async with FakeRelay(siwe_domain="relay.example.org") as relay:
        agent = await start(await serve(echo), relay)

        await asyncio.wait_for(agent.wait(), 10)

        assert "not for itself" in agent.status().error
        assert relay.asked("/sdk/register") == 0


@pytest.mark.parametrize("hostname", ["../../etc/passwd", "a b.localhost", "-.localhost", "x\n.localhost"])
async def test_a_host_name_that_is_none_is_not_believed(serve: Serve, start: Start, hostname: str) -> None:
    async with FakeRelay(extra={"hostname": hostname}) as relay:
        agent = await start(await serve(echo), relay)

        await asyncio.wait_for(agent.wait(), 10)

        assert "host name that is none" in agent.status().error


async def test_a_relay_that_is_just_not_well_is_asked_again(relay: FakeRelay, serve: Serve, start: Start) -> None:
    relay.refusals["/sdk/domain"] = Refusal(502)
    agent = await start(await serve(echo), relay)
    await eventually(lambda: relay.asked("/sdk/domain") >= 2)
    assert agent.status().state == "connecting"

    relay.refusals.clear()

    await until(agent, "online")


async def test_the_older_protocol_is_spoken_too(serve: Serve, start: Start) -> None:
    """relay 0: the relay names the host name itself there, and renewals carry no metadata."""
    async with FakeRelay(protocol="5", ttl=4, extra={"hostname": "demo.tunnels.localhost"}) as relay:
        agent = await start(await serve(echo), relay)
        visitor = await relay.visit("demo.tunnels.localhost")
        await visitor.send(b"five")

        assert await visitor.receive() == b"five"
        assert agent.status().hostname == "demo.tunnels.localhost"
        await eventually(lambda: relay.asked("/sdk/renew") >= 1)
        assert all("metadata" not in body for path, _, body in relay.requests if path == "/sdk/renew")


async def test_several_relays_serve_at_once(relay: FakeRelay, serve: Serve, start: Start) -> None:
    async with FakeRelay() as other:
        agent = await start(await serve(echo), relay, other)
        for each in (relay, other):
            visitor = await each.visit("demo.localhost")
            await visitor.send(b"hello")
            assert await visitor.receive() == b"hello"

        await other.stop()
        await eventually(lambda: [tunnel.status().state for tunnel in agent.tunnels] == ["online", "offline"])

        assert agent.status().state == "online"


async def test_the_name_is_given_back_at_the_end(relay: FakeRelay, serve: Serve, start: Start) -> None:
    agent = await start(await serve(echo), relay)
    await until(agent, "online")

    await agent.stop()

    assert relay.leases == {}
    assert agent.status().state == "stopped"


class AnHour(SystemClock):
    """It stands until the hour that was slept for goes by, when the test says so; `ends` is when that is."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.ends: datetime | None = None
        self._began = super().now()

    def now(self) -> datetime:
        return self._began + timedelta(hours=1 if self.over.is_set() else 0)

    async def sleep(self, seconds: float) -> None:
        if 3500 < seconds <= 3600:
            self.ends = self.now() + timedelta(seconds=seconds)
            await self.over.wait()
        else:
            await super().sleep(seconds)


async def test_it_ends_by_itself_when_its_time_is_over(relay: FakeRelay, serve: Serve, start: Start) -> None:
    clock = AnHour()
    expires_at = clock.now() + timedelta(hours=1)
    agent = await start(await serve(echo), relay, expires_at=expires_at, clock=clock)
    await until(agent, "online")
    assert relay.leases
    assert clock.ends == expires_at

    clock.over.set()

    await asyncio.wait_for(agent.wait(), 10)

    assert agent.status().state == "expired"
    assert relay.leases == {}


async def test_what_it_has_open_is_gone_when_it_has_stopped(relay: FakeRelay, serve: Serve, start: Start) -> None:
    agent = await start(await serve(echo), relay)
    visitor = await relay.visit("demo.localhost")
    await visitor.send(b"hello")
    await visitor.receive()

    await agent.stop()

    with pytest.raises(ConnectionResetError):
        await visitor.receive()
    assert agent.status().open == 0


async def test_agents_of_one_identity_do_not_take_the_name_from_each_other_in_a_hot_loop(
    relay: FakeRelay, serve: Serve, start: Start
) -> None:
    """relay B.4: a new registration makes the other's token worthless."""
    agent = await start(await serve(echo), relay)
    await until(agent, "online")

    waits = []
    for _ in range(7):
        taken_at = asyncio.get_running_loop().time()
        relay.leases.clear()
        for session in [await relay.session(), await relay.session()]:
            session.cut()
        await eventually(lambda: bool(relay.leases), 30)
        waits.append(asyncio.get_running_loop().time() - taken_at)

    assert waits[-1] > 1.5
