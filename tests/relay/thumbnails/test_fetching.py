"""Pictures from elsewhere, from a real server with TLS on loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from homeport.kit.guard import OutboundGuard
from homeport.relay.thumbnails.fetching import Fetcher
from homeport.relay.thumbnails.pictures import MOST_BYTES, NoPicture, Picture
from homeport.testing.certificates import TestAuthority
from homeport.testing.pictures import SVG, png


async def loopback(_host: str, _port: int) -> Sequence[str]:
    return ("127.0.0.1",)


class Site:
    """`answers` by path; {PORT} in a header is its own."""

    def __init__(self) -> None:
        self.port = 0
        self.answers: dict[str, bytes] = {}
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ")[1].decode()
        self.asked.append(path)
        writer.write(self.answers[path].replace(b"{PORT}", b"%d" % self.port))
        await writer.drain()
        writer.close()

    def url(self, path: str) -> str:
        return f"https://pictures.example:{self.port}{path}"


def ok(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body)


def away(url: bytes) -> bytes:
    return b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % url


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    authority = TestAuthority()
    pair = authority.sign(["pictures.example"], begins=datetime.now(UTC) - timedelta(hours=1))
    (tmp_path / "ca.pem").write_bytes(authority.root.public_bytes(Encoding.PEM))
    (tmp_path / "pair.pem").write_text(pair.cert + pair.key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "pair.pem")
    site = Site()
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0, ssl=context)
    site.port = server.sockets[0].getsockname()[1]
    async with server:
        yield site


@asynccontextmanager
async def fetcher(folder: Path, *allowed: str) -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(OutboundGuard(allowed, loopback), folder / "ca.pem")
    try:
        yield fetcher
    finally:
        await fetcher.close()


async def reason(folder: Path, site: Site, path: str) -> str:
    async with fetcher(folder, "127.0.0.0/8") as own:
        with pytest.raises(NoPicture) as refused:
            await own.fetch(site.url(path))
    return str(refused.value)


async def test_a_picture_is_fetched_also_after_a_redirect(site: Site, tmp_path: Path) -> None:  # R30
    site.answers = {"/a.png": ok(png()), "/moved": away(b"/a.png")}
    async with fetcher(tmp_path, "127.0.0.0/8") as own:
        assert await own.fetch(site.url("/moved")) == Picture("image/png", png())


async def test_an_address_that_users_may_not_name_is_not_connected_to(site: Site, tmp_path: Path) -> None:
    # R30, relay L.20
    async with fetcher(tmp_path) as own:
        with pytest.raises(NoPicture, match="loopback"):
            await own.fetch(site.url("/a.png"))
        with pytest.raises(NoPicture, match="link-local"):
            await own.fetch("https://169.254.169.254/latest")
    assert site.asked == []


async def test_a_redirect_is_judged_like_any_address(site: Site, tmp_path: Path) -> None:
    site.answers = {"/in": away(b"https://10.0.0.1/"), "/plain": away(b"http://pictures.example:{PORT}/a.png")}
    assert "10.0.0.1" in await reason(tmp_path, site, "/in")
    assert "https" in await reason(tmp_path, site, "/plain")
    assert site.asked == ["/in", "/plain"]


async def test_redirects_end(site: Site, tmp_path: Path) -> None:
    site.answers = {"/round": away(b"/round")}
    assert "too many redirects" in await reason(tmp_path, site, "/round")
    assert len(site.asked) == 4


async def test_what_is_no_picture_or_too_large_is_dropped(site: Site, tmp_path: Path) -> None:
    site.answers = {
        "/svg": ok(SVG),
        "/large": ok(png(noise=b"n" * MOST_BYTES)),
        "/gone": ok(png(), b"404 Not Found"),
        "/noise": b"nothing of HTTP\r\n\r\n",
    }
    assert "neither PNG" in await reason(tmp_path, site, "/svg")
    assert "256 KB" in await reason(tmp_path, site, "/large")
    assert "404" in await reason(tmp_path, site, "/gone")
    assert await reason(tmp_path, site, "/noise")
