"""Durable work on both databases: in order, once, to the end, also over an orderly stop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from dbos import DBOS

from homeport.kit.problems import Conflict
from homeport.storage import Durable, Step, Workflow
from homeport.testing.waiting import eventually


class Journal:
    """A workflow of two steps that writes down what happens to it."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.second: Callable[[], object] = lambda: None
        self.wait = False

    def workflow(self) -> Workflow:
        async def one(id_: str) -> None:
            self.told.append(f"one {id_}")

        async def two(id_: str) -> None:
            self.told.append(f"two {id_}")
            if self.wait:
                await asyncio.sleep(60)
            self.second()

        async def succeeded(id_: str) -> None:
            self.told.append(f"done {id_}")

        async def failed(id_: str, step: str, problem: BaseException) -> None:
            self.told.append(f"failed {id_} at {step}: {getattr(problem, 'code', '')}: {problem}")

        return Workflow("test", [Step("one", one), Step("two", two)], succeeded, failed)


async def test_steps_run_in_order_and_one_id_runs_once(database_url: str) -> None:
    journal, durable = Journal(), Durable(database_url, executor_id="local")
    await durable.open([journal.workflow()])
    await durable.start("test", "a")
    await eventually(lambda: "done a" in journal.told)
    await durable.start("test", "a")
    await durable.start("test", "b")
    await eventually(lambda: "done b" in journal.told)
    await durable.close()
    assert journal.told == ["one a", "two a", "done a", "one b", "two b", "done b"]


async def test_a_problem_ends_the_steps_and_keeps_its_code(database_url: str) -> None:
    def refuse() -> None:
        raise Conflict("Somebody else was here.")

    journal, durable = Journal(), Durable(database_url, executor_id="local")
    journal.second = refuse
    await durable.open([journal.workflow()])
    await durable.start("test", "a")
    await eventually(lambda: len(journal.told) == 3)
    await durable.close()
    assert journal.told[-1] == "failed a at two: conflict: Somebody else was here."


async def test_what_a_stop_cut_off_goes_on_at_the_step_it_was_in(database_url: str) -> None:
    before, durable = Journal(), Durable(database_url, executor_id="local")
    before.wait = True
    await durable.open([before.workflow()])
    await durable.start("test", "a")
    await eventually(lambda: "two a" in before.told)
    await durable.close()
    after, again = Journal(), Durable(database_url, executor_id="local")
    await again.open([after.workflow()])
    await eventually(lambda: "done a" in after.told)
    await again.close()
    assert after.told == ["two a", "done a"]


async def test_journals_of_ended_work_are_forgotten_and_only_those(database_url: str) -> None:
    journal, durable = Journal(), Durable(database_url, executor_id="local")
    await durable.open([journal.workflow()])
    await durable.start("test", "a")
    await eventually(lambda: "done a" in journal.told)
    journal.wait = True
    await durable.start("test", "b")
    await eventually(lambda: "two b" in journal.told)
    await (await DBOS.retrieve_workflow_async("a")).get_result()  # which comes with the last entry of its journal
    now = datetime.now(UTC)
    assert await durable.forget_finished(now - timedelta(hours=1)) == 0
    assert await durable.forget_finished(now + timedelta(minutes=1)) == 1
    assert await durable.forget_finished(now + timedelta(minutes=1)) == 0
    await durable.close()


async def test_without_unfinished_work_the_engine_comes_with_the_first_start(database_url: str) -> None:
    journal, durable = Journal(), Durable(database_url, executor_id="local")
    await durable.open([journal.workflow()], unfinished=False)
    assert await durable.forget_finished(datetime.now(UTC) + timedelta(minutes=1)) == 0
    assert "dbos-executor" not in " ".join(each.name for each in threading.enumerate())
    first, second = asyncio.create_task(durable.start("test", "a")), asyncio.create_task(durable.start("test", "b"))
    await asyncio.sleep(0)
    first.cancel()  # whoever waited with it is served all the same
    await second
    await eventually(lambda: "done b" in journal.told)
    await durable.close()
    assert [line for line in journal.told if line.endswith("b")] == ["one b", "two b", "done b"]


async def test_an_engine_that_nobody_needed_closes_and_starts_nothing_more(database_url: str) -> None:
    journal, durable = Journal(), Durable(database_url, executor_id="local")
    await durable.open([journal.workflow()], unfinished=False)
    await durable.close()
    with pytest.raises(RuntimeError, match="stopping"):
        await durable.start("test", "a")
    assert journal.told == []
