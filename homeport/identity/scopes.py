"""Scopes as text: how they are written, stored and checked."""

from __future__ import annotations

import re
from collections.abc import Iterable

from homeport.identity.access import SCOPE_SETS

_SCOPE = re.compile(r"(\*|[a-z0-9_-]{1,40})(:(\*|[A-Za-z0-9_-]{1,60})){0,3}")
MOST = 50


def parse_scopes(given: str | Iterable[str]) -> tuple[str, ...]:
    """`services:read, access:*` or a list of them, in their order and each once. ValueError says which is none."""
    parts = given.split(",") if isinstance(given, str) else list(given)
    scopes = tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))
    if not scopes:
        raise ValueError("name at least one scope, or * for all")
    if len(scopes) > MOST:
        raise ValueError(f"more than {MOST} scopes")
    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            raise ValueError(f"{scope[:80]!r} is no scope: write words with colons, as in services:read or access:*")
    return scopes


def scopes_of_role(name: str) -> tuple[str, ...]:
    """What a key that is made for a role of the fleet's may do. ValueError for a name that is none."""
    try:
        return SCOPE_SETS[name]
    except KeyError:
        raise ValueError(f"is none of {', '.join(SCOPE_SETS)}") from None


def stored(scopes: Iterable[str] | None) -> str | None:
    """As the database keeps them."""
    return None if scopes is None else ",".join(scopes)


def read(text: str | None) -> tuple[str, ...] | None:
    """From the database."""
    return None if text is None else tuple(part for part in text.split(",") if part)


def role_of_scopes(text: str) -> str | None:
    """The role whose scopes these are; None when they are all that the person holds, or no role's."""
    return next((name for name, scopes in SCOPE_SETS.items() if name != "admin" and stored(scopes) == text), None)
