"""What a plan is: how one release is built and started, as plain data that can be stored and shown."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

OWN_FOLDER = ".homeport"  # what the portal adds to a release: virtual environment, scratch home


@dataclass(frozen=True)
class Command:
    """One step of a build: argv, run in the release's folder with `env` on top of the build's own."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Probe:
    """How to see that it is up. `type`: http (GET `path`; without one any answer below 500 will do), tcp (accepts),
    command (`argv` ends with 0)."""

    type: str = "http"
    path: str | None = None
    argv: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """`kind`: python, node, static or procfile. `reason`: one sentence for people. `version`: of the interpreter found;
    `wanted`: what the app asks for, if anything. `start` runs in the release's folder with `env`, the app's variables,
    and PORT, on top of each other in this order. `root`: the folder that a static site serves; it exists once built.
    """

    kind: str
    reason: str
    start: tuple[str, ...]
    framework: str | None = None
    version: str | None = None
    wanted: str | None = None
    interpreter: str | None = None
    build: tuple[Command, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    probe: Probe = field(default_factory=Probe)
    root: str | None = None

    @property
    def start_text(self) -> str:
        """The start command as a person would write it."""
        if self.start[:2] == ("/bin/sh", "-c") and len(self.start) == 3:
            return self.start[2].removeprefix("exec ")
        return shlex.join(self.start)

    def summary(self) -> dict[str, str | None]:
        """What a service's detail shows under `detection`."""
        return {"kind": self.kind, "version": self.version, "reason": self.reason, "start": self.start_text}

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plan:
        """The inverse of `to_dict`, also after a way through JSON."""
        probe = data["probe"]
        return cls(
            **{
                **data,
                "start": tuple(data["start"]),
                "build": tuple(Command(tuple(step["argv"]), dict(step["env"])) for step in data["build"]),
                "env": dict(data["env"]),
                "probe": Probe(probe["type"], probe["path"], tuple(probe["argv"])),
            }
        )


def app_environment(plan: Plan) -> dict[str, str]:
    """What an app gets before its own variables; PORT, DATA_DIR and the like are its starter's to add."""
    return dict(plan.env)


_OPERATORS = re.compile(r"[;&|`\n]|(?:^|\s)[({]")
_FIRST_WORD = re.compile(r"[A-Za-z0-9_./@+-]+(?=\s|$)")
_ONLY_IN_SHELL = re.compile(
    r"(?:\.|alias|case|cd|command|eval|exec|exit|export|for|if|read|readonly|return|set|shift|source|times|trap|ulimit"
    r"|umask|unset|until|wait|while)(?=\s|$)"
)


def shell(line: str) -> tuple[str, ...]:
    """An app's own line, run by the shell of its own process. No value of the portal is ever put into it.

    A line of one command takes the shell's place, so that signals and exit codes are the app's own.
    """
    alone = _FIRST_WORD.match(line) and not _ONLY_IN_SHELL.match(line) and not _OPERATORS.search(line)
    return "/bin/sh", "-c", f"exec {line}" if alone else line


def listening(line: str, *arguments: str) -> tuple[str, ...]:
    """A fixed line of ours that needs $HOST and $PORT; what comes from the app is an argument ($1, $@), never text."""
    return "/bin/sh", "-c", line, "start", *arguments


def path_of(*folders: Path | str) -> str:
    """A PATH: these first, then the system's."""
    return ":".join([*map(str, folders), "/usr/local/bin", "/usr/bin", "/bin"])


_ENTRY = re.compile(r"^([A-Za-z0-9_-]+):[ \t]*(\S.*)$")


@dataclass(frozen=True)
class Procfile:
    """The entry that will be run."""

    entry: str
    line: str


def parse_procfile(text: str) -> Procfile | None:
    """Its `web` entry, else `worker`, else the first; None where there is none."""
    entries: dict[str, str] = {}
    for raw in text.splitlines():
        match = _ENTRY.match(raw.strip())
        if match is not None and "\0" not in raw:
            entries.setdefault(match[1], match[2].strip())
    for name in ("web", "worker", *entries):
        if name in entries:
            return Procfile(name, entries[name])
    return None
