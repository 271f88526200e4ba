"""The built UI: its page for every route of its own, its files and nothing beside them."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from homeport.storage import Database
from homeport.testing.door import open_door

PAGE = "<!doctype html><div id=root></div>"


@pytest.fixture
def ui(tmp_path: Path) -> Path:
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text(PAGE)
    (dist / "favicon.svg").write_text("<svg/>")
    (dist / "assets" / "main-1a2b.js").write_text("let a;")
    (dist / "assets" / "main-1a2b.js.gz").write_bytes(gzip.compress(b"let a;"))
    (tmp_path / "secret.txt").write_text("secret")
    (dist / "link.txt").symlink_to(tmp_path / "secret.txt")
    return dist


@pytest.fixture
async def browser(database: Database, tmp_path: Path, ui: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with open_door(database, tmp_path, ui=ui) as door, door.client() as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/services", "/services/svc_1/logs", "/apidocs"])
async def test_every_route_of_the_ui_is_its_page_and_asked_for_again_each_time(
    browser: httpx.AsyncClient, path: str
) -> None:
    answer = await browser.get(path)
    assert (answer.status_code, answer.text) == (200, PAGE)
    assert answer.headers["cache-control"] == "no-cache"
    again = await browser.get(path, headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304


async def test_a_file_named_after_its_content_is_kept_for_ever(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/assets/main-1a2b.js", headers={"accept-encoding": "identity"})
    assert answer.text == "let a;"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["vary"] == "Accept-Encoding"


async def test_a_file_compressed_at_build_time_is_sent_as_it_is(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/assets/main-1a2b.js", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.text == "let a;"


async def test_a_file_that_is_not_there_is_not_the_page(browser: httpx.AsyncClient) -> None:
    for path in ("/assets/old-9z9z.js", "/nothing.png", "/assets/" + "a" * 5000 + ".js"):
        assert (await browser.get(path)).status_code == 404


@pytest.mark.parametrize(
    "path", ["/../secret.txt", "/assets/%2e%2e/%2e%2e/secret.txt", "/%2fetc/passwd.txt", "/link.txt", "/a%00.txt"]
)
async def test_nothing_outside_the_folder_is_served(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.get(httpx.URL(scheme="https", host="localhost", port=8443, raw_path=path.encode()))
    assert answer.status_code == 404
    assert "secret" not in answer.text


async def test_pages_are_read_only(browser: httpx.AsyncClient) -> None:
    assert (await browser.post("/services")).status_code == 405


async def test_a_portal_whose_pages_are_not_built_says_how_to_build_them(database: Database, tmp_path: Path) -> None:
    async with open_door(database, tmp_path) as door, door.client() as client:
        answer = await client.get("/services")
    assert answer.status_code == 503
    assert "make ui" in answer.text
