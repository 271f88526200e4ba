"""Coroutines that stand and fall together."""

from __future__ import annotations

import asyncio

import pytest

from homeport.relay.agent.problems import LeaseLost
from homeport.relay.agent.together import together


async def test_the_first_that_fails_ends_the_others() -> None:
    ended: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waits")

    async def fails() -> None:
        await asyncio.sleep(0)
        raise LeaseLost("it is gone")

    with pytest.raises(LeaseLost):
        await together("test", waits(), fails())

    assert ended == ["waits"]


async def test_who_is_cancelled_leaves_nobody_behind() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def waits() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(together("test", waits()))
    await began.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert ended.is_set()
    assert task.cancelled()
