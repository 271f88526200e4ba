"""The portals this user knows, in `~/.config/homeport/credentials.json` (0600)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from homeport.kit.problems import Problem


class CredentialsUnreadable(Problem):
    """The file is not what this program writes."""

    code = "credentials_unreadable"
    status = 500


@dataclass(frozen=True)
class Known:
    """One portal. A portal of this machine has a `data_dir`, which holds its key (`local.py`), instead of a `key`."""

    url: str
    username: str = ""
    key: str = ""
    key_id: str = ""
    ca: str = ""
    data_dir: str = ""

    def __repr__(self) -> str:
        return f"Known(url={self.url!r})"


def config_dir() -> Path:
    """`$XDG_CONFIG_HOME/homeport`, by default `~/.config/homeport`."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "homeport"


class Credentials:
    """The known portals by URL, and the one used last. Every change is written at once, whole or not at all."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or config_dir() / "credentials.json"
        content = self._load()
        self.current: str = content.get("current", "")
        self._portals: dict[str, Known] = {url: Known(**entry) for url, entry in content.get("portals", {}).items()}

    def find(self, url: str) -> Known | None:
        """What is known of the portal at `url`."""
        return self._portals.get(url)

    def remember(self, known: Known) -> None:
        """Keep `known` and make it the portal that is used when none is named."""
        self._portals[known.url] = known
        self.current = known.url
        self._save()

    def forget(self, url: str) -> None:
        """Drop what is known of the portal at `url`."""
        self._portals.pop(url, None)
        if self.current == url:
            self.current = next(reversed(self._portals), "")
        self._save()

    def _load(self) -> Mapping[str, Any]:
        try:
            content: Mapping[str, Any] = json.loads(self._path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as fault:
            raise CredentialsUnreadable(f"{self._path} cannot be read: {fault}. Mend or remove it.") from fault
        return content

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = {"current": self.current, "portals": {url: asdict(known) for url, known in self._portals.items()}}
        write_private(self._path, json.dumps(content, indent=2))


def write_private(path: Path, text: str) -> None:
    """Replace `path` in one step with `text`, readable by its owner only from the first byte on."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, 0o600)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    fresh.replace(path)
