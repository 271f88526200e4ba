"""Three real nodes, shared by the tests that leave them whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from homeport.testing.swarm import Swarm
from tests.services.drivers.swarm.world import SwarmWorld, a_swarm


@pytest.fixture(scope="session")
def swarm_of_three() -> Iterator[Swarm]:
    yield from a_swarm(3)


@pytest.fixture
async def three(swarm_of_three: Swarm, tmp_path: Path) -> AsyncIterator[SwarmWorld]:
    world = SwarmWorld(swarm_of_three, tmp_path)
    yield world
    await world.close()
