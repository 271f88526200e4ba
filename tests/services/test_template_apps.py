"""The apps of the templates and the example, run as a release is run: detected, planned, built, started, stopped."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from homeport.services.sources import Plan, Toolchain, app_environment, build, detect, discover, make_plan
from homeport.services.sources.templates import Templates
from homeport.testing.ports import free_port

EXAMPLE = Path(__file__).parents[2] / "examples" / "hello"
COUNTERS = ["python-app", "node-app"]


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    return asyncio.run(discover())


@dataclass
class Running:
    web: httpx.AsyncClient
    process: asyncio.subprocess.Process
    port: int

    async def stop(self) -> tuple[int, str]:
        """Exit code and what it printed."""
        self.process.terminate()
        out, _ = await asyncio.wait_for(self.process.communicate(), 15)
        return self.process.returncode or 0, out.decode()


@asynccontextmanager
async def started(plan: Plan, directory: Path, env: Mapping[str, str]) -> AsyncIterator[Running]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *plan.start,
        cwd=directory,
        env={**app_environment(plan), **env, "PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as web, asyncio.timeout(30):
            while True:
                try:
                    await web.get("/health")
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.05)
            yield Running(web, process, port)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def release(template_id: str, folder: Path, toolchain: Toolchain) -> Plan:
    await Templates.load().get(template_id).copy(folder)
    plan = make_plan(folder, detect(folder), toolchain)
    await build(plan, folder, env={}, on_line=print, timeout=60, cache=folder.parent / "cache")
    return plan


@pytest.mark.parametrize("template_id", ["static-site", *COUNTERS])
async def test_a_template_runs_and_passes_its_own_health_check(
    template_id: str, tmp_path: Path, toolchain: Toolchain
) -> None:
    template = Templates.load().get(template_id)
    plan = await release(template_id, tmp_path / "app", toolchain)
    assert plan.build == ()
    values = template.resolve({}, {}, service_name="demo").values
    async with started(plan, tmp_path / "app", values | {"DATA_DIR": str(tmp_path / "data")}) as app:
        assert template.healthcheck is not None
        assert (await app.web.get(template.healthcheck.path)).status_code == 200
        page = await app.web.get("/")
        assert page.headers["content-type"].startswith("text/html")
        assert 'name="viewport"' in page.text
        assert 'content="light dark"' in page.text
        assert (await app.web.get("/none")).status_code == 404
        code, said = await app.stop()
    assert code in {0, -15}
    assert "GET / 200" in said or '"GET / HTTP/1.1" 200' in said


@pytest.mark.parametrize("template_id", COUNTERS)
async def test_visits_are_counted_over_restarts(template_id: str, tmp_path: Path, toolchain: Toolchain) -> None:
    plan = await release(template_id, tmp_path / "app", toolchain)
    env = {"DATA_DIR": str(tmp_path / "data"), "SECRET_KEY": "k"}
    async with started(plan, tmp_path / "app", env) as app:
        await app.web.get("/")
        await app.web.get("/")
        assert (await app.stop())[0] == 0
    async with started(plan, tmp_path / "app", env) as app:
        assert (await app.web.get("/api/visits")).json() == {"visits": 2}
        assert ">3</span>" in (await app.web.get("/")).text
        assert (await app.stop())[0] == 0
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["visits.txt"]


@pytest.mark.parametrize("template_id", COUNTERS)
async def test_a_visitor_is_known_by_a_signed_cookie_only(
    template_id: str, tmp_path: Path, toolchain: Toolchain
) -> None:
    plan = await release(template_id, tmp_path / "app", toolchain)
    env = {"DATA_DIR": str(tmp_path / "data"), "SECRET_KEY": "k"}
    async with started(plan, tmp_path / "app", env) as app:
        cookie = (await app.web.get("/")).headers["set-cookie"].partition(";")[0]
        app.web.cookies.clear()
        assert "2 of them yours" in (await app.web.get("/", headers={"Cookie": cookie})).text
        app.web.cookies.clear()
        for forged in (cookie.replace("visits=1.", "visits=9.").encode(), b"visits=9", b"visits=\xc3\xa9.x", b"\xff"):
            assert "1 of them yours" in (await app.web.get("/", headers={b"Cookie": forged})).text
            app.web.cookies.clear()


@pytest.mark.parametrize("template_id", COUNTERS)
async def test_variables_are_shown_as_text(template_id: str, tmp_path: Path, toolchain: Toolchain) -> None:
    plan = await release(template_id, tmp_path / "app", toolchain)
    env = {"DATA_DIR": str(tmp_path / "data"), "GREETING": "<script>$name</script>", "SECRET_KEY": "s3cret"}
    async with started(plan, tmp_path / "app", env) as app:
        text = (await app.web.get("/")).text
        code, said = await app.stop()
    assert "<script>" not in text
    assert "$name" in text
    assert "s3cret" not in text + said
    assert (code, "asked to stop: finishing what is under way" in said) == (0, True)


async def test_the_example_says_hello_and_which_release_it_is(tmp_path: Path, toolchain: Toolchain) -> None:
    folder = tmp_path / "hello"
    await asyncio.to_thread(shutil.copytree, EXAMPLE, folder)
    plan = make_plan(folder, detect(folder), toolchain)
    assert plan.build == ()
    async with started(plan, folder, {"HOMEPORT_RELEASE": "7"}) as app:
        line = await app.web.get("/")
        page = await app.web.get("/", headers={"Accept": "text/html"})
        assert (await app.stop())[0] == 0
    assert line.text == "Hello from Homeport! (version 1)\n"
    assert "Version 1, release 7." in page.text
