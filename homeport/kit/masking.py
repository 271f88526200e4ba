"""Keeps secret values out of what is written down: logs, job output, error texts."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

MASK = "••••••••"
SHORTEST = 4  # characters; masking shorter values would shred every line and tell no more than it hides


class Masker:
    """Replaces each known secret value, and its base64, URL-encoded and JSON-escaped forms, by `MASK`.

    A value of several lines is also masked line by line, since logs are cut into lines. Values shorter than four
    characters are left alone. The longest form wins where forms overlap.
    """

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form for value in values for form in _forms(value)}
        self.needles: tuple[str, ...] = tuple(sorted(forms, key=lambda form: (-len(form), form)))
        """Every form, longest first: for programs that mask by themselves."""
        self._pattern = re.compile("|".join(map(re.escape, self.needles))) if self.needles else None
        self._bytes_pattern = (
            re.compile(b"|".join(re.escape(needle.encode()) for needle in self.needles)) if self.needles else None
        )

    def mask(self, text: str) -> str:
        """`text` with no known secret in it."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def mask_bytes(self, data: bytes) -> bytes:
        """The same for UTF-8 bytes, valid or not."""
        return self._bytes_pattern.sub(MASK.encode(), data) if self._bytes_pattern else data


def _forms(value: str) -> Iterator[str]:
    for plain in {value, value.strip(), *(line.strip() for line in value.splitlines())}:
        if len(plain) < SHORTEST:
            continue
        yield plain
        yield quote(plain)
        yield quote(plain, safe="")
        yield quote_plus(plain)
        yield re.sub("%..", lambda match: match[0].lower(), quote(plain, safe=""))
        yield json.dumps(plain)[1:-1]
        yield json.dumps(plain, ensure_ascii=False)[1:-1]
        yield from _base64_forms(plain.encode())


def _base64_forms(secret: bytes) -> Iterator[str]:
    """The value encoded alone, and what stays of it at each of the three places it can have within longer data."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(secret).decode()
        for shift in range(3):
            encoded = encode(b"\0" * shift + secret).decode().rstrip("=")
            first = -(-8 * shift // 6)  # characters that also hold bits of what stands before
            whole = 8 * (shift + len(secret)) // 6  # the character after these holds bits of what follows
            inner = encoded[first:whole]
            if len(inner) >= SHORTEST:
                yield inner
