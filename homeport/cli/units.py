"""The verbs for systemd units; logs, start, stop and restart are those of apps."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from homeport.cli.options import Json, PortalUrl, Ref

if TYPE_CHECKING:
    from homeport.settings import Settings

_RULE = Path("/etc/sudoers.d/homeport-units")


def units(portal: PortalUrl = None, json: Json = False) -> None:
    """List the systemd units that this portal manages."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.output import print_json, print_table

    with Client(resolve(portal)) as client:
        answer = client.get("/api/services", type="unit")
    if json:
        return print_json({"data": answer["data"], "total": answer["total"]})
    cells = (
        (
            row["name"],
            row["status"],
            row["sub_state"],
            row["uptime"],
            None if row["resources"]["memory_usage_mb"] is None else f"{row['resources']['memory_usage_mb']} MB",
            row["restarts"] or None,
            row["description"],
        )
        for row in answer["data"]
    )
    columns = ("name", "status", "state", "up", "memory", "restarts", "what")
    return print_table(columns, cells, empty="No units: name them in the setting `units`.")


def reload(ref: Ref, portal: PortalUrl = None, json: Json = False) -> None:
    """Make a unit read its configuration again."""
    from homeport.cli.services import act

    act(ref, "reload", portal, as_json=json)


def privileges(settings: Settings, user: str | None, *, install: bool, as_json: bool) -> None:
    """Print the rule that lets `user` act on the units of `settings`, or install it and let `user` read journals.

    Raises UsageWrong where there are no units, for a bad user name, and for an installation by anybody but root.
    """
    from homeport.cli.output import print_json
    from homeport.cli.problems import UsageWrong
    from homeport.services.units.privileges import JOURNAL_GROUP, sudo_rule

    name = user or ("homeport" if os.geteuid() == 0 else getpass.getuser())
    try:
        systemctl = shutil.which("systemctl") or "/usr/bin/systemctl"
        rule = sudo_rule(settings.units, own=settings.own_unit, user=name, systemctl=systemctl)
    except ValueError as problem:
        raise UsageWrong(str(problem)) from problem
    group = ("usermod", "--append", "--groups", JOURNAL_GROUP, name)
    if install:
        if os.geteuid() != 0:
            raise UsageWrong("--install writes to /etc: run it as root.")
        joined = subprocess.run(group, capture_output=True, text=True, check=False)
        if joined.returncode != 0:
            raise UsageWrong(joined.stderr.strip())
        _install(rule)
    if as_json:
        print_json({"path": str(_RULE), "rule": rule, "command": " ".join(group), "installed": install})
    elif install:
        sys.stdout.write(f"{_RULE} is written, and {name} is in the group {JOURNAL_GROUP}: restart the portal.\n")
    else:
        sys.stdout.write(f"{rule}# Keep it as {_RULE} (mode 0440), and run: {' '.join(group)}\n")


def _install(rule: str) -> None:
    """Only a rule that visudo has read: a broken file would end all of sudo. Raises UsageWrong."""
    from homeport.cli.problems import UsageWrong

    with tempfile.NamedTemporaryFile("w", prefix=".homeport-units.", suffix="~", dir=_RULE.parent) as draft:
        # sudo does not read files whose name ends in ~
        draft.write(rule)
        draft.flush()
        Path(draft.name).chmod(0o440)
        checked = subprocess.run(["visudo", "-c", "-f", draft.name], capture_output=True, text=True, check=False)
        if checked.returncode != 0:
            raise UsageWrong(f"visudo does not accept the rule: {checked.stdout.strip()} {checked.stderr.strip()}")
        target = Path(f"{draft.name}~")
        os.link(draft.name, target)
        target.replace(_RULE)
