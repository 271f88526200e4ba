"""What counts as a picture."""

from __future__ import annotations

import pytest

from homeport.relay.thumbnails.pictures import MOST_BYTES, NoPicture, Picture, picture_in, picture_of
from homeport.testing.pictures import GIF, JPEG, SVG, WEBP, data_url, jpeg_size, png

KINDS = {"image/png": png(), "image/gif": GIF, "image/webp": WEBP, "image/jpeg": JPEG}


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_what_its_first_bytes_say(kind: str) -> None:
    assert picture_of(KINDS[kind]) == Picture(kind, KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_a_data_url_holds_a_picture(kind: str) -> None:
    assert picture_in(data_url(kind, KINDS[kind])) == Picture(kind, KINDS[kind])


def test_what_a_data_url_claims_does_not_count() -> None:
    assert picture_in(data_url("image/png", GIF)).kind == "image/gif"
    with pytest.raises(NoPicture):
        picture_in(data_url("image/png", SVG))


@pytest.mark.parametrize(
    "url",
    [
        data_url("image/svg+xml", SVG),
        data_url("text/html", b"<script>"),
        data_url("image/svg+xml", png()),
        "data:image/png,%89PNG",
        "data:image/png;base64,",
        "data:image/png;base64,A",
        "data:image/png;base64,iVBO Rw0KGgo=",
        data_url("image/png", png()) + "\n",
        "https://example.org/a.png",
        "",
    ],
)
def test_everything_else_is_refused(url: str) -> None:  # R30, relay L.20
    with pytest.raises(NoPicture):
        picture_in(url)


@pytest.mark.parametrize("data", [b"", SVG, b"<!DOCTYPE html>", b"RIFF\0\0\0\0WAVE", b"\x89PNG\r\n\x1a\n", b"%PDF-1.7"])
def test_bytes_of_no_bitmap_are_refused(data: bytes) -> None:
    with pytest.raises(NoPicture):
        picture_of(data)


def test_a_picture_has_at_most_256_kilobytes() -> None:
    frame = len(png(noise=b"n")) - 1
    assert len(picture_of(png(noise=b"n" * (MOST_BYTES - frame))).data) == MOST_BYTES
    with pytest.raises(NoPicture, match="256 KB"):
        picture_of(png(noise=b"n" * (MOST_BYTES - frame + 1)))


def test_the_jpeg_of_these_tests_is_one() -> None:
    assert jpeg_size(JPEG) == (1, 1)
