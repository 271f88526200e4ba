"""`homeport agent install`: the agent as a service of this machine, which can do little but make connections."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from homeport.cli.problems import UsageWrong
from homeport.cli.systemd import Service, account_of, own, program, put_in_place, require_reachable
from homeport.services.units.own_unit import ALWAYS, WITHOUT_SUDO, escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

UNIT = "homeport-agent"
USER = "homeport-agent"


@dataclass(frozen=True)
class AgentUnit:
    """`command` is argv of the agent; it writes nowhere but in `state_dir`, and has no capability at all."""

    user: str
    state_dir: Path
    command: Sequence[str]

    def text(self) -> str:
        """The unit's file. Raises ValueError for a path that no unit can have."""
        lines = [
            "# Made by `homeport agent install`, which writes it anew: keep changes of your own in a drop-in",
            "# (`systemctl edit`).",
            "[Unit]",
            "Description=Homeport agent, which makes services of this machine public through relays",
            "Wants=network-online.target",
            "After=network-online.target",
            "",
            "[Service]",
            "Type=notify",
            f"ExecStart={' '.join(escaped(word) for word in self.command)}",
            f"User={self.user}",
            f"Group={self.user}",
            f"WorkingDirectory={escaped(str(self.state_dir))}",
            "Restart=on-failure",
            "RestartSec=5",
            "TimeoutStartSec=60",
            "TimeoutStopSec=30",
            "LimitNOFILE=65536",
            "CapabilityBoundingSet=",
            "AmbientCapabilities=",
            f"ReadWritePaths={escaped(str(self.state_dir))}",
            *ALWAYS,
            *WITHOUT_SUDO,
            "ProtectControlGroups=yes",
            "ProcSubset=pid",
            "",
            "[Install]",
            "WantedBy=multi-user.target",
        ]
        return "\n".join(lines) + "\n"


def service_of(state_dir: Path, user: str | None, words: Sequence[str]) -> Service:
    """`words` are for `homeport agent run`. Raises UsageWrong for what could not run."""
    name = user or USER
    command = (*program(), "agent", "run", "--state-dir", str(state_dir), *words)
    try:
        return Service(UNIT, name, state_dir, command, AgentUnit(name, state_dir, command).text(), None)
    except ValueError as problem:
        raise UsageWrong(str(problem)) from problem


def install(service: Service, *, start: bool, as_json: bool) -> None:
    """Make the user, the state directory and the unit, and start it: what is so already stays. Raises UsageWrong."""
    if os.geteuid() != 0:
        raise UsageWrong("The unit is written to /etc: run this as root, or with --print to see what it would be.")
    require_reachable(service)
    own(service.data_dir, account_of(service))
    changed = put_in_place(service, start=start)
    if as_json:
        told = {
            "unit": str(service.path), "user": service.user, "state_dir": str(service.data_dir), "changed": changed,
            "installed": True, "started": start,
        }  # fmt: skip
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
        return
    sys.stdout.write(f"{service.path} {'is written' if changed else 'is as it was'}; it runs as {service.user}.\n")
    add = f"`homeport agent add PORT --name NAME --relay URL --state-dir {service.data_dir}` makes a port public"
    sys.stdout.write(f"It runs; {add}.\n" if start else f"`systemctl enable --now {service.name}` starts it.\n")
