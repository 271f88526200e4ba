"""What an analysis says: findings with their reasons, and the two texts that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from homeport.services.analysis.inventory import EnvName

WRITTEN_DOCKERFILE = "Dockerfile.homeport"  # the name under which a Dockerfile that nobody committed joins the files


@dataclass(frozen=True)
class Finding:
    """`because` is the evidence, with file and line where there is one; `confidence` goes from 0 to 1."""

    what: str
    because: str
    confidence: float


@dataclass(frozen=True)
class Need:
    """A database or the like that the app expects beside it: postgres, mysql, mongo, redis or sqlite.

    `scheme` is how its address begins, `None` for the usual one.
    """

    kind: str
    because: str
    confidence: float
    scheme: str | None = None


@dataclass(frozen=True)
class AskedVariable:
    """A variable that the app reads. `value` None: only a person knows it. `generated`: made here, at random."""

    name: str
    value: str | None
    secret: bool = False
    generated: bool = False


@dataclass(frozen=True)
class Recipe:
    """Everything that a generated Dockerfile is made of. Packages are Debian's; `start` is a line for the shell.

    `layer` are lines that install dependencies before the source is copied, `steps` those after it. With `copies`
    (from, to) there are two stages: they are what the second takes from the first. `finish` are the last stage's own.
    """

    language: str
    image: str
    version: str | None = None
    framework: str | None = None
    build_image: str | None = None
    build_packages: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    layer: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    copies: tuple[tuple[str, str], ...] = ()
    finish: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    start: str | None = None
    debian: bool = True  # whether the last stage has apt-get and useradd


@dataclass(frozen=True)
class Analysis:
    """`recipe` is None where the source has a Dockerfile (`own_dockerfile`) or a compose file (`own_compose`)."""

    name: str
    language: str | None
    start: str | None
    port: int
    findings: tuple[Finding, ...]
    needs: tuple[Need, ...]
    confidence: float
    dockerfile: str | None
    compose: str
    variables: tuple[AskedVariable, ...]
    warnings: tuple[str, ...]
    recipe: Recipe | None = None
    asked: tuple[EnvName, ...] = ()  # what its example environment names
    own_dockerfile: str | None = None
    own_compose: str | None = None

    @property
    def dependencies(self) -> tuple[str, ...]:
        """The kinds of what it needs beside it."""
        return tuple(need.kind for need in self.needs)

    @property
    def values(self) -> dict[str, str]:
        """The variables that have a value, as the compose text asks for them."""
        return {one.name: one.value for one in self.variables if one.value is not None}

    def to_dict(self) -> dict[str, Any]:
        """The body of a preview."""
        return {
            "findings": [
                {"what": one.what, "because": one.because, "confidence": round(one.confidence, 2)}
                for one in self.findings
            ],
            "language": self.language,
            "start": self.start,
            "port": self.port,
            "dependencies": list(self.dependencies),
            "confidence": round(self.confidence, 2),
            "dockerfile": self.dockerfile,
            "compose": self.compose,
            "variables": [
                {"name": one.name, "value": one.value, "secret": one.secret, "generated": one.generated}
                for one in self.variables
            ],
            "warnings": list(self.warnings),
        }
