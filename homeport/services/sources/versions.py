"""Which installed interpreter fits what an app asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from homeport.services.problems import BuildFailed

Version = tuple[int, int, int]

_ANY = {"", "*", "x", "latest", "lts", "lts/*", "node", "stable", "current", "system"}
_TERM = re.compile(r"(>=|<=|==|!=|~=|>|<|=|\^|~)?\s*v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?[\w.+-]*")
_HYPHEN = re.compile(r"v?(\d[\w.]*)\s+-\s+v?(\d[\w.]*)")


@dataclass(frozen=True)
class Wish:
    """A version that an app asks for, and the file or variable that says so."""

    text: str
    source: str


@dataclass(frozen=True)
class Interpreter:
    """An interpreter on this machine. `can_pip`: a virtual environment made by it can have a pip of its own."""

    path: Path
    version: Version
    can_pip: bool = True

    @property
    def text(self) -> str:
        return ".".join(map(str, self.version))


@dataclass(frozen=True)
class Choice:
    """The interpreter taken, and half a sentence when it is not what was asked for."""

    interpreter: Interpreter
    note: str | None = None


def satisfies(version: Version, wanted: str) -> bool:
    """Whether `version` fits a wish in the notation of npm or of Python (`>=18 <21`, `^20`, `20.x || 22`, `~=3.11`)."""
    return any(_satisfies_all(version, part.strip()) for part in wanted.split("||"))


def _satisfies_all(version: Version, wanted: str) -> bool:
    if wanted.lower() in _ANY:
        return True
    wanted = _HYPHEN.sub(r">=\1 <=\2", wanted)
    terms = list(_TERM.finditer(wanted))
    return bool(terms) and all(_fits(version, term) for term in terms)


def _fits(version: Version, term: re.Match[str]) -> bool:
    operator = term[1] or "="
    numbers: list[int] = []
    for part in term.group(2, 3, 4):
        if part is None or not part.isdigit():
            break
        numbers.append(int(part[:6]))
    low = _padded(numbers)
    beyond = _after(numbers)
    match operator:
        case ">=":
            return version >= low
        case ">":
            return version >= beyond
        case "<":
            return version < low
        case "<=":
            return version < beyond
        case "!=":
            return not low <= version < beyond
        case "^":
            first = next((place for place, number in enumerate(numbers) if number), len(numbers) - 1)
            return low <= version < _after(numbers[: first + 1])
        case "~":
            return low <= version < _after(numbers[:2])
        case "~=":
            return low <= version < _after(numbers[: max(1, len(numbers) - 1)])
        case _:
            return low <= version < beyond


def _padded(numbers: Sequence[int]) -> Version:
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return major, minor, patch


def _after(numbers: Sequence[int]) -> Version:
    """The first version that no longer begins with `numbers`."""
    if not numbers:
        return 1_000_000, 0, 0
    return _padded([*numbers[:-1], numbers[-1] + 1])


def choose(language: str, wish: Wish | None, installed: Sequence[Interpreter]) -> Choice:
    """The newest that fits; else the nearest of the same line, with a note. The first installed is the default.

    Python's line is its major version. A Node app that asks for an older major gets the nearest newer one.
    Raises BuildFailed when nothing can do.
    """
    if not installed:
        raise BuildFailed(f"This app needs {language}, and this machine has none: install {language} and deploy again.")
    if wish is None:
        return Choice(installed[0])
    fitting = [interpreter for interpreter in installed if satisfies(interpreter.version, wish.text)]
    if fitting:
        return Choice(installed[0] if installed[0] in fitting else max(fitting, key=lambda found: found.version))
    numbers = re.search(r"(\d{1,6})(?:\.(\d{1,6}))?", wish.text)
    if numbers is None:
        default = installed[0]
        return Choice(default, f"{wish.source} asks for {wish.text!r}, which is no version; {default.text} is used")
    major, minor = int(numbers[1]), int(numbers[2] or 0)
    if language == "Python":
        near = [found for found in installed if found.version[0] == major]
        near.sort(key=lambda found: (abs(found.version[1] - minor), tuple(-part for part in found.version)))
    else:
        near = sorted(
            (found for found in installed if found.version[0] >= major),
            key=lambda found: (found.version[0], tuple(-part for part in found.version)),
        )
    if not near:
        have = ", ".join(sorted({found.text for found in installed}))
        raise BuildFailed(
            f"{wish.source} asks for {language} {wish.text}, and this machine has {have}: "
            f"install a fitting {language}, or ask for one of these."
        )
    return Choice(
        near[0], f"{wish.source} asks for {wish.text}, which is not installed; the nearest, {near[0].text}, is used"
    )
