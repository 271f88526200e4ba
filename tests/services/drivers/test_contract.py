"""The contract of ServiceDriver, one sentence of its docstring a test, over every implementation."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from homeport.services.drivers import InstanceState, Observation
from homeport.services.problems import StartFailed
from homeport.testing.waiting import within

if TYPE_CHECKING:
    from tests.services.drivers.conftest import World

NOW = timedelta(0)
PATIENT = timedelta(seconds=10)


class Heard(list[Observation]):
    """Changes; who waits for the first to `state` goes on before the driver can hear of anything that follows."""

    def __init__(self, state: InstanceState) -> None:
        super().__init__()
        self.first = asyncio.Event()
        self._state = state

    def append(self, change: Observation) -> None:
        super().append(change)
        if change.state is self._state:
            self.first.set()


async def seen(world: World, state: InstanceState, count: int = 1) -> Observation:
    """The nth change to `state` that the world was told of."""
    deadline = time.monotonic() + 10
    while len(found := [change for change in world.changes if change.state is state]) < count:
        assert time.monotonic() < deadline, f"no change to {state}: {world.changes}"
        await asyncio.sleep(0.02)
    return found[count - 1]


async def test_before_start_an_id_is_unknown(world: World) -> None:
    driver = await world.driver()
    assert await driver.observe() == {}


async def test_stop_and_remove_of_an_unknown_id_do_nothing(world: World) -> None:
    driver = await world.driver()
    await driver.stop("rel_none", NOW)
    await driver.remove("rel_none")
    assert await driver.observe() == {}


async def test_start_returns_once_the_process_exists(world: World) -> None:
    driver = await world.driver()
    before = datetime.now(UTC)
    spec = world.spec("rel_1")
    told = await driver.start(spec)
    assert told.state is InstanceState.RUNNING
    assert told.pid is not None
    assert world.runs(told.pid)
    assert (told.id, told.service_id, told.port, told.restarts) == ("rel_1", "svc_1", spec.port, 0)
    assert told.started_at is not None
    assert before - timedelta(seconds=1) <= told.started_at <= datetime.now(UTC)
    assert (await driver.observe())["rel_1"] == told


async def test_started_twice_nothing_happens(world: World) -> None:
    driver = await world.driver()
    first = await driver.start(world.spec("rel_1"))
    assert await driver.start(world.spec("rel_1")) == first


async def test_two_starts_at_once_make_one_process(world: World) -> None:
    driver = await world.driver()
    first, second = await asyncio.gather(driver.start(world.spec("rel_1")), driver.start(world.spec("rel_1")))
    assert first.pid == second.pid


async def test_start_of_what_cannot_be_made_says_so_and_leaves_nothing(world: World) -> None:
    driver = await world.driver()
    with pytest.raises(StartFailed, match=r"no such|No such"):
        await driver.start(world.refuse(world.spec("rel_1")))
    assert await driver.observe() == {}


async def test_a_stopped_instance_starts_anew(world: World) -> None:
    driver = await world.driver()
    first = await driver.start(world.spec("rel_1"))
    await driver.stop("rel_1", PATIENT)
    again = await driver.start(world.spec("rel_1"))
    assert again.state is InstanceState.RUNNING
    assert again.pid != first.pid
    assert again.restarts == 0


async def test_a_backed_off_instance_starts_anew(world: World) -> None:
    heard = Heard(InstanceState.BACKOFF)
    world.changes = heard
    driver = await world.driver()
    world.crash(await driver.start(world.spec("rel_1", delay=60)))
    async with asyncio.timeout(10):
        await heard.first.wait()  # an engine's back-off is short, and what it has up again is left as it is
    again = await driver.start(world.spec("rel_1"))
    assert again.state is InstanceState.RUNNING
    assert again.restarts == 0


async def test_a_lost_instance_starts_anew(world: World) -> None:
    driver = await world.driver()
    first = await driver.start(world.spec("rel_1"))
    await world.lose("rel_1")
    await seen(world, InstanceState.LOST)
    again = await driver.start(world.spec("rel_1"))
    assert again.state is InstanceState.RUNNING
    assert again.pid != first.pid


async def test_an_instance_that_exits_by_itself_is_told_and_started_again(world: World) -> None:
    driver = await world.driver()
    first = await driver.start(world.spec("rel_1", delay=1))
    world.crash(first)
    fallen = await seen(world, InstanceState.BACKOFF)
    assert (fallen.restarts, fallen.exit_code, fallen.pid) == (1, -11, None)
    assert fallen.reason
    assert fallen.retry_at is not None
    risen = await seen(world, InstanceState.RUNNING)
    assert (risen.restarts, risen.exit_code, risen.retry_at) == (1, -11, None)
    assert risen.pid not in {None, first.pid}
    assert (await driver.observe())["rel_1"] == risen


async def test_a_change_is_told_within_two_seconds(world: World) -> None:
    driver = await world.driver()
    told = await driver.start(world.spec("rel_1", delay=60))
    world.crash(told)
    await within(2, seen(world, InstanceState.BACKOFF))


async def test_what_was_asked_for_is_not_told_as_a_change(world: World) -> None:
    driver = await world.driver()
    await driver.start(world.spec("rel_1"))
    await driver.stop("rel_1", PATIENT)
    await driver.start(world.spec("rel_1"))
    await driver.remove("rel_1")
    await asyncio.sleep(1.2)
    assert world.changes == []


async def test_stop_ends_it_and_says_so(world: World) -> None:
    driver = await world.driver()
    told = await driver.start(world.spec("rel_1"))
    await driver.stop("rel_1", PATIENT)
    assert told.pid is not None
    assert not world.runs(told.pid)
    stopped = (await driver.observe())["rel_1"]
    assert (stopped.state, stopped.pid, stopped.exit_code) == (InstanceState.STOPPED, None, -15)


async def test_stop_twice_changes_nothing(world: World) -> None:
    driver = await world.driver()
    await driver.start(world.spec("rel_1"))
    await driver.stop("rel_1", PATIENT)
    before = await driver.observe()
    await driver.stop("rel_1", PATIENT)
    assert await driver.observe() == before


async def test_stop_ends_a_back_off(world: World) -> None:
    driver = await world.driver()
    world.crash(await driver.start(world.spec("rel_1", delay=1)))
    await seen(world, InstanceState.BACKOFF)
    await driver.stop("rel_1", PATIENT)
    await asyncio.sleep(1.2)
    assert (await driver.observe())["rel_1"].state is InstanceState.STOPPED


async def test_remove_stops_and_forgets(world: World) -> None:
    driver = await world.driver()
    told = await driver.start(world.spec("rel_1"))
    await driver.remove("rel_1")
    assert told.pid is not None
    assert not world.runs(told.pid)
    assert await driver.observe() == {}


async def test_a_lost_instance_is_told_and_nothing_of_it_runs(world: World) -> None:
    driver = await world.driver()
    told = await driver.start(world.spec("rel_1"))
    await world.lose("rel_1")
    lost = await seen(world, InstanceState.LOST)
    assert told.pid is not None
    assert not world.runs(told.pid)
    assert lost.pid is None
    assert lost.reason
    assert (await driver.observe())["rel_1"].state is InstanceState.LOST


async def test_what_runs_goes_on_running_after_close(world: World) -> None:
    driver = await world.driver()
    told = await driver.start(world.spec("rel_1"))
    await driver.close()
    assert told.pid is not None
    assert world.runs(told.pid)


async def test_another_driver_finds_what_runs_and_can_stop_it(world: World) -> None:
    first = await world.driver()
    told = await first.start(world.spec("rel_1"))
    await first.close()
    second = await world.driver()
    assert (await second.observe())["rel_1"] == told
    assert await second.start(world.spec("rel_1")) == told
    await second.stop("rel_1", PATIENT)
    assert told.pid is not None
    assert not world.runs(told.pid)


async def test_another_driver_is_told_of_changes_of_what_it_found(world: World) -> None:
    first = await world.driver()
    told = await first.start(world.spec("rel_1", delay=60))
    await first.close()
    await world.driver()
    world.crash(told)
    assert (await seen(world, InstanceState.BACKOFF)).restarts == 1


async def test_it_is_started_again_while_no_driver_is_there(world: World) -> None:
    first = await world.driver()
    told = await first.start(world.spec("rel_1", delay=0.1))
    await first.close()
    world.crash(told)
    await asyncio.sleep(0.8)
    second = await world.driver()
    deadline = time.monotonic() + 5  # a cluster takes its time to place it
    while (again := (await second.observe())["rel_1"]).state is not InstanceState.RUNNING or again.pid == told.pid:
        assert time.monotonic() < deadline, again
        await asyncio.sleep(0.05)
    assert again.restarts == 1
    assert again.pid != told.pid


async def test_usage_is_of_those_that_run_only(world: World) -> None:
    driver = await world.driver()
    await driver.start(world.spec("rel_1"))
    await driver.start(world.spec("rel_2"))
    await driver.stop("rel_2", PATIENT)
    usage = await driver.usage(["rel_1", "rel_2", "rel_none"])
    assert set(usage) == {"rel_1"}
    assert usage["rel_1"].cpu == 0.0
    assert usage["rel_1"].memory_bytes > 100_000


async def test_instances_do_not_touch_each_other(world: World) -> None:
    driver = await world.driver()
    first = await driver.start(world.spec("rel_1"))
    second = await driver.start(world.spec("rel_2"))
    await driver.remove("rel_1")
    assert first.pid != second.pid
    assert second.pid is not None
    assert world.runs(second.pid)
    assert set(await driver.observe()) == {"rel_2"}
