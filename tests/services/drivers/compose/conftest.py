"""Stacks on a real engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homeport.testing.docker import DockerEngine
from tests.services.drivers.compose.world import ComposeWorld


@pytest.fixture
async def stacks(engine_with_image: DockerEngine, tmp_path: Path) -> AsyncIterator[ComposeWorld]:
    world = ComposeWorld(engine_with_image, tmp_path)
    yield world
    await world.close()
