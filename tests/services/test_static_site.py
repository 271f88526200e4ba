"""The file server of static sites."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from homeport.services.static_site import StaticSite
from homeport.testing.ports import free_port


@pytest.fixture
def root(tmp_path: Path) -> Path:
    site = tmp_path / "site"
    (site / "docs").mkdir(parents=True)
    (site / "assets").mkdir()
    (site / "empty").mkdir()
    (site / "index.html").write_text("<p>home</p>")
    (site / "about.html").write_text("<p>about</p>")
    (site / "docs" / "index.html").write_text("<p>docs</p>")
    (site / "assets" / "app-B1x9ZkQ2.js").write_text("let x")
    (site / ".env").write_text("secret")
    (site / ".git").mkdir()
    (site / ".git" / "config").write_text("secret")
    (site / ".well-known").mkdir()
    (site / ".well-known" / "security.txt").write_text("Contact")
    (site / "passwd").symlink_to("/etc/passwd")
    (site / "etc").symlink_to("/etc")
    (site / "inside").symlink_to("about.html")
    (site / "hidden").symlink_to(".env")
    return site


def client(root: Path, fallback: str | None = None) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(StaticSite(root, fallback)), base_url="http://site")


@pytest.fixture
async def site(root: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client(root) as opened:
        yield opened


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/", "<p>home</p>"),
        ("/index.html", "<p>home</p>"),
        ("/about", "<p>about</p>"),
        ("/about.html", "<p>about</p>"),
        ("/docs/", "<p>docs</p>"),
        ("/inside", "<p>about</p>"),
        ("/.well-known/security.txt", "Contact"),
    ],
)
async def test_a_file_answers_at_its_address(site: httpx.AsyncClient, path: str, text: str) -> None:
    answer = await site.get(path)
    assert (answer.status_code, answer.text) == (200, text)


async def test_types_are_told_and_not_guessed(site: httpx.AsyncClient) -> None:
    answer = await site.get("/about")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_folder_is_redirected_to_its_own_address(site: httpx.AsyncClient) -> None:
    answer = await site.get("/docs")
    assert (answer.status_code, answer.headers["location"]) == (308, "/docs/")


async def test_a_redirect_never_leaves_the_site(site: httpx.AsyncClient) -> None:
    answer = await site.get("//docs")
    assert answer.headers.get("location", "/docs/") == "/docs/"


@pytest.mark.parametrize(
    "path",
    [
        "/none",
        "/.env",
        "/.git/config",
        "/hidden",
        "/passwd",
        "/etc/passwd",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/docs/%2e%2e/%2e%2e/x",
        "/a%00b",
        "/a%5cb",
        "/empty/",
        "/" + "x" * 5000,
    ],
)
async def test_what_is_hidden_outside_or_absent_does_not_exist(site: httpx.AsyncClient, path: str) -> None:
    answer = await site.get(path)
    assert answer.status_code == 404
    assert "root:" not in answer.text
    assert "secret" not in answer.text


async def test_the_sites_own_page_for_wrong_addresses_is_used(root: Path) -> None:
    (root / "404.html").write_text("<p>lost</p>")
    async with client(root) as site:
        answer = await site.get("/none")
    assert (answer.status_code, answer.text) == (404, "<p>lost</p>")


async def test_with_a_fallback_unknown_pages_are_the_app_and_unknown_files_are_not(root: Path) -> None:
    async with client(root, "index.html") as site:
        assert (await site.get("/orders/7")).text == "<p>home</p>"
        assert (await site.get("/assets/gone.js")).status_code == 404


async def test_an_unchanged_file_is_answered_without_its_body(site: httpx.AsyncClient, root: Path) -> None:
    first = await site.get("/")
    again = await site.get("/", headers={"If-None-Match": f'W/"x", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    (root / "index.html").write_text("<p>changed</p>")
    assert (await site.get("/", headers={"If-None-Match": first.headers["etag"]})).status_code == 200


async def test_pages_are_asked_for_again_and_hashed_files_are_kept(site: httpx.AsyncClient) -> None:
    assert (await site.get("/")).headers["cache-control"] == "no-cache"
    assert (await site.get("/assets/app-B1x9ZkQ2.js")).headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_a_part_of_a_file_can_be_asked_for(site: httpx.AsyncClient) -> None:
    answer = await site.get("/about", headers={"Range": "bytes=3-7"})
    assert (answer.status_code, answer.text) == (206, "about")


async def test_only_reading_is_possible(site: httpx.AsyncClient) -> None:
    head = await site.head("/")
    assert (head.status_code, head.content) == (200, b"")
    assert (await site.post("/")).status_code == 405


async def test_it_starts_fast_listens_where_it_is_told_and_stops_cleanly(root: Path) -> None:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "homeport.services.static_site", str(root)), env={"PORT": str(port)}
    )
    started = time.monotonic()
    async with httpx.AsyncClient() as web:
        while time.monotonic() - started < 20:
            try:
                answer = await web.get(f"http://127.0.0.1:{port}/")
                break
            except httpx.ConnectError:
                await asyncio.sleep(0.02)
    assert answer.text == "<p>home</p>"
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 10) in {0, -15}


def test_it_drags_nothing_heavy_along() -> None:
    """Every static site pays for each import with start time and memory."""
    heavy = "fastapi", "sqlalchemy", "pydantic", "dbos", "cryptography", "structlog", "typer"
    code = f"import sys, homeport.services.static_site; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
