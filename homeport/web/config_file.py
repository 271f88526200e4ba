"""`homeport.toml` in the data directory: what an administrator changes there from the browser."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from homeport.kit.files import atomic_write
from homeport.kit.problems import Conflict
from homeport.settings import Setting, Settings, SettingsInvalid, load

COMMAND_LINE = "command line"
ENVIRONMENT = "environment"


class ConfigFileUnusable(Conflict):
    """The file is not as a portal could read it; a person has to mend it."""

    code = "config_unusable"


class ConfigFile:
    """Every method blocks: call it in a thread."""

    def __init__(self, data_dir: Path, running: Callable[[], Settings]) -> None:
        """`running` gives what the portal runs with."""
        self._data_dir = data_dir
        self._running = running
        self._path = data_dir / "homeport.toml"
        self._fixed: dict[str, str] = {}

    def open(self) -> None:
        """At the start of the portal: find out which values its command line gave. Raises ConfigFileUnusable."""
        for row in self._rows():
            if getattr(self._running(), row.name) != row.value and row.name != "data_dir":
                self._fixed[row.name] = COMMAND_LINE

    def at_next_start(self) -> Mapping[str, Setting]:
        """Every setting as the next start would have it, by name. Raises ConfigFileUnusable."""
        rows = {}
        for row in self._rows():
            source = self._fixed.get(row.name)
            value = getattr(self._running(), row.name) if source else row.value
            rows[row.name] = Setting(row.name, value, source or row.source, row.description)
        return rows

    def write(self, values: Mapping[str, str | int]) -> None:
        """Set these, keep every other line as it is. Raises ConfigFileUnusable, and then nothing was written."""
        text = self._path.read_text() if self._path.is_file() else ""
        try:
            before = tomllib.loads(text)
            for name, value in values.items():
                text = _with(text, name, value)
            if tomllib.loads(text) != {**before, **values}:
                raise ConfigFileUnusable(f"{self._path} is written in a way that only a person can change.")
        except tomllib.TOMLDecodeError as problem:
            raise ConfigFileUnusable(f"{self._path} is not valid TOML: mend it first.") from problem
        atomic_write(self._path, text, mode=0o600)

    def _rows(self) -> list[Setting]:
        try:
            return load({"data_dir": self._data_dir})[1]
        except SettingsInvalid as problem:
            raise ConfigFileUnusable(f"{self._path} holds values that do not fit: mend it first.") from problem


def _with(text: str, name: str, value: str | int) -> str:
    """The text with one top-level value set: in its line, or in a new one before the first table."""
    line = f"{name} = {json.dumps(value)}"  # of plain letters and digits: TOML writes them as JSON does
    found = re.compile(rf"^[ \t]*{re.escape(name)}[ \t]*=.*$", re.MULTILINE)
    if found.search(text):
        return found.sub(lambda _: line, text, count=1)
    table = re.search(r"^[ \t]*\[", text, re.MULTILINE)
    head, rest = (text[: table.start()], text[table.start() :]) if table else (text, "")
    if head and not head.endswith("\n"):
        head += "\n"
    return f"{head}{line}\n{rest}"
