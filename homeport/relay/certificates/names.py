"""Host names as certificates carry them."""

from __future__ import annotations

import re
from ipaddress import ip_address

from homeport.kit.problems import ValidationFailed

_HOST = re.compile(
    r"(?=.{1,253}\Z)(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z"
)


def host_name(text: str, *, field: str = "hostname") -> str:
    """Lower case, as DNS writes it, perhaps with `*.` before it. Raises ValidationFailed for anything else."""
    name = text.strip().lower().removesuffix(".")
    if not name.isascii():
        star, rest = ("*.", name[2:]) if name.startswith("*.") else ("", name)
        try:
            name = star + rest.encode("idna").decode()
        except UnicodeError:
            name = ""
    if not _HOST.match(name) or _is_address(name):
        raise ValidationFailed({field: f"{text[:100]!r} is not a host name"})
    return name


def host_or_address(text: str, *, field: str = "hostname") -> str:
    """The same, or an IP address."""
    return text.strip() if _is_address(text.strip()) else host_name(text, field=field)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
