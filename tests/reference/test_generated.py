"""The generated pages say what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.reference import ROOT, pages

PAGES = ("settings.md", "cli.md", "problems.md", "endpoints.md", "templates.md")


@pytest.fixture(scope="module")
def made() -> dict[Path, str]:
    return pages()


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_says_what_the_code_does(page: str, made: dict[Path, str]) -> None:
    assert (ROOT / "docs/reference" / page).read_text() == made[Path("docs/reference") / page], "run `make docs`"
