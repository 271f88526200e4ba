"""What is a stack, and where its requests go."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeport.services.compose import Origin, StackLimits, read
from homeport.services.docker import Engine, Images
from homeport.services.stacks import Stacks, exposed_port
from homeport.settings import Settings


@pytest.fixture
def stacks(tmp_path: Path) -> Stacks:
    engine = Engine("unix:///nowhere.sock")
    return Stacks(Settings(data_dir=tmp_path), engine, Images(engine, "p1", None))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("dockerfile", "port"),
    [
        ("FROM a\nEXPOSE 3000\n", 3000),
        ("FROM a\nexpose 3000/tcp 4000\n", 3000),
        ("FROM a AS build\nEXPOSE 1\nFROM b\nEXPOSE 8000\n", 8000),
        ("FROM a\nEXPOSE $PORT\n", None),
        ("FROM a\nEXPOSE 99999\n", None),
        ("FROM a\n", None),
    ],
)
def test_the_port_is_the_first_that_the_last_stage_exposes(dockerfile: str, port: int | None) -> None:
    assert exposed_port(dockerfile) == port


async def test_a_compose_file_comes_before_a_dockerfile(stacks: Stacks, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nEXPOSE 3000\n")
    found = await stacks.find(tmp_path)
    assert found is not None
    assert found.origin is Origin.CLONE
    assert found.all_variables == "web"
    assert "3000" in found.reason
    (tmp_path / "docker-compose.yml").write_text("services: {}\n")
    found = await stacks.find(tmp_path)
    assert found is not None
    assert found.text == "services: {}\n"


async def test_a_folder_with_neither_is_no_stack(stacks: Stacks, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("")
    assert await stacks.find(tmp_path) is None


def test_the_containers_of_a_customers_stack_share_what_the_service_may_use() -> None:
    text = "services:\n  a: {image: x, mem_limit: 100m}\n  b: {image: x}\n  c: {image: x}\n"
    stack = read(text, {}, name="shop", limits=StackLimits(memory_mb=512, cpu=1.0))
    shared = stack.within(512, 1.0)
    assert sum(one.memory_mb or 0 for one in shared.services) <= 512
    assert sum(one.cpus or 0 for one in shared.services) <= 1.001
    assert (shared.service("a").memory_mb or 0) < (shared.service("b").memory_mb or 0)


def test_a_stack_that_keeps_to_its_limits_stays_as_it_is() -> None:
    text = "services:\n  a: {image: x, mem_limit: 100m, cpus: 0.25}\n  b: {image: x, mem_limit: 200m, cpus: 0.5}\n"
    stack = read(text, {}, name="shop", limits=StackLimits(memory_mb=512, cpu=1.0)).within(512, 1.0)
    assert [one.memory_mb for one in stack.services] == [100, 200]
    assert [one.cpus for one in stack.services] == [0.25, 0.5]


async def test_without_an_engine_nothing_is_available(stacks: Stacks) -> None:
    assert not await stacks.available()
