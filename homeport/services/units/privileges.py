"""The least that a portal which is not root needs: one sudo rule for exactly its units and actions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from homeport.services.units.units import ACTIONS

_SEPARATOR = ", \\\n    "
_SPECIAL = re.compile(r"([,:=\\ ])")  # sudoers(5): these are escaped in a command's arguments
_NO_WAIT = "--no-block "  # the portal does not live to see its own restart done
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


def sudo_rule(names: Sequence[str], *, own: str, user: str, systemctl: str = "/usr/bin/systemctl") -> str:
    """A file for /etc/sudoers.d: each command in full, without wildcards. ValueError for what is no user name, or
    where there are no units."""
    if not _USER.fullmatch(user):
        raise ValueError(f"not a user name: {user!r}")
    if not names:
        raise ValueError("there are no units: name them in the setting `units`")
    commands = [
        f"{systemctl} {_NO_WAIT if name == own and action == 'restart' else ''}{action} {_escaped(name)}"
        for name in names
        for action in ACTIONS
        if not (name == own and action == "stop")
    ]
    return (
        "# What the portal may do with systemd: exactly these commands. Made by `homeport init --systemd`.\n"
        f"Cmnd_Alias HOMEPORT_UNITS = {_SEPARATOR.join(commands)}\n"
        "Defaults!HOMEPORT_UNITS !requiretty\n"
        f"{user} ALL=(root) NOPASSWD: HOMEPORT_UNITS\n"
    )


def _escaped(name: str) -> str:
    return _SPECIAL.sub(r"\\\1", name)
