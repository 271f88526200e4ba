"""What one language's rules found, and the words in which all of them write Dockerfile lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from homeport.services.analysis.inventory import MAX_LINE, Files
from homeport.services.analysis.result import Finding, Recipe
from homeport.services.sources.versions import Wish

PLAIN_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./@+-]{0,200}\Z")
_NUMBER = re.compile(r"(?<![\d.])v?(\d{1,4})(?:\.(\d{1,4}))?(?:\.(\d{1,4}))?")

Names = tuple[str, ...]
Wants = tuple[frozenset[str], Names, Names]  # libraries, packages to build them, packages to run them


@dataclass(frozen=True)
class Found:
    """`port` is what this kind of app listens on when nothing says otherwise; `obeys_port`: its start command, as
    written here, listens on $PORT. `sources` are the files in which a port may be written."""

    recipe: Recipe
    port: int
    because: str
    obeys_port: bool = False
    sources: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass
class Notes:
    """Findings and warnings while they are gathered."""

    findings: list[Finding] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, what: str, because: str, confidence: float) -> None:
        self.findings.append(Finding(what, because, confidence))


@dataclass(frozen=True)
class Version:
    """The tag of an image: what the app asks for when it names a number, else the default."""

    text: str
    because: str
    confidence: float


def pick_version(wish: Wish | None, default: str, parts: int) -> Version:
    """`parts` numbers of a version: 1 of Node, 2 of Python. Of a range it is its lower end."""
    if wish is None:
        return Version(default, "nothing asks for another", 0.7)
    number = _NUMBER.search(wish.text)
    if number is None:
        return Version(default, f"{wish.source} asks for {wish.text[:40]!r}, which names no number", 0.6)
    asked = [one for one in number.groups()[:parts] if one is not None]
    if len(asked) < parts and asked[0] == default.split(".", maxsplit=1)[0]:
        return Version(default, f"{wish.source} asks for {wish.text[:40]}", 0.9)
    lower = re.match(r"\s*(?:>=|>|\^)", wish.text) is not None
    if lower and [int(one) for one in asked] < [int(one) for one in default.split(".")]:
        capped = "<" in wish.text or wish.text.lstrip().startswith("^")
        if not capped or asked[0] == default.split(".", maxsplit=1)[0]:
            return Version(default, f"{wish.source} asks for {wish.text[:40]}", 0.85)
    return Version(".".join(asked), f"{wish.source} asks for {wish.text[:40]}", 0.9)


def run(*argv: str) -> str:
    """A RUN line of one command, in the form that no shell reads."""
    return f"RUN {json.dumps(list(argv))}"


def copy(files: Files, names: Iterable[str], *, to: str = "./") -> tuple[str, ...]:
    """One COPY line of those files that are there; empty where there is none."""
    there = [name for name in names if files.has(name)]
    return (f"COPY {' '.join(there)} {to}",) if there else ()


def line_of(files: Files, path: str, word: str) -> str:
    """`path:line` of the first line that holds `word`, else `path`."""
    for number, line in enumerate((files.read(path) or "").splitlines()[:20_000], start=1):
        if word in line[:MAX_LINE].lower():
            return f"{path}:{number}"
    return path


def packages_for(asked: Iterable[str], table: Sequence[Wants]) -> tuple[Names, Names, Names]:
    """Debian packages to build and to run, and the libraries that want them."""
    names = set(asked)
    build: dict[str, None] = {}
    runtime: dict[str, None] = {}
    because: dict[str, None] = {}
    for libraries, needed, kept in table:
        if hit := sorted(libraries & names):
            because.setdefault(hit[0])
            build |= dict.fromkeys(needed)
            runtime |= dict.fromkeys(kept)
    return tuple(build), tuple(runtime), tuple(because)
