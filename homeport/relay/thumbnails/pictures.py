"""A picture is what its first bytes say: one of four kinds, of a size, and never a drawing that could have scripts."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

MOST_BYTES = 256 * 1024
_DATA_URL = re.compile(r"data:image/(?:png|jpeg|webp|gif);base64,([A-Za-z0-9+/]+={0,2})", re.IGNORECASE)


class NoPicture(ValueError):
    """Half a sentence: why these bytes are not shown to anybody."""


@dataclass(frozen=True, slots=True)
class Picture:
    """`kind` is a media type of a bitmap."""

    kind: str
    data: bytes


def picture_of(data: bytes) -> Picture:
    """What the bytes are. Raises NoPicture for anything but PNG, JPEG, WebP and GIF, and beyond MOST_BYTES."""
    if len(data) > MOST_BYTES:
        raise NoPicture(f"it is larger than {MOST_BYTES // 1024} KB")
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
        return Picture("image/png", data)
    if data.startswith(b"\xff\xd8\xff"):
        return Picture("image/jpeg", data)
    if data.startswith((b"GIF87a", b"GIF89a")):
        return Picture("image/gif", data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return Picture("image/webp", data)
    raise NoPicture("it is neither PNG, JPEG, WebP nor GIF")


def picture_in(url: str) -> Picture:
    """The picture that a data URL (RFC 2397, base64) is. Raises NoPicture."""
    found = _DATA_URL.fullmatch(url)
    if found is None:
        raise NoPicture("it is no data URL of a PNG, JPEG, WebP or GIF")
    try:
        return picture_of(base64.b64decode(found[1], validate=True))
    except binascii.Error:
        raise NoPicture("it is no base64") from None
