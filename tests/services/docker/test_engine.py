"""The connection to an engine: real, absent, silent and mute."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from homeport.services.docker import Engine
from homeport.services.docker.problems import EngineRefused, EngineUnavailable
from homeport.testing.docker import DockerEngine


async def test_an_engine_that_runs_answers(engine: Engine) -> None:
    assert await engine.available()
    assert (await engine.ask("GET", "/info"))["Driver"]


async def test_a_refusal_carries_the_engines_own_sentence_and_status(engine: Engine) -> None:
    with pytest.raises(EngineRefused, match="No such container: nobody") as refused:
        await engine.ask("GET", "/containers/nobody/json")
    assert refused.value.engine_status == 404


async def test_no_address_means_no_engine() -> None:
    engine = Engine("")
    assert not await engine.available()
    with pytest.raises(EngineUnavailable, match="docker_host is empty"):
        await engine.ask("GET", "/info")


async def test_an_engine_that_is_not_there_is_said(tmp_path: Path) -> None:
    engine = Engine(f"unix://{tmp_path}/none.sock")
    assert not await engine.available()
    with pytest.raises(EngineUnavailable, match="cannot be reached"):
        await engine.ask("GET", "/info")


async def test_an_engine_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    connected: list[asyncio.StreamWriter] = []
    server = await asyncio.start_unix_server(lambda _, writer: connected.append(writer), tmp_path / "mute.sock")
    engine = Engine(f"unix://{tmp_path}/mute.sock")
    with pytest.raises(EngineUnavailable, match="did not answer within"):
        await engine.ask("GET", "/info")
    await engine.close()
    for writer in connected:
        writer.close()
    server.close()


async def test_an_address_that_is_none_is_said() -> None:
    with pytest.raises(EngineUnavailable, match="not an address"):
        await Engine("nonsense").ask("GET", "/info")


async def test_it_connects_anew_after_the_engine_restarted() -> None:
    with DockerEngine() as docker:
        engine = Engine(docker.url)
        assert await engine.available()
        docker.kill()
        assert not await engine.available()
        docker.start()
        assert await engine.available()
        await engine.close()


def test_a_portal_without_containers_does_not_load_the_client() -> None:
    code = "import sys, homeport.services.docker; sys.exit('aiodocker' in sys.modules or 'aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
