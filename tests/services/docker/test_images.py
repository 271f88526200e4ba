"""Images on a real engine without a registry: pulled, built, pinned, kept and taken away."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import pytest

from homeport.services.docker import Images
from homeport.services.docker.problems import ImageUnavailable, NotEnoughSpace
from homeport.services.problems import BuildFailed
from homeport.testing.busybox_image import busybox_archive
from homeport.testing.docker import DockerEngine


@pytest.fixture
def folder(tmp_path: Path, small_image: str) -> Path:
    (tmp_path / "Dockerfile").write_text(f"FROM {small_image}\nCOPY . /app\n")
    return tmp_path


async def build(images: Images, folder: Path, said: list[str] | None = None, **changed: object) -> str:
    given: dict[str, object] = {
        "dockerfile": "Dockerfile", "target": None, "args": {}, "service_id": "svc_Build", "release_id": "rel_1",
        "part": "web", "on_line": (said if said is not None else []).append, "timeout": 60, "memory_mb": 256,
    }  # fmt: skip
    return await images.build(folder, **{**given, **changed})  # type: ignore[arg-type]


async def test_a_local_copy_serves_where_no_registry_answers_and_that_is_said(images: Images, small_image: str) -> None:
    said: list[str] = []
    assert (await images.obtain(small_image, said.append)).startswith("sha256:")
    assert any("the copy that is here is used" in line for line in said)


async def test_an_image_that_is_nowhere_is_unavailable(images: Images) -> None:
    with pytest.raises(ImageUnavailable, match="homeport-test/none:9 cannot be had"):
        await images.obtain("homeport-test/none:9", lambda _: None)


async def test_a_build_gives_an_image_and_tells_its_lines(
    images: Images, folder: Path, docker_engine: DockerEngine
) -> None:
    said: list[str] = []
    found = await build(images, folder, said)
    assert said[0].endswith(" : FROM homeport-test/small:1")
    labels = docker_engine.get(f"/images/{found}/json")["Config"]["Labels"]
    assert (labels["homeport.portal"], labels["homeport.service"], labels["homeport.part"]) == (
        "portal_test", "svc_Build", "web",
    )  # fmt: skip


async def test_a_build_sees_nothing_of_the_portals_environment(
    images: Images, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMEPORT_SECRET_KEY", "portal-secret")
    (folder / "Dockerfile").write_text("FROM homeport-test/small:1\nARG GIVEN\nRUN env && echo given=$GIVEN\n")
    said: list[str] = []
    await build(images, folder, said, args={"GIVEN": "yes"})
    assert "given=yes" in said
    assert "portal-secret" not in "\n".join(said)


async def test_dockerignore_keeps_files_back(images: Images, folder: Path) -> None:
    (folder / ".dockerignore").write_text("# comment\nnode_modules\n*.md\n!KEEP.md\nsub/**/*.log\n")
    for name in ("node_modules/a/b", "README.md", "KEEP.md", "sub/x/y.log", "sub/x/y.txt", "deep/README.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / "Dockerfile").write_text("FROM homeport-test/small:1\nCOPY . /app\nRUN cd /app && ls -R\n")
    said: list[str] = []
    await build(images, folder, said)
    text = "\n".join(said)
    assert ("KEEP.md" in text, "y.txt" in text, "node_modules" in text, "y.log" in text) == (True, True, False, False)
    assert text.count("README.md") == 1  # deep/README.md: patterns start at the root


# apps G.4
async def test_a_link_out_of_the_context_is_refused(images: Images, folder: Path) -> None:
    (folder / "host").symlink_to("/etc/passwd")
    with pytest.raises(BuildFailed, match="host is a link that leads out"):
        await build(images, folder)


# apps G.4, G.7: dockerfile symlink
async def test_a_dockerfile_that_is_a_link_is_refused(images: Images, folder: Path) -> None:
    (folder / "Linked").symlink_to("/etc/passwd")
    with pytest.raises(Exception, match="Linked"):
        await build(images, folder, dockerfile="Linked")


async def test_a_dockerfile_outside_is_refused(images: Images, folder: Path) -> None:
    with pytest.raises(Exception, match=r"\.\./Dockerfile"):
        await build(images, folder / "sub", dockerfile="../Dockerfile")


# apps G.5
@pytest.mark.parametrize("line", ["# syntax=evil/frontend", "#Syntax = docker/dockerfile:1", "# escape=`\n# syntax=x"])
async def test_a_foreign_frontend_is_refused(images: Images, folder: Path, line: str) -> None:
    (folder / "Dockerfile").write_text(f"{line}\nFROM homeport-test/small:1\n")
    with pytest.raises(BuildFailed, match="frontend"):
        await build(images, folder)


async def test_a_pipe_in_the_context_is_refused(images: Images, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(BuildFailed, match="neither a file nor a folder"):
        await build(images, folder)


async def test_a_step_that_fails_says_which(images: Images, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM homeport-test/small:1\nRUN false\n")
    with pytest.raises(BuildFailed, match="returned a non-zero code: 1"):
        await build(images, folder)


async def test_a_build_that_takes_too_long_is_stopped(
    images: Images, folder: Path, docker_engine: DockerEngine
) -> None:
    (folder / "Dockerfile").write_text("FROM homeport-test/small:1\nRUN sleep 100\n")
    with pytest.raises(BuildFailed, match="longer than 2 seconds"):
        await build(images, folder, timeout=2)


async def test_only_the_names_of_other_releases_go(
    images: Images, small_image: str, docker_engine: DockerEngine
) -> None:
    service = f"svc_{uuid4().hex[:8]}"
    found = await images.obtain(small_image, lambda _: None)
    kept = await images.pin(found, service, "rel_2", "web")
    gone = await images.pin(found, service, "rel_1", "web")
    foreign = await images.pin(found, "svc_foreign", "rel_1", "web")
    assert kept == f"homeport/{service}:rel_2-web"
    assert await images.keep_only(service, ["rel_2"]) == 1
    assert [await images.exists(name) for name in (kept, gone, foreign, small_image)] == [True, False, True, True]


async def test_an_image_that_nobody_else_names_goes_with_its_name(images: Images, docker_engine: DockerEngine) -> None:
    docker_engine.load(busybox_archive("homeport-test/once:1", files={"once": "1"}))
    found = await images.obtain("homeport-test/once:1", lambda _: None)
    await images.pin(found, "svc_once", "rel_1", "web")
    docker_engine.api.delete("/images/homeport-test/once:1").raise_for_status()
    await images.keep_only("svc_once", [])
    assert not await images.exists(found)


# E.3: preflight free bytes and inodes
async def test_a_disk_without_room_is_said_before_the_build(images: Images) -> None:
    await images.preflight(1)
    with pytest.raises(NotEnoughSpace, match="MB free; a build needs"):
        await images.preflight(1_000_000_000)
