"""The front runs on uvloop, so its tests do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest
import uvloop
from pytest_asyncio.plugin import LoopFactory

from homeport.testing.front import Stage, staged


def pytest_asyncio_loop_factories() -> Mapping[str, LoopFactory]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as stage:
        yield stage
