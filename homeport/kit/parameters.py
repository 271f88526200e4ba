"""What a query says, as numbers and words of our own; one sentence for what does not fit."""

from __future__ import annotations

from collections.abc import Collection

from homeport.kit.problems import InvalidParameter

PER_PAGE = 20
MAX_PER_PAGE = 100
MAX_PAGE = 1_000_000


def whole_number(text: str | None, name: str, default: int, *, lowest: int = 1, highest: int | None = None) -> int:
    """A parameter's number. Raises InvalidParameter for what is none or too small; caps at `highest`."""
    if text is None:
        return default
    if not text.lstrip("-").isdecimal() or not text.isascii() or int(text[:20]) < lowest:
        raise InvalidParameter(
            f"{name} must be a whole number from {lowest} on.", details={"fields": {name: text[:80]}}
        )
    return min(int(text[:20]), highest) if highest is not None else int(text[:20])


def one_of(text: str | None, name: str, choices: Collection[str]) -> str | None:
    """A parameter's word. Raises InvalidParameter that names the choices."""
    if text is not None and text not in choices:
        raise InvalidParameter(
            f"{name} must be one of {', '.join(choices)}.",
            details={"fields": {name: text[:80]}, "allowed": list(choices)},
        )
    return text


def paging(page: str | None, per_page: str | None) -> tuple[int, int]:
    """The page (from 1) and its size (20 by default, 100 at most). Raises InvalidParameter."""
    number = whole_number(page, "page", 1, highest=MAX_PAGE)
    return number, whole_number(per_page, "per_page", PER_PAGE, highest=MAX_PER_PAGE)
