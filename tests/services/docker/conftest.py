"""Images on a real engine."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from homeport.kit.clock import SystemClock
from homeport.services.docker import Engine, Images
from homeport.testing.busybox_image import busybox_archive
from homeport.testing.docker import DockerEngine


@pytest.fixture(scope="session")
def small_image(docker_engine: DockerEngine) -> str:
    """An image of two megabytes that no registry has."""
    docker_engine.load(busybox_archive("homeport-test/small:1"))
    return "homeport-test/small:1"


@pytest.fixture
async def engine(docker_engine: DockerEngine) -> AsyncIterator[Engine]:
    engine = Engine(docker_engine.url)
    yield engine
    await engine.close()


@pytest.fixture
def images(engine: Engine) -> Images:
    return Images(engine, "portal_test", SystemClock())
