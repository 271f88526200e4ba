"""The agent of this machine as the shell asks it: by its local API while it runs, else by its state directory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from homeport.cli.problems import PortalRefused, PortalUnreachable
from homeport.kit.lockfile import AlreadyLocked
from homeport.relay.agent.daemon.specs import TunnelSpec
from homeport.relay.agent.daemon.state import AgentState

SYSTEM_STATE_DIR = Path("/var/lib/homeport-agent")
SECONDS = 30.0


def state_dir(given: Path | None) -> Path:
    """What was named; else the machine's, for root; else this user's own."""
    if given is not None:
        return given.absolute()
    if os.geteuid() == 0:
        return SYSTEM_STATE_DIR
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "homeport" / "agent"


class LocalAgent:
    """Raises PortalUnreachable when an agent runs that does not answer, PortalRefused for its refusals."""

    def __init__(self, folder: Path) -> None:
        self.state = AgentState(folder)

    @property
    def url(self) -> str:
        """Where the agent's API is, empty while none runs."""
        return str(self.state.holder().get("url", ""))

    def add(self, spec: TunnelSpec) -> dict[str, Any]:
        """How the tunnel is doing, or what was written down for later."""
        if self.url:
            return self.call("POST", "/tunnels", spec.as_json())
        try:
            with self.state.lock:
                self.state.identity(spec.name)
                self.state.add(spec)
            self.state.settle()
        except AlreadyLocked:
            return self.call("POST", "/tunnels", spec.as_json())
        return _noted(spec)

    def remove(self, name: str) -> None:
        """Raises TunnelUnknown."""
        if self.url:
            self.call("DELETE", f"/tunnels/{name}")
            return
        try:
            with self.state.lock:
                self.state.remove(name)
            self.state.settle()
        except AlreadyLocked:
            self.call("DELETE", f"/tunnels/{name}")

    def tunnels(self) -> list[dict[str, Any]]:
        """How each is doing; `stopped` while no agent runs."""
        if self.url:
            rows: list[dict[str, Any]] = self.call("GET", "/tunnels")["tunnels"]
            return rows
        return [_noted(spec) for spec in self.state.tunnels().values()]

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """The data of its answer."""
        import httpx

        headers = {"Authorization": f"Bearer {self.state.token()}"}
        try:
            with httpx.Client(trust_env=False, timeout=SECONDS) as client:
                answer = client.request(method, f"{self.url}/v1/agent{path}", json=body, headers=headers)
                said = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as fault:
            raise PortalUnreachable(f"The agent of {self.state.folder} does not answer: {fault}.") from None
        if not said.get("ok"):
            error = said.get("error") or {}
            raise PortalRefused({"error": error.get("message"), "code": error.get("code")}, answer.status_code)
        data: dict[str, Any] = said.get("data") or {}
        return data


def _noted(spec: TunnelSpec) -> dict[str, Any]:
    told = {name: value for name, value in spec.as_json().items() if name != "relays"}
    return {**told, "state": "stopped", "url": "", "error": "", "relays": [{"relay": each.url} for each in spec.relays]}
