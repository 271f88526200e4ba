"""Which images a Dockerfile may reach for: digest apps G.5, the images of other tenants."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeport.services.docker.bases import check_bases
from homeport.services.problems import BuildFailed


@pytest.mark.parametrize(
    "text",
    [
        "FROM python:3.13-slim\nRUN x",
        "FROM scratch",
        "ARG V=20\nFROM node:${V} AS build\nFROM nginx\nCOPY --from=build /a /b",
        "FROM node AS a\nFROM a AS b\nCOPY --from=a /x /y\nCOPY --from=0 /x /y",
        "FROM --platform=linux/amd64 golang:1.24 AS cafe\nFROM scratch\nCOPY --from=cafe /x /",
        "FROM ghcr.io/homeport/x",
        "# FROM homeport/x\nFROM a\\\nlpine:3",
        "",
    ],
)
def test_what_a_registry_hands_out_may_be_used(tmp_path: Path, text: str) -> None:
    (tmp_path / "Dockerfile").write_text(text)
    check_bases(tmp_path, "Dockerfile", {})


@pytest.mark.parametrize(
    "text",
    [
        "FROM homeport/svc_other:rel_1-web",
        "from docker.io/homeport/svc_other:rel_1-web as x",
        "FROM a",
        "FROM 0123456789ab",
        "FROM sha256:" + "a" * 64,
        'FROM "homeport/x"',
        "FROM \\\n  homeport/x",
        "# escape=`\nFROM `\n  homeport/x",
        "FROM \\\n# a comment\n  homeport/x",
        "ARG B=homeport/x\nFROM $B",
        'ARG A=home\nARG B="${A}port/x"\nFROM ${B}',
        "FROM ${NO:-homeport/x}",
        "FROM ${NO:-home}port/x",
        "FROM nginx\nCOPY --from=homeport/x /a /b",
        "FROM nginx\nCOPY --chown=1 --from=cafe /a /b",
        "FROM nginx\nONBUILD COPY --from=homeport/x /a /b",
        "FROM nginx\nCOPY --from=7 /a /b",
        "FROM nginx AS late\nFROM b",
        "FROM nginx\nRUN x \\\\\nFROM homeport/x",
        "FROM nginx\nRUN x \\\\\n\nCOPY --from=homeport/x /a /b",
        "FROM \\\n\n  homeport/x",
        "FROM home\\\nport/x",
        "ARG B=xhomeport/y\nFROM ${B#x}",
        "FROM ${NO}homeport/x",
        "FROM ${NO-homeport/x}",
        "ARG NO\nFROM ${NO-homeport/x}",
        "FROM home\\port/x",
    ],
)
def test_the_images_of_other_apps_may_not(tmp_path: Path, text: str) -> None:
    (tmp_path / "Dockerfile").write_text(text)
    with pytest.raises(BuildFailed, match="uses the image"):
        check_bases(tmp_path, "Dockerfile", {})


def test_an_argument_of_the_build_counts_more_than_the_default(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("ARG BASE=nginx\nFROM $BASE")
    check_bases(tmp_path, "Dockerfile", {})
    with pytest.raises(BuildFailed, match="homeport/svc_other"):
        check_bases(tmp_path, "Dockerfile", {"BASE": "homeport/svc_other:rel_1"})
