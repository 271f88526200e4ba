"""The agent's state directory: which tunnels, whose keys, and the token that may change them. All 0600, in 0700."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from homeport.kit.files import atomic_write
from homeport.kit.lockfile import Lockfile
from homeport.kit.problems import Conflict, NotFound, Problem
from homeport.relay.agent.daemon.specs import TunnelSpec, read_spec
from homeport.relay.agent.identity import AgentIdentity, load_or_create

MOST_TUNNELS = 64
MOST_BYTES = 16 * 1024 * 1024


class StateUnreadable(Problem):
    """tunnels.json is not what this program writes; the message names it."""

    code = "state_unreadable"
    status = 500


class TunnelExists(Conflict):
    code = "tunnel_exists"


class TunnelUnknown(NotFound):
    code = "tunnel_not_found"


class TooManyTunnels(Problem):
    code = "too_many_tunnels"
    status = 409


class AgentState:
    """Reads and writes whole files; everything blocks for some milliseconds. One process at a time holds `lock`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def lock(self) -> Lockfile:
        """Held while the agent runs, and says where its API is; also for a change while it does not run."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Lockfile(self.folder / "agent.lock")

    @property
    def certificates(self) -> Path:
        """Where certificates of public authorities are kept."""
        return self.folder / "certificates"

    def token(self) -> str:
        """The bearer token of the API, made when there is none."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / "token"
        try:
            return path.read_text().strip()
        except FileNotFoundError:
            atomic_write(path, secrets.token_urlsafe(32) + "\n", mode=0o600)
            return path.read_text().strip()

    def holder(self) -> dict[str, Any]:
        """What the agent that runs wrote about itself (`url`, `pid`); empty where none does, or it crashed."""
        try:
            found = json.loads((self.folder / "agent.lock").read_text())
            os.kill(int(found["pid"]), 0)
        except PermissionError:
            return dict(found)
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return dict(found)

    def identity(self, name: str) -> AgentIdentity:
        """The key of this name, made when there is none. Raises IdentityBroken."""
        return load_or_create(self.folder / "identities" / f"{name}.json", name)

    def tunnels(self) -> dict[str, TunnelSpec]:
        """By name, in the order in which they were added. Raises StateUnreadable."""
        path = self.folder / "tunnels.json"
        try:
            with path.open("rb") as file:
                rows = json.loads(file.read(MOST_BYTES))["tunnels"]
            specs = [read_spec(row) for row in rows]
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
            raise StateUnreadable(f"{path} cannot be read ({type(fault).__name__}): mend it, or remove it.") from None
        except Problem as problem:
            raise StateUnreadable(f"{path} has a tunnel that cannot be: {problem.message}") from None
        return {spec.name: spec for spec in specs}

    def add(self, spec: TunnelSpec) -> None:
        """Keep one more. Raises TunnelExists, TooManyTunnels, StateUnreadable."""
        tunnels = self.tunnels()
        if spec.name in tunnels:
            raise TunnelExists(f"There is a tunnel {spec.name!r} already: remove it first.")
        if len(tunnels) >= MOST_TUNNELS:
            raise TooManyTunnels(f"An agent keeps {MOST_TUNNELS} tunnels at most.")
        self._write([*tunnels.values(), spec])

    def remove(self, name: str) -> TunnelSpec:
        """Forget it; its key stays, so that the same name can come back. Raises TunnelUnknown, StateUnreadable."""
        tunnels = self.tunnels()
        found = tunnels.pop(name, None)
        if found is None:
            raise TunnelUnknown(f"There is no tunnel {name[:100]!r}.")
        self._write(list(tunnels.values()))
        return found

    def settle(self) -> None:
        """What root's shell wrote belongs to whom the directory belongs: the agent has to read it."""
        owner = self.folder.stat()
        if os.geteuid() == 0 and owner.st_uid != 0:
            for path in self.folder.rglob("*"):
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)

    def _write(self, specs: list[TunnelSpec]) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        body = {"tunnels": [spec.as_json() for spec in specs]}
        atomic_write(self.folder / "tunnels.json", json.dumps(body, indent=2) + "\n", mode=0o600)
