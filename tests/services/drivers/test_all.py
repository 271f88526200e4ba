"""Several drivers behind one seam."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from homeport.services.docker.problems import EngineUnavailable
from homeport.services.drivers import InstanceSpec, InstanceState, Observation
from homeport.services.drivers.all import Drivers
from homeport.services.problems import StartFailed
from homeport.testing.driver import FakeDriver


class _Second(FakeDriver):
    name = "second"
    silent = False

    async def observe(self) -> Mapping[str, Observation]:
        if self.silent:
            raise EngineUnavailable("Docker Engine does not answer.")
        return await super().observe()


def spec(instance_id: str, driver: str, service_id: str = "svc_1") -> InstanceSpec:
    return InstanceSpec(instance_id, service_id, ("true",), Path("/"), {}, 20000, Path("/tmp"), driver=driver)


@pytest.fixture
def parts() -> tuple[Drivers, FakeDriver, _Second]:
    first, second = FakeDriver(), _Second()
    return Drivers([first, second]), first, second


async def test_an_instance_goes_to_the_driver_that_its_spec_names(parts: tuple[Drivers, FakeDriver, _Second]) -> None:
    drivers, first, second = parts
    await drivers.start(spec("rel_1", "fake"))
    await drivers.start(spec("rel_2", "second"))
    await drivers.stop("rel_2", timedelta(0))
    assert first.calls == [("start", "rel_1")]
    assert second.calls == [("start", "rel_2"), ("stop", "rel_2")]
    assert set(await drivers.observe()) == {"rel_1", "rel_2"}


async def test_a_driver_that_nobody_has_is_a_clear_error(parts: tuple[Drivers, FakeDriver, _Second]) -> None:
    with pytest.raises(StartFailed, match="compose"):
        await parts[0].start(spec("rel_1", "compose"))


async def test_a_driver_that_cannot_be_asked_leaves_the_others_alone(
    parts: tuple[Drivers, FakeDriver, _Second],
) -> None:
    drivers, _, second = parts
    await drivers.start(spec("rel_1", "fake"))
    second.silent = True
    assert set(await drivers.observe()) == {"rel_1"}
    second.silent = False
    await second.start(spec("rel_2", "second"))
    assert set(await drivers.observe()) == {"rel_1", "rel_2"}


async def test_what_runs_is_found_again_after_a_restart_of_the_portal(
    parts: tuple[Drivers, FakeDriver, _Second],
) -> None:
    drivers, _, second = parts
    await drivers.start(spec("rel_2", "second"))
    again = Drivers([FakeDriver(), second])
    await again.observe()
    await again.stop("rel_2", timedelta(0))
    assert second.calls[-1] == ("stop", "rel_2")


async def test_news_of_every_driver_arrive(parts: tuple[Drivers, FakeDriver, _Second]) -> None:
    drivers, first, second = parts
    news: list[Observation] = []
    await drivers.open(news.append)
    await drivers.start(spec("rel_1", "fake"))
    await drivers.start(spec("rel_2", "second"))
    first.lose("rel_1")
    second.lose("rel_2")
    assert [(one.id, one.state) for one in news] == [("rel_1", InstanceState.LOST), ("rel_2", InstanceState.LOST)]
    await drivers.close()


async def test_a_purge_reaches_every_driver_and_only_that_service(
    parts: tuple[Drivers, FakeDriver, _Second],
) -> None:
    drivers, *_ = parts
    await drivers.start(spec("rel_1", "fake", "svc_1"))
    await drivers.start(spec("rel_2", "second", "svc_1"))
    await drivers.start(spec("rel_3", "fake", "svc_2"))
    await drivers.purge("svc_1")
    assert set(await drivers.observe()) == {"rel_3"}


async def test_parts_tell_what_runs_for_one_service(parts: tuple[Drivers, FakeDriver, _Second]) -> None:
    drivers, *_ = parts
    await drivers.start(spec("rel_1", "fake"))
    (part,) = await drivers.parts("svc_1")
    assert (part.name, part.state, part.ports) == ("rel_1", "running", (20000,))
