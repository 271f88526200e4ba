from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homeport.storage import Database
from homeport.testing.door import Door, open_door


@pytest.fixture
async def door(database: Database, tmp_path: Path) -> AsyncIterator[Door]:
    """A portal whose set-up is complete, on each database in turn."""
    async with open_door(database, tmp_path) as opened:
        yield opened
