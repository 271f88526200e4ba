"""The unit that the portal itself runs in: as little of the machine as it needs, as text for systemd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

JOURNAL_GROUP = "systemd-journal"  # its members may read every journal (systemd-journald.service(8))
DELEGATE_SUBGROUP_SINCE = 254  # the version of systemd that knows DelegateSubgroup=
# Each of these makes systemd set NoNewPrivileges= for a service that is not root (systemd.exec(5)), and with it sudo
# does nothing. So they are left out where the portal controls other units.
WITHOUT_SUDO = (
    "NoNewPrivileges=yes",
    "RestrictSUIDSGID=yes",
    "PrivateDevices=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "RestrictRealtime=yes",
    "RestrictNamespaces=yes",
    "LockPersonality=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service landlock_create_ruleset landlock_add_rule landlock_restrict_self",
    "SystemCallErrorNumber=EPERM",
)
ALWAYS = (
    "UMask=0077",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "ProtectProc=invisible",
    "RemoveIPC=yes",
    "KeyringMode=private",
)


@dataclass(frozen=True)
class OwnUnit:
    """`command` is argv of the portal; `controls`: it acts on other units by sudo; `systemd` is its version."""

    user: str
    data_dir: Path
    command: Sequence[str]
    controls: bool = False
    systemd: int = 252

    def text(self) -> str:
        """The unit's file."""
        capabilities = "CAP_NET_BIND_SERVICE"
        sandbox: tuple[str, ...] = (*ALWAYS, *WITHOUT_SUDO)
        if self.controls:
            # sudo becomes root with these, and whatever it runs there has no more than these.
            capabilities += " CAP_SETUID CAP_SETGID CAP_AUDIT_WRITE"
            sandbox = ALWAYS
        groups = [f"SupplementaryGroups={JOURNAL_GROUP}"] if self.controls else []
        subgroup = ["DelegateSubgroup=portal"] if self.systemd >= DELEGATE_SUBGROUP_SINCE else []
        lines = [
            "# Made by `homeport init --systemd`, which writes it anew: keep changes of your own in a drop-in",
            "# (`systemctl edit`).",
            "[Unit]",
            "Description=Homeport, the portal of this machine",
            "Wants=network-online.target",
            "After=network-online.target docker.service postgresql.service redis-server.service",
            "",
            "[Service]",
            "Type=notify",
            f"ExecStart={' '.join(escaped(word) for word in self.command)}",
            f"User={self.user}",
            f"Group={self.user}",
            *groups,
            f"WorkingDirectory={escaped(str(self.data_dir))}",
            "Restart=on-failure",
            "RestartSec=2",
            "TimeoutStartSec=180",
            "TimeoutStopSec=60",
            "# What the portal runs goes on running while it is updated or starts again.",
            "KillMode=process",
            "Delegate=yes",
            *subgroup,
            "# Ports below 1024, for those who want 443, and 80 for orders of certificates. Apps do not inherit it.",
            "AmbientCapabilities=CAP_NET_BIND_SERVICE",
            f"CapabilityBoundingSet={capabilities}",
            f"ReadWritePaths={escaped(str(self.data_dir))}",
            *sandbox,
            "",
            "[Install]",
            "WantedBy=multi-user.target",
        ]
        return "\n".join(lines) + "\n"


def escaped(word: str) -> str:
    """One word of a command line or path (systemd.service(5), "Command lines"). ValueError for a line break."""
    if "\n" in word:
        raise ValueError("a path with a line break is no path for a unit")
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{plain}"' if any(letter.isspace() or letter in "\"';" for letter in word) else plain
