"""Builds against the files that came along: digest apps G.4 and G.7."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from homeport.services.compose import Build, ComposeRefused, Stack, StackService, check_build_paths, settle_builds


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    (folder / "app").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch")
    (folder / "app" / "Dockerfile").write_text("FROM scratch")
    (tmp_path / "secret").write_text("of the machine")
    return folder


def stack(context: str = ".", dockerfile: str = "Dockerfile", inline: str | None = None) -> Stack:
    build = Build(context, dockerfile, dockerfile_inline=inline)
    return Stack((StackService("web", build=build),), (), "web", 80, "")


def refusal(clone: Path, context: str = ".", dockerfile: str = "Dockerfile") -> str:
    with pytest.raises(ComposeRefused) as refused:
        check_build_paths(stack(context, dockerfile), clone)
    (violation,) = refused.value.violations
    return f"{violation.path}: {violation.reason}"


def test_what_lies_inside_is_accepted(clone: Path) -> None:
    check_build_paths(stack(), clone)
    check_build_paths(stack("app"), clone)
    check_build_paths(stack(".", "app/Dockerfile"), clone)
    (clone / "link").symlink_to("app")
    check_build_paths(stack("link"), clone)
    check_build_paths(stack("app", "nowhere", inline="FROM scratch"), clone)
    check_build_paths(Stack((StackService("web", image="x"),), (), "web", 80, ""), clone)


def test_a_context_that_leads_out_is_refused(clone: Path) -> None:  # apps G.7: build.context
    (clone / "up").symlink_to("..")
    (clone / "root").symlink_to("/")
    for context in ("/", "..", "up", "root", "root/etc", "app/../..", "a\0b"):
        assert "services.web.build.context" in refusal(clone, context)
    assert "is not a folder" in refusal(clone, "Dockerfile")
    assert "is not a folder" in refusal(clone, "nowhere")


def test_a_dockerfile_that_is_a_link_is_refused(clone: Path) -> None:  # apps G.7: dockerfile symlink
    (clone / "out").symlink_to("../secret")
    (clone / "inside").symlink_to("Dockerfile")
    assert "'out' is a link" in refusal(clone, dockerfile="out")
    assert "'inside' is a link" in refusal(clone, dockerfile="inside")


def test_a_dockerfile_below_a_link_that_leads_out_is_refused(clone: Path) -> None:
    (clone / "up").symlink_to("..")
    assert "leads out" in refusal(clone, dockerfile="up/secret")
    assert "leads out" in refusal(clone, dockerfile="../secret")
    assert "context" in refusal(clone, "app", "../Dockerfile")


def test_a_dockerfile_that_is_no_file_is_refused_without_waiting_for_it(clone: Path) -> None:
    os.mkfifo(clone / "pipe")
    assert "not a regular file" in refusal(clone, dockerfile="pipe")
    assert "not a regular file" in refusal(clone, dockerfile="app")
    assert "No such file" in refusal(clone, dockerfile="nowhere")
    (clone / "large").write_bytes(b"#" * 300_000)
    assert "larger" in refusal(clone, dockerfile="large")


def test_a_dockerfile_that_came_as_text_becomes_a_file_of_its_context(clone: Path, tmp_path: Path) -> None:
    mine = clone / "app" / ".homeport.web.Dockerfile"
    mine.symlink_to("../../secret")  # what the files hold under that name is not followed
    for _ in range(2):
        build = settle_builds(stack("app", inline="FROM busybox"), clone).web.build
        assert build == Build("app", ".homeport.web.Dockerfile")
        assert mine.read_text() == "FROM busybox"
    assert (tmp_path / "secret").read_text() == "of the machine"
    assert settle_builds(stack(), clone) == stack()


def test_a_folder_in_the_place_of_the_text_is_a_violation(clone: Path) -> None:
    (clone / ".homeport.web.Dockerfile").mkdir()
    with pytest.raises(ComposeRefused, match="dockerfile_inline"):
        settle_builds(stack(inline="FROM busybox"), clone)
