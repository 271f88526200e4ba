"""The agent as a service: what it was told survives its restarts, and what fails is tried again."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeport.relay.agent.daemon import AgentState, Daemon, read_spec
from homeport.relay.agent.daemon import state as module
from homeport.relay.agent.daemon.state import StateUnreadable, TooManyTunnels, TunnelUnknown
from homeport.testing.clock import ManualClock
from homeport.testing.fake_relay import FakeRelay, Refusal
from homeport.testing.waiting import eventually
from tests.relay.agent.daemon.conftest import tunnel


async def online(daemon: Daemon) -> None:
    await eventually(lambda: daemon.rows()[0]["state"] == "online", 20)


async def test_tunnels_come_back_after_a_restart_with_the_same_key(
    tmp_path: Path, relay: FakeRelay, service: int
) -> None:
    state = AgentState(tmp_path)
    seen = []
    for number in range(2):
        daemon = Daemon(state)
        await daemon.open(0)
        if not number:
            await daemon.add(read_spec(tunnel(relay, service)))
        await online(daemon)
        seen.append((daemon.rows()[0]["address"], daemon.token))
        await daemon.close()
    assert seen[0] == seen[1]
    assert relay.asked("/sdk/unregister") == 2  # each time it said goodbye


async def test_the_state_is_written_and_read_word_for_word(tmp_path: Path) -> None:
    state = AgentState(tmp_path)
    spec = read_spec(
        {
            "name": "Game", "target": "127.0.0.1:9000", "relay": "relay.test", "udp": True, "tcp": True, "hide": True,
            "tags": ["a", "b"], "description": "play",
        }
    )  # fmt: skip
    state.add(spec)
    assert AgentState(tmp_path).tunnels() == {"game": spec}
    assert spec.relays[0].url == "https://relay.test"
    assert state.remove("game") == spec
    with pytest.raises(TunnelUnknown):
        state.remove("game")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"tunnels": [{"name": "x"}]}', '{"tunnels": 7}', "\x00"])
async def test_a_state_that_cannot_be_read_is_not_overwritten(tmp_path: Path, text: str) -> None:
    (tmp_path / "tunnels.json").write_text(text)
    state = AgentState(tmp_path)
    with pytest.raises(StateUnreadable):
        state.add(read_spec({"name": "demo", "target": "1", "relay": "https://relay.test"}))
    assert (tmp_path / "tunnels.json").read_text() == text


async def test_there_is_a_bound_to_the_number_of_tunnels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TUNNELS", 1)
    state = AgentState(tmp_path)
    state.add(read_spec({"name": "one", "target": "1", "relay": "https://relay.test"}))
    with pytest.raises(TooManyTunnels):
        state.add(read_spec({"name": "two", "target": "1", "relay": "https://relay.test"}))


async def test_what_an_agent_gave_up_is_tried_again_later(tmp_path: Path, relay: FakeRelay, service: int) -> None:
    relay.refusals["/sdk/register"] = Refusal(409, "hostname_conflict")
    daemon = Daemon(AgentState(tmp_path), clock=ManualClock())
    await daemon.open(0)
    await daemon.add(read_spec(tunnel(relay, service)))
    await eventually(lambda: relay.asked("/sdk/register") > 1, 20)
    relay.refusals.clear()
    await online(daemon)
    await daemon.close()


async def test_one_agent_at_a_time_has_the_directory(tmp_path: Path) -> None:
    state = AgentState(tmp_path)
    with state.lock as lock:
        lock.describe({"url": "http://127.0.0.1:4018"})
        assert state.holder()["url"] == "http://127.0.0.1:4018"
    assert state.holder() == {}


async def test_who_crashed_is_no_holder(tmp_path: Path) -> None:
    (tmp_path / "agent.lock").write_text('{"pid": 999999999, "url": "http://127.0.0.1:1"}')
    assert AgentState(tmp_path).holder() == {}
