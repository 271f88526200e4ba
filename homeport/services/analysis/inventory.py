"""What lies in a source that nobody trusts: read once, bounded, never through a link, never raising."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from homeport.kit.files import Tree, UnsafePath

MAX_FILE = 512 * 1024
MAX_TOTAL = 16 * 1024 * 1024  # bytes read in one analysis
MAX_ENV_NAMES = 100
MAX_LINE = 2000

COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
DOCKERFILES = ("Dockerfile", "Containerfile", "Dockerfile.prod", "Dockerfile.production", "docker/Dockerfile")
ENV_FILES = (".env.example", ".env.sample", ".env.template", ".env.dist", "env.example", "example.env")
READMES = ("README.md", "README", "README.rst", "README.txt", "readme.md", "Readme.md")
_ENV_LINE = re.compile(r"^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]{0,127})\s*=\s*(.*)$")
_README_PORT = re.compile(r"(?:localhost|127\.0\.0\.1|0\.0\.0\.0):(\d{2,5})\b")


class Files(Tree):
    """A tree that answers "not there" for links, devices, giants and whatever else cannot be read, and notes why."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.warnings: list[str] = []
        self._left = MAX_TOTAL

    def read(self, path: str, *, limit: int = MAX_FILE) -> str | None:
        """The text, or None; NUL characters mean that it is no text."""
        try:
            text = super().read(path, limit=min(limit, MAX_FILE))
        except UnsafePath as problem:
            text, why = None, problem.message
        except OSError:
            text, why = None, f"{path} cannot be read."
        else:
            why = f"{path} is not text." if text is not None and "\0" in text else ""
        self._left -= len(text or "")
        if self._left < 0:
            why = f"More than {MAX_TOTAL // 1048576} MB were read; the rest is not looked at."
        if why:
            self._refuse(why)
        return None if why else text

    def has(self, path: str) -> bool:
        try:
            return super().has(path)
        except (UnsafePath, OSError) as problem:
            self._refuse(getattr(problem, "message", f"{path} cannot be read."))
            return False

    def has_folder(self, path: str) -> bool:
        try:
            return super().has_folder(path)
        except (UnsafePath, OSError):
            return False

    def names(self, path: str = ".", *, limit: int = 2000) -> list[str]:
        try:
            return [name for name in super().names(path, limit=limit) if name.isprintable()]
        except (UnsafePath, OSError):
            return []

    def _refuse(self, why: str) -> None:
        if why not in self.warnings and len(self.warnings) < 20:
            self.warnings.append(why)


@dataclass(frozen=True)
class EnvName:
    """A variable that the example file names, its default, and where: `.env.example:3`."""

    name: str
    default: str
    where: str


@dataclass(frozen=True)
class Inventory:
    """`compose` and `dockerfile` are (path, text) of what the source brings."""

    compose: tuple[str, str] | None
    dockerfile: tuple[str, str] | None
    environment: tuple[EnvName, ...]
    readme_port: tuple[int, str] | None


def take(files: Files) -> Inventory:
    """Everything that is not a matter of one language."""
    return Inventory(
        compose=_first(files, COMPOSE_FILES),
        dockerfile=_first(files, DOCKERFILES),
        environment=_environment(files),
        readme_port=_readme_port(files),
    )


def _first(files: Files, names: tuple[str, ...]) -> tuple[str, str] | None:
    for name in names:
        if (text := files.read(name)) is not None and text.strip():
            return name, text
    return None


def _environment(files: Files) -> tuple[EnvName, ...]:
    found: dict[str, EnvName] = {}
    for file in ENV_FILES:
        for number, line in enumerate((files.read(file) or "").splitlines(), start=1):
            match = _ENV_LINE.match(line[:MAX_LINE].strip())
            if match is not None and len(found) < MAX_ENV_NAMES:
                found.setdefault(match[1], EnvName(match[1], _value(match[2]), f"{file}:{number}"))
    return tuple(found.values())


def _value(text: str) -> str:
    """A value without its quotes, or without the comment behind it."""
    if len(text) > 1 and text[0] in "\"'" and (end := text.find(text[0], 1)) > 0:
        return text[1:end]
    return re.sub(r"(^|\s)#.*$", "", text).strip()


def _readme_port(files: Files) -> tuple[int, str] | None:
    readme = _first(files, READMES)
    if readme is None:
        return None
    for number, line in enumerate(readme[1].splitlines(), start=1):
        match = _README_PORT.search(line[:MAX_LINE])
        if match is not None and 80 <= int(match[1]) <= 65535:
            return int(match[1]), f"{readme[0]}:{number}"
    return None


def exposed_port(dockerfile: str) -> tuple[int, int] | None:
    """The first TCP port of the last stage's EXPOSE lines, and the number of that line."""
    found: tuple[int, int] | None = None
    for number, line in enumerate(dockerfile.splitlines(), start=1):
        words = line[:MAX_LINE].split()
        if words and words[0].upper() == "FROM":
            found = None
        elif len(words) > 1 and words[0].upper() == "EXPOSE" and found is None:
            match = re.fullmatch(r"(\d{1,5})(?:/tcp)?", words[1], re.ASCII)
            if match is not None and 0 < int(match[1]) < 65536:
                found = int(match[1]), number
    return found
