"""The front runs on uvloop, so its tests do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import uvloop
from pytest_asyncio.plugin import LoopFactory

from homeport.storage import Database
from homeport.testing.door import Door, open_door


def pytest_asyncio_loop_factories() -> Mapping[str, LoopFactory]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def door(database: Database, tmp_path: Path) -> AsyncIterator[Door]:
    """A portal whose set-up is complete, on each database in turn."""
    async with open_door(database, tmp_path) as opened:
        yield opened
