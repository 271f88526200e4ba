"""Real builds, without any network, and what stops a build."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from homeport.services.problems import BuildFailed
from homeport.services.sources import Command, Plan, Toolchain, app_environment, build, detect, discover, make_plan
from homeport.services.sources.build import preflight

Tree = Callable[[Mapping[str, str]], Path]


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    return asyncio.run(discover())


def put_wheel(path: Path) -> None:
    """A package of one module, made by hand: `tiny.VALUE` is 42."""
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny.py", "VALUE = 42\n")
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr(
            "tiny-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")


def plan_for(*lines: str, root: str | None = None) -> Plan:
    """A build of shell lines."""
    commands = tuple(Command(("/bin/sh", "-c", line)) for line in lines)
    return Plan(kind="procfile", reason="A test.", start=("/bin/true",), build=commands, root=root)


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)


async def output_of(plan: Plan, directory: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *plan.start, cwd=directory, env=app_environment(plan), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


async def test_a_python_app_is_built_with_its_packages(tree: Tree, tmp_path: Path, toolchain: Toolchain) -> None:
    root = tree(
        {"main.py": "import tiny; print(tiny.VALUE)", "requirements.txt": "./wheels/tiny-1.0-py3-none-any.whl\n"}
    )
    put_wheel(root / "wheels" / "tiny-1.0-py3-none-any.whl")
    log = Log()
    plan = make_plan(root, detect(root), toolchain)
    result = await build(plan, root, env={}, on_line=log, timeout=120, cache=tmp_path / "cache")
    assert await output_of(plan, root) == "42\n"
    assert "Successfully installed tiny-1.0" in log.lines
    assert log.lines[0].startswith("$ python3")
    assert not any(str(root) in line for line in log.lines if line.startswith("$"))
    assert result.size_bytes > 0
    assert result.duration.total_seconds() > 0
    assert not (root / ".homeport" / "home").exists()


async def test_a_pipfile_and_a_pyproject_install_what_they_list(
    tree: Tree, tmp_path: Path, toolchain: Toolchain
) -> None:
    wheel = tmp_path / "wheels" / "tiny-1.0-py3-none-any.whl"
    put_wheel(wheel)
    root = tree(
        {
            "main.py": "import tiny; print(tiny.VALUE)",
            "pyproject.toml": f'[project]\ndependencies=["tiny @ file://{wheel}"]\n',
        }
    )
    plan = make_plan(root, detect(root), toolchain)
    await build(plan, root, env={}, on_line=Log(), timeout=120, cache=tmp_path / "cache")
    assert await output_of(plan, root) == "42\n"


async def test_python_in_a_procfile_is_the_one_of_the_plan(tree: Tree, tmp_path: Path, toolchain: Toolchain) -> None:
    root = tree({"Procfile": "web: python main.py", "main.py": "import sys; print(sys.prefix)"})
    plan = make_plan(root, detect(root), toolchain)
    await build(plan, root, env={}, on_line=Log(), timeout=120, cache=tmp_path / "cache")
    assert await output_of(plan, root) == f"{root}/.homeport/venv\n"


async def test_a_node_app_is_built_with_its_packages(tree: Tree, tmp_path: Path, toolchain: Toolchain) -> None:
    root = tree(
        {
            "package.json": json.dumps(
                {
                    "name": "app",
                    "version": "1.0.0",
                    "dependencies": {"tiny": "file:./lib"},
                    "scripts": {"build": "node build.js", "start": "node made.js"},
                }
            ),
            "lib/package.json": json.dumps({"name": "tiny", "version": "1.0.0", "main": "main.js"}),
            "lib/main.js": "module.exports = 42",
            "build.js": "const tiny = require('tiny');"
            "require('fs').writeFileSync('made.js', `console.log(${tiny}, process.env.NODE_ENV)`)",
        }
    )
    plan = make_plan(root, detect(root), toolchain)
    await build(plan, root, env={}, on_line=Log(), timeout=120, cache=tmp_path / "cache")
    assert await output_of(plan, root) == "42 production\n"


async def test_npm_ci_is_used_with_a_lock_file(tree: Tree, tmp_path: Path, toolchain: Toolchain) -> None:
    manifest = {"name": "app", "version": "1.0.0", "dependencies": {"tiny": "file:./lib"}}
    tiny = {"name": "tiny", "version": "1.0.0", "main": "main.js"}
    lock = {
        "name": "app",
        "version": "1.0.0",
        "lockfileVersion": 3,
        "packages": {"": manifest, "lib": tiny, "node_modules/tiny": {"resolved": "lib", "link": True}},
    }
    root = tree(
        {
            "package.json": json.dumps(manifest),
            "package-lock.json": json.dumps(lock),
            "lib/package.json": json.dumps(tiny),
            "lib/main.js": "module.exports = 42",
            "index.js": "console.log(require('tiny'))",
        }
    )
    plan = make_plan(root, detect(root), toolchain)
    log = Log()
    await build(plan, root, env={}, on_line=log, timeout=120, cache=tmp_path / "cache")
    assert log.lines[0] == "$ npm ci --no-audit --no-fund --omit=dev"
    assert await output_of(plan, root) == "42\n"


async def test_a_release_can_be_built_again_after_a_crash(tree: Tree, tmp_path: Path) -> None:
    root = tree({"x": ""})
    plan = plan_for("test ! -e .homeport/venv && mkdir .homeport/venv")
    for _ in range(2):
        await build(plan, root, env={}, on_line=Log(), timeout=20, cache=tmp_path / "cache")


async def test_nothing_of_the_portals_environment_gets_into_a_build(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMEPORT_TOKEN", "s3cret")
    root, log = tree({"x": ""}), Log()
    await build(plan_for("env"), root, env={"GIVEN": "1"}, on_line=log, timeout=20, cache=tmp_path / "cache")
    names = {line.partition("=")[0] for line in log.lines}
    assert "GIVEN" in names
    assert not any(name.startswith("HOMEPORT") for name in names)
    assert f"HOME={root}/.homeport/home" in log.lines
    assert f"PIP_CACHE_DIR={tmp_path}/cache/pip" in log.lines


async def test_a_failing_command_is_named_without_its_output(tree: Tree, tmp_path: Path) -> None:
    root = tree({"x": ""})
    with pytest.raises(BuildFailed) as caught:
        await build(
            plan_for("echo $S; exit 3"), root, env={"S": "s3cret"}, on_line=Log(), timeout=20, cache=tmp_path / "c"
        )
    assert caught.value.message == "The build failed: 'sh -c echo $S; exit 3' ended with exit code 3; see the log."
    assert "s3cret" not in str(caught.value.details)


async def test_later_commands_do_not_run_after_a_failure(tree: Tree, tmp_path: Path) -> None:
    root = tree({"x": ""})
    with pytest.raises(BuildFailed):
        await build(plan_for("false", "touch ran"), root, env={}, on_line=Log(), timeout=20, cache=tmp_path / "cache")
    assert not (root / "ran").exists()


async def test_a_build_has_a_time_limit_for_all_of_it(tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"longer than 0\.8 seconds"):
        await build(
            plan_for("sleep 0.5", "sleep 0.5"),
            tree({"x": ""}),
            env={},
            on_line=Log(),
            timeout=0.8,
            cache=tmp_path / "c",
        )


async def test_a_build_that_fills_the_disk_is_stopped(tree: Tree, tmp_path: Path) -> None:
    line = "for i in 1 2 3 4 5 6 7 8 9; do head -c 2000000 /dev/zero > f$i; sleep 0.1; done; sleep 60"
    with pytest.raises(BuildFailed, match="larger than 5 MB"):
        await build(
            plan_for(line), tree({"x": ""}), env={}, on_line=Log(), timeout=50, cache=tmp_path / "cache", disk_mb=5
        )


async def test_a_build_that_floods_its_log_is_stopped(tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="printed more than"):
        await build(plan_for("yes"), tree({"x": ""}), env={}, on_line=Log(), timeout=100, cache=tmp_path / "cache")


@pytest.mark.parametrize("files", [{}, {"dist/x": "1"}])
async def test_what_is_to_be_served_must_be_there_after_the_build(
    tree: Tree, tmp_path: Path, files: dict[str, str]
) -> None:
    root, plan = tree({"x": "", **files}), plan_for("true", root="dist")
    if files:
        await build(plan, root, env={}, on_line=Log(), timeout=20, cache=tmp_path / "cache")
    else:
        with pytest.raises(BuildFailed, match="the folder dist does not exist"):
            await build(plan, root, env={}, on_line=Log(), timeout=20, cache=tmp_path / "cache")


def test_a_full_disk_is_told_before_anything_is_tried(tmp_path: Path) -> None:
    preflight(tmp_path)
    with pytest.raises(BuildFailed, match="The disk is nearly full"):
        preflight(tmp_path, free_mb=10**9)
    with pytest.raises(BuildFailed, match="inodes"):
        preflight(tmp_path, free_inodes=10**12)


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's builds need root")
async def test_a_build_runs_as_the_user_given() -> None:
    # Not in pytest's own folder: each start of pytest, of whoever else, shuts that for other users.
    with tempfile.TemporaryDirectory(prefix="homeport-build-") as folder:
        Path(folder).chmod(0o755)
        root = Path(folder) / "release"
        root.mkdir()
        (root / "x").write_text("")
        cache = Path(folder) / "cache"
        await build(plan_for("id -u > who"), root, env={}, on_line=Log(), timeout=20, cache=cache, uid=65534)
        assert (root / "who").read_text() == "65534\n"
        assert (root / "who").stat().st_uid == 65534
        assert (root / "x").stat().st_uid == 65534  # what was there before belongs to that user too
